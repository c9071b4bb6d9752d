"""Messages on their way to WhatsApp, through the real engine: what each answer leads to."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from channels.models import (
    Account,
    AddressStanding,
    Identity,
    Message,
    MessageStatus,
    MessageTemplate,
)
from channels.services import send_message
from channels.services.accounts import resume_account
from events.external import run_delivery
from events.models import Delivery, Event, EventStatus
from events.settling import settle
from tests.channels.whatsapp import calls
from tests.channels.whatsapp.emulator import Emulator
from tests.channels.whatsapp.errors_of_meta import HELD_BACK, OF_A_MESSAGE, OF_THE_ACCOUNT, PASSING
from tests.channels.whatsapp.factories import ANNAS_NUMBER, hear_from_anna, take_in_call

pytestmark = pytest.mark.usefixtures("transactional_db", "tenant")
Settle = Callable[[], int]


@pytest.fixture
def answer(emulator: Emulator, account: Account, settle_events: Settle) -> Message:
    """An answer to Anna that waits to be sent."""
    lead = hear_from_anna(account).lead
    settle_events()
    return send_message(lead, channel="whatsapp", body="Hi Anna")


def queued_event(message: Message) -> Event:
    event: Event = Event.objects.get(type="message.queued", payload__message_id=str(message.id))
    return event


def try_once(message: Message) -> Delivery:
    """Let a worker try it, and see what the engine makes of that."""
    settle([queued_event(message).id])
    delivery = Delivery.objects.get(handler="deliver_message", event=queued_event(message))
    run_delivery(delivery.pk)
    delivery.refresh_from_db()
    message.refresh_from_db()
    return delivery


def test_message_is_sent_and_its_reports_take_it_to_read(
    emulator: Emulator, account: Account, answer: Message, settle_events: Settle
) -> None:
    settle_events()
    answer.refresh_from_db()
    assert (answer.status, answer.transport) == (MessageStatus.SENT, "whatsapp")
    [posted] = emulator.posted
    assert posted["biz_opaque_callback_data"] == f"{answer.pk}.1"
    assert answer.vendor_id in emulator.sent
    for name in ("read", "delivered", "sent"):
        take_in_call(account, calls.statuses_call(calls.status(answer.vendor_id, name)))
    answer.refresh_from_db()
    assert answer.status == MessageStatus.READ
    assert answer.latency_ms is not None
    assert answer.answer_ms is not None


@pytest.mark.parametrize("code", PASSING)
def test_passing_error_is_tried_again(
    emulator: Emulator, answer: Message, settle_events: Settle, code: int
) -> None:
    emulator.refuse(code, 500 if code < 100 else 400)
    settle_events()
    answer.refresh_from_db()
    assert (answer.status, answer.attempts, answer.error) == (MessageStatus.SENT, 2, "")
    trackers = [posted["biz_opaque_callback_data"] for posted in emulator.posted]
    assert trackers == [f"{answer.pk}.1", f"{answer.pk}.2"]


@pytest.mark.parametrize(("code", "seconds"), HELD_BACK.items())
def test_what_is_held_back_waits_as_long_as_it_has_to(
    emulator: Emulator, answer: Message, code: int, seconds: float
) -> None:
    emulator.refuse(code)
    delivery = try_once(answer)
    assert delivery.next_attempt_at
    assert delivery.finished_at
    waits = delivery.next_attempt_at - delivery.finished_at
    assert waits == timedelta(seconds=seconds)
    assert answer.status == MessageStatus.QUEUED
    assert str(code) in answer.error


@pytest.mark.parametrize("code", OF_A_MESSAGE)
def test_refused_message_fails_with_the_reason(
    emulator: Emulator, answer: Message, settle_events: Settle, code: int
) -> None:
    emulator.refuse(code, details="Meta's own words.")
    settle_events()
    answer.refresh_from_db()
    failed = Event.objects.get(type="message.failed")
    assert (answer.status, answer.permanent) == (MessageStatus.FAILED, True)
    assert "Meta's own words." in failed.payload["reason"]
    assert queued_event(answer).status == EventStatus.FAILED
    assert len(emulator.posted) == 1
    account = Account.objects.get(pk=answer.account_id)
    assert account.stopped_at is None
    assert "Meta's own words." in account.last_error


def test_who_wants_no_marketing_is_not_written_to_again(
    emulator: Emulator, answer: Message, settle_events: Settle
) -> None:
    emulator.refuse(131050)
    settle_events()
    answer.refresh_from_db()
    assert answer.status == MessageStatus.FAILED
    standing = AddressStanding.objects.get(address=ANNAS_NUMBER)
    assert (standing.opt_out_source, bool(standing.opted_out_at)) == ("vendor", True)


def test_template_that_meta_has_paused_is_marked(
    emulator: Emulator, answer: Message, settle_events: Settle
) -> None:
    row = MessageTemplate(
        name="Order", channel="whatsapp", language="de", body="Hallo", vendor_name="order",
        vendor_language="de", vendor_status="approved",
    )  # fmt: skip
    row.save()
    details = {"name": "order", "language": "de", "variables": ["Anna"]}
    settle_events()
    emulator.refuse(132015)
    kind = {"message_type": "template", "details": details}
    send_message(answer.lead, channel="whatsapp", body="Hallo", **kind)  # type: ignore[arg-type]
    settle_events()
    row.refresh_from_db()
    assert row.vendor_status == "paused"


@pytest.mark.parametrize("code", OF_THE_ACCOUNT)
def test_refused_account_is_stopped_and_its_messages_wait(
    emulator: Emulator, account: Account, answer: Message, code: int
) -> None:
    emulator.refuse(code, 403)
    delivery = try_once(answer)
    account.refresh_from_db()
    assert account.stopped_at
    assert str(code) in account.stopped_reason
    assert (answer.status, answer.attempts) == (MessageStatus.QUEUED, 0)
    assert delivery.next_attempt_at
    other = send_message(answer.lead, channel="whatsapp", body="Another")
    try_once(other)
    assert len(emulator.posted) == 1, "nobody calls for a stopped account"
    assert Event.objects.filter(type="account.stopped").count() == 1


def test_messages_go_out_once_the_account_is_used_again(
    emulator: Emulator, account: Account, answer: Message, settle_events: Settle
) -> None:
    emulator.refuse(190, 401)
    try_once(answer)
    resume_account(account)
    Delivery.objects.update(next_attempt_at=timezone.now())
    settle_events()
    answer.refresh_from_db()
    assert (answer.status, answer.attempts) == (MessageStatus.SENT, 1)


@pytest.mark.parametrize("trouble", ["cut", "cut_answer"])
def test_unknown_outcome_is_settled_by_the_webhook_and_never_sent_again(
    emulator: Emulator, account: Account, answer: Message, settle_events: Settle, trouble: str
) -> None:
    getattr(emulator, trouble)()
    settle_events()
    answer.refresh_from_db()
    assert answer.status == MessageStatus.UNKNOWN
    [(vendor_id, posted)] = emulator.sent.items()
    tracker = posted["biz_opaque_callback_data"]
    item = calls.status(vendor_id, "delivered", biz_opaque_callback_data=tracker)
    take_in_call(account, calls.statuses_call(item))
    settle_events()
    answer.refresh_from_db()
    assert (answer.status, answer.vendor_id) == (MessageStatus.DELIVERED, vendor_id)
    assert len(emulator.posted) == 1


def test_answer_comes_from_the_id_that_meta_told(
    emulator: Emulator, account: Account, answer: Message, settle_events: Settle
) -> None:
    Identity.objects.all().delete()
    settle_events()
    assert Identity.objects.get().external_id == calls.ANNA
    assert Identity.objects.get().lead == answer.lead


def test_window_that_closed_while_it_waited_lets_no_text_out(
    emulator: Emulator, answer: Message, settle_events: Settle
) -> None:
    day_ago = timezone.now() - timedelta(hours=25)
    Message.objects.filter(direction="inbound").update(created_at=day_ago)
    settle_events()
    answer.refresh_from_db()
    assert answer.status == MessageStatus.FAILED
    assert emulator.posted == []


def test_burst_to_one_person_keeps_to_the_pace_of_the_pair(
    emulator: Emulator, answer: Message
) -> None:
    more = [send_message(answer.lead, channel="whatsapp", body=str(each)) for each in range(7)]
    waits = [try_once(message).next_attempt_at for message in (answer, *more)]
    assert len(emulator.posted) == 5
    assert [wait is None for wait in waits] == [True] * 5 + [False] * 3
    assert {message.attempts for message in more[4:]} == {0}
