"""Messages that are taken back before they go out: nobody gets them, and nobody is alarmed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from channels.delivering import deliver
from channels.models import (
    Automatic,
    Channel,
    Inbound,
    Message,
    MessageStatus,
    Withdrawal,
)
from channels.queries import SOON_READ, shown_messages
from channels.receiving import store_inbound, take_in
from channels.services import discard_prepared, record_status, withdraw_messages
from channels.services.accounts import default_account
from channels.testing import carried_by
from channels.transports import TransportError
from events import Permanent, Postpone
from events.external import run_due
from events.models import Event
from events.settling import settle
from leads.services import delete_lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.channels.factories import (
    ScriptedTransport,
    make_inbound_message,
    make_message,
    make_reachable_lead,
)
from tests.events.threads import in_own_connection
from tests.factories import make_tenant
from tests.waiting import wait_until

PROFILE = "linkedin.com/in/ada"

pytestmark = pytest.mark.usefixtures("transactional_db", "tenant")


@pytest.fixture
def carrier() -> Iterator[ScriptedTransport]:
    transport = ScriptedTransport(None)
    with carried_by(transport, Channel.EMAIL):
        yield transport


def run() -> None:
    """Settle what is pending, and make the external calls that are due."""
    settle(list(Event.unscoped.filter(status="pending").values_list("id", flat=True)))
    while run_due():
        pass


def status_of(message: Message) -> str:
    message.refresh_from_db()
    return message.status


def told() -> list[dict[str, Any]]:
    """What was published of withdrawn messages."""
    events = Event.objects.filter(type="message.withdrawn").order_by("position")
    return [event.payload for event in events]


# --- By somebody --------------------------------------------------------------------------------


def test_queued_message_is_taken_back_and_nobody_is_alarmed(carrier: ScriptedTransport) -> None:
    message, other = make_message(), make_message()
    assert withdraw_messages([message.pk], Withdrawal.ENDED) == [message.pk]
    run()
    assert (status_of(message), message.error) == (MessageStatus.WITHDRAWN, "ended")
    assert message.withdrawn_at
    assert status_of(other) == MessageStatus.SENT
    assert [call.message_id for call in carrier.calls] == [other.pk]
    assert not Event.objects.filter(status="failed").exists()
    assert [(each["message_id"], each["reason"]) for each in told()] == [(str(message.pk), "ended")]


def test_message_is_withdrawn_once(carrier: ScriptedTransport) -> None:
    message = make_message()
    assert withdraw_messages([message.pk, message.pk], "one") == [message.pk]
    assert withdraw_messages([message.pk], "two") == []
    assert (status_of(message), message.error, len(told())) == (MessageStatus.WITHDRAWN, "one", 1)


def test_what_has_gone_out_or_is_on_its_way_is_left_alone(carrier: ScriptedTransport) -> None:
    sent, failed, called = make_message(), make_message(), make_message()
    record_status(sent.pk, MessageStatus.SENT)
    record_status(failed.pk, MessageStatus.FAILED, reason="full")
    Message.objects.filter(pk=called.pk).update(sending_since=timezone.now())
    inbound = make_inbound_message()
    rows = [sent, failed, called, inbound]
    assert withdraw_messages([row.pk for row in rows], "late") == []
    assert told() == []


def test_message_that_was_refused_for_a_while_can_be_withdrawn() -> None:
    busy = TransportError("busy", retry_after=3600.0)
    with carried_by(ScriptedTransport(busy), Channel.EMAIL):
        message = make_message()
        run()
        assert withdraw_messages([message.pk], "late") == [message.pk]
        run()
    assert (status_of(message), message.attempts) == (MessageStatus.WITHDRAWN, 1)


def test_another_tenants_message_is_not_withdrawn() -> None:
    with tenant_context(make_tenant()):
        theirs = make_message()
    assert withdraw_messages([theirs.pk], "late") == []


def test_nothing_follows_on_a_message_that_was_withdrawn() -> None:
    message = make_message()
    withdraw_messages([message.pk], "late")
    for status in (MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.FAILED):
        assert record_status(message.pk, status).status == MessageStatus.WITHDRAWN
    assert len(Event.objects.filter(type__startswith="message.")) == 2


def test_discarding_a_prepared_message_tells_whoever_waits_for_it() -> None:
    lead = make_reachable_lead(profiles=[PROFILE])
    message = make_message(lead, channel="linkedin")
    discard_prepared(message)
    assert status_of(message) == MessageStatus.WITHDRAWN
    assert [each["reason"] for each in told()] == [Withdrawal.DISCARDED]


def test_withdrawn_message_is_in_no_thread() -> None:
    message, other = make_message(), make_message()
    withdraw_messages([message.pk], "late")
    assert list(shown_messages()) == [other]


def test_deleted_lead_takes_its_messages_along() -> None:
    message = make_message()
    delete_lead(message.lead)
    assert withdraw_messages([message.pk], "late") == []


# --- Where they have answered -------------------------------------------------------------------


def guarded(**fields: Any) -> Message:
    """A queued message that an answer stops."""
    return make_message(unless_answered_since=timezone.now(), **fields)


def test_answer_stops_it_even_if_nobody_has_withdrawn_it(carrier: ScriptedTransport) -> None:
    message = guarded()
    make_inbound_message(message.lead)
    run()
    assert (status_of(message), carrier.calls) == (MessageStatus.WITHDRAWN, [])
    assert [each["reason"] for each in told()] == [Withdrawal.ANSWERED]
    assert not Event.objects.filter(status="failed").exists()


def test_answer_on_another_channel_stops_it(carrier: ScriptedTransport) -> None:
    lead = make_reachable_lead(phone="+12025550101")
    message = guarded(lead=lead)
    make_inbound_message(lead, channel="whatsapp", address="+12025550101")
    run()
    assert status_of(message) == MessageStatus.WITHDRAWN


def test_answer_that_was_written_before_and_came_late_stops_it(
    carrier: ScriptedTransport,
) -> None:
    message = guarded()
    make_inbound_message(message.lead, received_at=timezone.now() - timedelta(hours=2))
    run()
    assert status_of(message) == MessageStatus.WITHDRAWN


@pytest.mark.parametrize("automatic", [Automatic.OUT_OF_OFFICE, Automatic.AUTO_REPLY])
def test_program_that_answers_stops_nothing(carrier: ScriptedTransport, automatic: str) -> None:
    message = guarded()
    make_inbound_message(message.lead, automatic=automatic)
    run()
    assert status_of(message) == MessageStatus.SENT


def test_what_was_known_before_stops_nothing(carrier: ScriptedTransport) -> None:
    lead = make_reachable_lead()
    make_inbound_message(lead)
    make_inbound_message()
    message = guarded(lead=lead)
    run()
    assert status_of(message) == MessageStatus.SENT


def test_message_that_answers_somebody_is_stopped_by_nothing(carrier: ScriptedTransport) -> None:
    message = make_message()
    make_inbound_message(message.lead)
    run()
    assert status_of(message) == MessageStatus.SENT


# --- While something has just come in -----------------------------------------------------------


@pytest.fixture
def delivery(tenant: Tenant) -> Inbound:
    """Something that has come in, and was not read yet."""
    account = default_account("whatsapp")
    assert account
    inbound = store_inbound(account, b"{}")
    assert inbound
    return inbound


def test_it_waits_until_what_has_come_in_is_read(
    carrier: ScriptedTransport, delivery: Inbound
) -> None:
    message = guarded()
    with pytest.raises(Postpone, match="read first"):
        deliver(message.pk)
    assert (status_of(message), message.attempts) == (MessageStatus.QUEUED, 0)
    take_in(delivery.pk)
    delivery.refresh_from_db()
    assert delivery.taken_in_at
    deliver(message.pk)
    assert status_of(message) == MessageStatus.SENT


def test_what_cannot_be_read_holds_nobody_up_for_long(
    carrier: ScriptedTransport, delivery: Inbound
) -> None:
    Inbound.objects.update(received_at=timezone.now() - SOON_READ)
    message = guarded()
    deliver(message.pk)
    assert status_of(message) == MessageStatus.SENT


def test_what_people_write_waits_for_nothing(carrier: ScriptedTransport, delivery: Inbound) -> None:
    message = make_message()
    deliver(message.pk)
    assert status_of(message) == MessageStatus.SENT


def test_another_tenants_post_holds_nobody_up(
    carrier: ScriptedTransport, delivery: Inbound
) -> None:
    with tenant_context(make_tenant()):
        message = guarded()
        deliver(message.pk)
        assert status_of(message) == MessageStatus.SENT


# --- In time ------------------------------------------------------------------------------------


def test_message_that_could_not_go_in_time_stays(carrier: ScriptedTransport) -> None:
    now = timezone.now()
    late = make_message(not_after=now - timedelta(seconds=1))
    in_time = make_message(not_after=now + timedelta(hours=1))
    run()
    assert [status_of(late), status_of(in_time)] == [MessageStatus.WITHDRAWN, MessageStatus.SENT]
    assert [each["reason"] for each in told()] == [Withdrawal.LATE]


def test_failed_message_that_is_replayed_too_late_stays_failed(
    carrier: ScriptedTransport,
) -> None:
    message = make_message(not_after=timezone.now() - timedelta(seconds=1))
    record_status(message.pk, MessageStatus.FAILED, reason="full")
    with pytest.raises(Permanent, match="in time"):
        deliver(message.pk)
    assert (status_of(message), carrier.calls) == (MessageStatus.FAILED, [])


# --- At once ------------------------------------------------------------------------------------


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return int(cursor.fetchone()[0]) > 0


def test_withdrawal_waits_for_a_call_that_is_being_noted(
    tenant: Tenant, carrier: ScriptedTransport
) -> None:
    message = make_message()

    def withdraw() -> list[Any]:
        with tenant_context(tenant):
            return withdraw_messages([message.pk], "late")

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            Message.objects.filter(pk=message.pk).update(sending_since=timezone.now())
            other = threads.submit(in_own_connection, withdraw)
            wait_until(_somebody_waits, "the withdrawal waits")
        assert other.result() == []
    assert status_of(message) == MessageStatus.QUEUED
