"""What becomes of queued messages, through the real engine."""

from collections.abc import Callable

import pytest

from channels.delivering import MOST_ATTEMPTS, deliver
from channels.models import Message, MessageStatus
from channels.services import record_status
from channels.testing import carried_by
from channels.transports import TransportError
from events import Permanent, replay_event
from events.external import run_delivery
from events.models import Delivery, Event, EventStatus
from events.settling import settle
from tests.channels.factories import (
    ScriptedTransport,
    make_message,
    make_reachable_lead,
    refused,
)

Settle = Callable[[], int]

pytestmark = pytest.mark.usefixtures("transactional_db", "tenant")


def events_of(message: Message) -> list[str]:
    events = Event.objects.filter(payload__message_id=str(message.id)).order_by("position")
    return list(events.values_list("type", flat=True))


def queued_event(message: Message) -> Event:
    event: Event = Event.objects.get(type="message.queued", payload__message_id=str(message.id))
    return event


def test_message_is_sent_and_its_latency_measured(settle_events: Settle) -> None:
    message = make_message()
    settle_events()
    message.refresh_from_db()
    sent = Event.objects.get(type="message.sent")
    assert (message.status, message.transport) == (MessageStatus.SENT, "sandbox")
    assert message.latency_ms == sent.payload["latency_ms"] >= 0
    assert message.latency_ms == round(
        (sent.occurred_at - message.created_at).total_seconds() * 1e3
    )
    assert sent.payload["success"] is True
    assert sent.payload["lead_id"] == str(message.lead_id)
    assert (sent.payload["channel"], sent.payload["message_type"]) == ("email", "text")
    assert sent.cause_id == queued_event(message).id


def test_permanent_refusal_fails_message_and_event_with_the_reason(settle_events: Settle) -> None:
    message = make_message(make_reachable_lead("bounce.bob@example.com"))
    settle_events()
    message.refresh_from_db()
    failed = Event.objects.get(type="message.failed")
    event = queued_event(message)
    assert (message.status, message.permanent) == (MessageStatus.FAILED, True)
    assert "does not exist" in message.error
    assert failed.payload["reason"] == message.error
    assert (failed.payload["permanent"], failed.payload["attempts"]) == (True, 1)
    assert event.status == EventStatus.FAILED
    assert message.error in event.error_message
    assert events_of(message) == ["message.queued", "message.failed"]


def test_temporary_refusal_is_tried_again(settle_events: Settle) -> None:
    message = make_message(make_reachable_lead("busy.bob@example.com"))
    settle_events()
    message.refresh_from_db()
    assert (message.status, message.attempts, message.error) == (MessageStatus.SENT, 3, "")
    assert events_of(message) == ["message.queued", "message.sent"]


def test_wait_that_the_vendor_asks_for_is_kept() -> None:
    message = make_message(make_reachable_lead("busy.bob@example.com"))
    settle([queued_event(message).id])
    run_delivery(Delivery.objects.get().pk)
    delivery = Delivery.objects.get()
    assert delivery.next_attempt_at
    assert delivery.finished_at
    waited = delivery.next_attempt_at - delivery.finished_at
    message.refresh_from_db()
    assert (waited.total_seconds(), message.status) == (2.0, MessageStatus.QUEUED)
    assert message.error == "The recipient's server is busy."
    assert message.sending_since is None


def test_message_is_given_up_when_its_tries_run_out(settle_events: Settle) -> None:
    message = make_message(make_reachable_lead("down.bob@example.com"))
    settle_events()
    message.refresh_from_db()
    failed = Event.objects.get(type="message.failed")
    assert (message.status, message.attempts) == (MessageStatus.FAILED, MOST_ATTEMPTS)
    assert failed.payload["permanent"] is False
    assert queued_event(message).status == EventStatus.FAILED


def test_replay_sends_a_failed_message_once_its_cause_is_gone(settle_events: Settle) -> None:
    transport = ScriptedTransport(refused(), None)
    with carried_by(transport, "email"):
        message = make_message()
        settle_events()
        replay_event(queued_event(message).id, reason="mailbox made", include_external=True)
        settle_events()
    message.refresh_from_db()
    assert (message.status, message.failed_at, message.error) == (MessageStatus.SENT, None, "")
    assert [call.attempt for call in transport.calls] == [1, 1]
    assert events_of(message) == ["message.queued", "message.failed", "message.sent"]
    assert queued_event(message).status == EventStatus.PROCESSED


def test_second_failure_of_a_replayed_message_is_told_too(settle_events: Settle) -> None:
    with carried_by(ScriptedTransport(refused("first"), refused("second")), "email"):
        message = make_message()
        settle_events()
        replay_event(queued_event(message).id, reason="try", include_external=True)
        settle_events()
    failures = Event.objects.filter(type="message.failed").order_by("position")
    assert [event.payload["reason"] for event in failures] == ["first", "second"]


def test_replay_without_external_effects_sends_nothing(settle_events: Settle) -> None:
    transport = ScriptedTransport(refused())
    with carried_by(transport, "email"):
        message = make_message()
        settle_events()
        replay_event(queued_event(message).id, reason="numbers were wrong")
        settle_events()
    assert len(transport.calls) == 1


def test_sent_message_is_not_sent_again(settle_events: Settle) -> None:
    transport = ScriptedTransport(None)
    with carried_by(transport, "email"):
        message = make_message()
        settle_events()
        replay_event(
            queued_event(message).id,
            reason="by mistake",
            handlers=["deliver_message"],
            include_external=True,
        )
        settle_events()
    assert len(transport.calls) == 1
    assert events_of(message) == ["message.queued", "message.sent"]


@pytest.mark.parametrize(
    "trouble", [TransportError("timed out", unknown=True), ZeroDivisionError("a bug")]
)
def test_unknown_outcome_is_shown_and_never_sent_again(
    settle_events: Settle, trouble: Exception
) -> None:
    transport = ScriptedTransport(trouble, None)
    with carried_by(transport, "email"):
        message = make_message()
        settle_events()
        replay_event(queued_event(message).id, reason="impatience", include_external=True)
        settle_events()
    message.refresh_from_db()
    assert (message.status, len(transport.calls)) == (MessageStatus.UNKNOWN, 1)
    assert str(trouble) in message.error
    assert events_of(message) == ["message.queued"]
    assert queued_event(message).status == EventStatus.FAILED


def test_worker_that_died_during_the_call_leaves_the_outcome_unknown(
    settle_events: Settle,
) -> None:
    class WorkerDies(BaseException):
        pass

    transport = ScriptedTransport(WorkerDies())  # type: ignore[arg-type]
    message = make_message()
    with carried_by(transport, "email"):
        with pytest.raises(WorkerDies):
            deliver(message.id)
        settle_events()
    message.refresh_from_db()
    assert (message.status, len(transport.calls)) == (MessageStatus.UNKNOWN, 1)
    assert "interrupted" in message.error
    assert queued_event(message).status == EventStatus.FAILED


def test_report_of_the_vendor_settles_an_unknown_outcome(settle_events: Settle) -> None:
    message = make_message(make_reachable_lead("lost.bob@example.com"))
    settle_events()
    message.refresh_from_db()
    assert message.status == MessageStatus.UNKNOWN
    record_status(message.id, MessageStatus.DELIVERED)
    message.refresh_from_db()
    assert (message.status, message.error) == (MessageStatus.DELIVERED, "")
    assert events_of(message) == ["message.queued", "message.delivered"]


def test_message_of_a_deleted_lead_is_not_sent(settle_events: Settle) -> None:
    transport = ScriptedTransport(None)
    message = make_message()
    with carried_by(transport, "email"):
        message.lead.delete()
        with pytest.raises(Permanent, match="deleted"):
            deliver(message.id)
    assert transport.calls == []
