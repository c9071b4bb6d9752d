"""Messages that may not go now wait untried; those that may never go fail with the reason."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from channels.admission import PATIENCE, POLICY
from channels.delivering import deliver
from channels.models import Account, Channel, Message, MessageStatus, MessageType, Pace, Purpose
from channels.services import send_message
from channels.services.accounts import (
    connect_account,
    default_account,
    resume_account,
    stop_account,
)
from channels.services.consent import mark_bounced, opt_in, opt_out
from channels.testing import carried_by
from channels.transports import AccountRefused, TransportError
from channels.transports.interface import Limits
from events import Permanent, Postpone
from events.external import run_due, sweep
from events.models import Breaker, Delivery, DeliveryStatus, Event
from events.settling import settle
from salesflow.accounts.models import Tenant
from tests.channels.factories import (
    ScriptedTransport,
    make_inbound_message,
    make_message,
    make_reachable_lead,
)

Settle = Callable[[], int]

pytestmark = pytest.mark.usefixtures("transactional_db", "tenant")


class Paced(ScriptedTransport):
    """Takes everything, one message a minute to one recipient."""

    limits = Limits(pair_interval=60.0)


class Windowed(ScriptedTransport):
    """Takes everything, but free text for a day alone."""

    window_hours: int | None = 24


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


def delivery_of(message: Message) -> Delivery:
    return Delivery.objects.get(
        event__payload__message_id=str(message.pk), handler="deliver_message"
    )


def seconds_until_next(message: Message) -> float:
    due = delivery_of(message).next_attempt_at
    assert due
    return (due - timezone.now()).total_seconds()


def status_of(message: Message) -> str:
    message.refresh_from_db()
    return message.status


# --- Limits -------------------------------------------------------------------------------------


def test_message_beyond_the_limit_waits_for_its_place_and_burns_no_attempt() -> None:
    with carried_by(Paced(None), Channel.EMAIL):
        lead = make_reachable_lead()
        first, second = make_message(lead), make_message(lead)
        run()
        # The later one may have looked before the earlier one had gone.
        Delivery.objects.filter(status=DeliveryStatus.PENDING).update(next_attempt_at=Now())
        run()
        assert [status_of(first), status_of(second)] == [MessageStatus.SENT, MessageStatus.QUEUED]
        assert 50 < seconds_until_next(second) <= 60
        assert (second.attempts, delivery_of(second).attempts) == (0, 0)
        assert second.slot_at
        second.slot_at = timezone.now()
        second.save(update_fields=["slot_at"])
        Delivery.objects.filter(status=DeliveryStatus.PENDING).update(next_attempt_at=Now())
        run()
        assert status_of(second) == MessageStatus.SENT


def test_place_is_drawn_once_however_often_it_is_looked_at() -> None:
    with carried_by(Paced(None), Channel.EMAIL):
        lead = make_reachable_lead()
        make_message(lead)
        run()
        waiting = make_message(lead)
        run()
        drawn = Pace.objects.values_list("next_at", flat=True).get()
        for _look in range(3):
            with pytest.raises(Postpone):
                deliver(waiting.pk)
        assert Pace.objects.values_list("next_at", flat=True).get() == drawn


def test_others_do_not_wait_for_a_recipients_limit() -> None:
    with carried_by(Paced(None), Channel.EMAIL):
        messages = [make_message() for _lead in range(3)]
        run()
        assert {status_of(message) for message in messages} == {MessageStatus.SENT}


def test_messages_of_a_conversation_go_in_the_order_in_which_they_were_written(
    carrier: ScriptedTransport,
) -> None:
    lead = make_reachable_lead()
    first, second = make_message(lead, body="one"), make_message(lead, body="two")
    with pytest.raises(Postpone):
        deliver(second.pk)
    deliver(first.pk)
    deliver(second.pk)
    assert [call.body for call in carrier.calls] == ["one", "two"]


def test_order_is_kept_when_an_account_that_was_stopped_is_used_again(
    carrier: ScriptedTransport,
) -> None:
    account = default_account(Channel.EMAIL)
    assert account
    stop_account(account.pk, "the token has expired")
    lead = make_reachable_lead()
    first, second = make_message(lead, body="one"), make_message(lead, body="two")
    run()
    hour = timedelta(hours=1)
    for message in (first, second):
        message.created_at -= hour
        message.save(update_fields=["created_at"])
    resume_account(account)
    # The later one is looked at first.
    with pytest.raises(Postpone):
        deliver(second.pk)
    deliver(first.pk)
    deliver(second.pk)
    assert [call.body for call in carrier.calls] == ["one", "two"]


def test_message_that_never_goes_holds_nobody_up_for_long(carrier: ScriptedTransport) -> None:
    lead = make_reachable_lead()
    _stuck, message = make_message(lead), make_message(lead, body="two")
    with pytest.raises(Postpone):
        deliver(message.pk)
    Message.objects.filter(pk=message.pk).update(held_since=timezone.now() - 2 * PATIENCE)
    deliver(message.pk)
    assert [call.body for call in carrier.calls] == ["two"]


def test_message_of_another_account_is_not_waited_for(carrier: ScriptedTransport) -> None:
    lead = make_reachable_lead()
    other = connect_account(channel="email", transport="scripted", name="Other", is_default=False)
    waits, message = make_message(lead), make_message(lead, account=other)
    assert waits.account != other
    deliver(message.pk)
    assert status_of(message) == MessageStatus.SENT


# --- Accounts -----------------------------------------------------------------------------------


def test_stopped_account_sends_nothing_until_it_is_resumed(carrier: ScriptedTransport) -> None:
    account = default_account(Channel.EMAIL)
    assert account
    stop_account(account.pk, "the token has expired")
    stop_account(account.pk, "again")
    message = make_message()
    run()
    assert (status_of(message), message.attempts, carrier.calls) == (MessageStatus.QUEUED, 0, [])
    stopped = Event.objects.get(type="account.stopped")
    assert stopped.payload["reason"] == "the token has expired"
    resume_account(account)
    Delivery.objects.filter(status=DeliveryStatus.PENDING).update(next_attempt_at=Now())
    run()
    assert status_of(message) == MessageStatus.SENT


def test_vendor_that_refuses_the_account_stops_it_and_no_message_suffers() -> None:
    transport = ScriptedTransport(AccountRefused("the token has expired"))
    with carried_by(transport, Channel.EMAIL):
        messages = [make_message() for _lead in range(3)]
        run()
        assert {status_of(message) for message in messages} == {MessageStatus.QUEUED}
        assert {message.attempts for message in messages} == {0}
        assert len(transport.calls) == 1
    account = default_account(Channel.EMAIL)
    assert account
    assert account.stopped_reason == account.last_error == "the token has expired"


def test_broken_server_of_one_account_stops_no_other(tenant: Tenant) -> None:
    broken = ScriptedTransport(TransportError("connection refused"))
    with carried_by(broken, Channel.EMAIL):
        for _lead in range(POLICY.minimum):
            make_message()
        run()
        waiting = make_message()
        run()
        assert len(broken.calls) == POLICY.minimum
        assert (status_of(waiting), waiting.attempts) == (MessageStatus.QUEUED, 0)
        whatsapp = make_message(make_reachable_lead(phone="+442079460123"), channel="whatsapp")
        run()
        assert status_of(whatsapp) == MessageStatus.SENT
    [breaker] = Breaker.objects.exclude(state="closed")
    account = default_account(Channel.EMAIL)
    assert account
    assert breaker.key == f"account:{account.pk}"


def test_refused_recipients_say_nothing_against_the_server() -> None:
    refusing = ScriptedTransport(TransportError("no such mailbox", permanent=True))
    with carried_by(refusing, Channel.EMAIL):
        for _lead in range(POLICY.minimum + 2):
            make_message()
        run()
    assert len(refusing.calls) == POLICY.minimum + 2
    assert not Breaker.objects.exclude(state="closed").exists()


def test_message_of_an_account_that_was_taken_away_fails_with_that_reason(
    carrier: ScriptedTransport,
) -> None:
    message = make_message()
    Account.objects.filter(channel=Channel.EMAIL).update(is_active=False, is_default=False)
    with pytest.raises(Permanent, match="not connected"):
        deliver(message.pk)
    assert status_of(message) == MessageStatus.FAILED
    assert carrier.calls == []


# --- Consent ------------------------------------------------------------------------------------


def test_consent_is_asked_again_when_the_message_goes(carrier: ScriptedTransport) -> None:
    message = make_message()
    opt_out(message.lead, channel="email", address=message.address, source="manual")
    run()
    failed = Event.objects.get(type="message.failed")
    assert (status_of(message), carrier.calls) == (MessageStatus.FAILED, [])
    assert failed.payload["reason"] == message.error
    assert "do not want" in message.error


def test_marketing_goes_to_those_alone_for_whom_there_is_a_basis(
    carrier: ScriptedTransport,
) -> None:
    lead = make_reachable_lead()
    opt_in(lead, channel="email", address=lead.emails[0], basis="consent", source="manual")
    message = make_message(lead, purpose=Purpose.MARKETING)
    run()
    assert status_of(message) == MessageStatus.SENT
    [call] = carrier.calls
    assert call.unsubscribe_url


def test_personal_messages_carry_no_way_to_unsubscribe(carrier: ScriptedTransport) -> None:
    make_message()
    run()
    [call] = carrier.calls
    assert call.unsubscribe_url == ""


def test_bounced_address_is_not_written_to_any_more(carrier: ScriptedTransport) -> None:
    message = make_message()
    mark_bounced(
        message.lead, channel="email", address=message.address, hard=True, reason="no such user"
    )
    run()
    assert (status_of(message), carrier.calls) == (MessageStatus.FAILED, [])


def test_vendors_word_that_a_recipient_opted_out_is_kept() -> None:
    said = TransportError("they stopped marketing messages", permanent=True, opted_out=True)
    with carried_by(ScriptedTransport(said), Channel.EMAIL):
        message = make_message()
        run()
    event = Event.objects.get(type="contact.opted_out")
    assert event.payload["lead_id"] == str(message.lead_id)
    assert event.payload["source"] == "vendor"


# --- The window ---------------------------------------------------------------------------------


def make_windowed_conversation(hours: float) -> Message:
    lead = make_reachable_lead()
    account = default_account(Channel.EMAIL)
    at = timezone.now() - timedelta(hours=hours)
    return make_inbound_message(lead, account=account, received_at=at)


def test_window_that_closes_while_the_message_waits_fails_it_without_a_call() -> None:
    transport = Windowed(None)
    with carried_by(transport, Channel.EMAIL):
        inbound = make_windowed_conversation(hours=23.9)
        message = make_message(inbound.lead)
        late = timezone.now() - timedelta(hours=25)
        Message.objects.filter(pk=inbound.pk).update(created_at=late)
        run()
        assert (status_of(message), transport.calls) == (MessageStatus.FAILED, [])
        assert "24 hours" in message.error


def test_template_goes_through_a_closed_window() -> None:
    transport = Windowed(None)
    with carried_by(transport, Channel.EMAIL):
        inbound = make_windowed_conversation(hours=25)
        message = send_message(
            inbound.lead, channel="email", body="Hello", message_type=MessageType.TEMPLATE
        )
        run()
        assert status_of(message) == MessageStatus.SENT


# --- What is remembered -------------------------------------------------------------------------


def test_account_remembers_that_it_works_and_what_went_wrong() -> None:
    transport = ScriptedTransport(TransportError("try later", retry_after=60), None)
    with carried_by(transport, Channel.EMAIL):
        message = make_message()
        run()
        account = default_account(Channel.EMAIL)
        assert account
        assert (account.last_error, account.last_sent_at) == ("try later", None)
        Delivery.objects.filter(status=DeliveryStatus.PENDING).update(next_attempt_at=Now())
        run()
    assert status_of(message) == MessageStatus.SENT
    account.refresh_from_db()
    assert account.last_sent_at
    sweep()


def test_connected_account_takes_the_sandboxs_place() -> None:
    sandbox = default_account(Channel.EMAIL)
    assert sandbox
    with carried_by(ScriptedTransport(None), Channel.EMAIL):
        connected = connect_account(channel="email", transport="scripted", name="Sales")
        assert default_account(Channel.EMAIL) == connected
    assert sandbox.pk != connected.pk
