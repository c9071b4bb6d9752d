"""What becomes of queued messages, through the real engine."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from channels.delivering import MOST_ATTEMPTS, deliver
from channels.models import Account, Message, MessageStatus
from channels.receiving import take_in_report
from channels.services import record_status
from channels.services.messages import SENT_AGAIN
from channels.services.outcomes import LONGEST_LATENCY
from channels.testing import carried_by
from channels.transports import Outgoing, Receipt, Report, TransportError
from channels.transports.registry import forget_transport
from events import Permanent, replay_event
from events.external import run_delivery
from events.models import Attempt, Breaker, Delivery, Event, EventStatus
from events.settling import settle
from tests.channels.factories import (
    ScriptedTransport,
    make_inbound_message,
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
    sending = Delivery.objects.filter(handler="deliver_message")
    run_delivery(sending.get().pk)
    delivery = sending.get()
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
    # A late report about the first try names the number of that one.
    assert [call.attempt for call in transport.calls] == [1, 2]
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
    ("trouble", "shown"),
    [
        (TransportError("timed out", unknown=True), "timed out"),
        (ZeroDivisionError("a bug"), "ZeroDivisionError"),
    ],
)
def test_unknown_outcome_is_shown_and_never_sent_again(
    settle_events: Settle, trouble: Exception, shown: str
) -> None:
    transport = ScriptedTransport(trouble, None)
    with carried_by(transport, "email"):
        message = make_message()
        settle_events()
        replay_event(queued_event(message).id, reason="impatience", include_external=True)
        settle_events()
    message.refresh_from_db()
    assert (message.status, len(transport.calls)) == (MessageStatus.UNKNOWN, 1)
    assert shown in message.error
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
    # What was cut short did not speak for the server.
    assert Breaker.objects.get().failures == 1


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


# --- What is told of failures -------------------------------------------------------------------

TOKEN = "EAAG-very-secret"


class Careless(ScriptedTransport):
    """Puts its account's token into what it raises."""

    def __init__(self, *, foresees: bool) -> None:
        super().__init__(None)
        self.foresees = foresees

    def send(self, account: Account, outgoing: Outgoing) -> Receipt:
        """Break as a client of HTTP breaks."""
        try:
            raise ValueError(f"illegal header value: Bearer {TOKEN}")
        except ValueError as error:
            if self.foresees:
                raise TransportError("the server cannot be asked", permanent=True) from error
            raise LookupError(f"https://user:{TOKEN}@example.com") from error


@pytest.mark.parametrize(
    ("foresees", "shown"), [(True, "the server cannot be asked"), (False, "LookupError")]
)
def test_failure_shows_where_it_was_and_no_secret(
    settle_events: Settle, foresees: bool, shown: str
) -> None:
    with carried_by(Careless(foresees=foresees), "email"):
        message = make_message()
        settle_events()
    message.refresh_from_db()
    attempt = Attempt.objects.get(delivery__event=queued_event(message))
    told = [message.error, queued_event(message).error_message, attempt.error]
    assert all(shown in each for each in told)
    assert "in send" in attempt.traceback
    assert not any(TOKEN in each for each in [*told, attempt.traceback])


def test_transport_that_is_not_there_any_more_fails_its_messages(settle_events: Settle) -> None:
    with carried_by(ScriptedTransport(None), "email"):
        message = make_message()
        forget_transport(ScriptedTransport.name)
        settle_events()
    message.refresh_from_db()
    assert (message.status, message.attempts) == (MessageStatus.FAILED, 0)
    assert "scripted" in message.error


def test_message_gives_up_itself_though_a_worker_was_lost_before(settle_events: Settle) -> None:
    message = make_message(make_reachable_lead("down.bob@example.com"))
    settle([queued_event(message).id])
    Delivery.objects.update(attempts=1, failures=1)
    settle_events()
    message.refresh_from_db()
    assert (message.status, message.attempts) == (MessageStatus.FAILED, MOST_ATTEMPTS)


# --- What the database does meanwhile -----------------------------------------------------------


class Lonely(ScriptedTransport):
    """Answers when the connection to the database is gone."""

    def send(self, account: Account, outgoing: Outgoing) -> Receipt:
        """Lose the connection, and answer as scripted."""
        connection.connection.close()
        return super().send(account, outgoing)


@pytest.mark.parametrize(
    ("answer", "status"), [(None, MessageStatus.SENT), (refused(), MessageStatus.FAILED)]
)
def test_answer_is_recorded_once_the_database_is_back(
    settle_events: Settle, answer: Exception | None, status: str
) -> None:
    transport = Lonely(answer)
    with carried_by(transport, "email"):
        message = make_message()
        settle_events()
    message.refresh_from_db()
    assert (message.status, len(transport.calls)) == (status, 1)


# --- Replays ------------------------------------------------------------------------------------


def replay(message: Message, settle_events: Settle) -> None:
    queued, handlers = queued_event(message), ["deliver_message"]
    replay_event(queued.id, reason="again", handlers=handlers, include_external=True)
    settle_events()


def test_late_report_of_a_try_before_the_replay_is_not_about_the_replay(
    settle_events: Settle,
) -> None:
    lost = TransportError("nobody knows", unknown=True)
    with carried_by(ScriptedTransport(refused(), lost), "email"):
        message = make_message()
        settle_events()
        replay(message, settle_events)
    message.refresh_from_db()
    assert message.status == MessageStatus.UNKNOWN
    assert message.account
    for attempt, status in ((1, MessageStatus.UNKNOWN), (2, MessageStatus.DELIVERED)):
        told = Report("delivered", vendor_id="v", message_id=message.pk, attempt=attempt)
        take_in_report(message.account, told)
        message.refresh_from_db()
        assert message.status == status


def test_tries_are_counted_anew_for_a_replay(settle_events: Settle) -> None:
    busy = [TransportError("busy")] * (MOST_ATTEMPTS - 1)
    with carried_by(ScriptedTransport(refused(), *busy, None), "email"):
        message = make_message()
        settle_events()
        replay(message, settle_events)
    message.refresh_from_db()
    assert (message.status, message.attempts) == (MessageStatus.SENT, MOST_ATTEMPTS + 1)


def test_replay_of_what_failed_after_it_was_sent_tells_that_it_was_sent_again(
    settle_events: Settle,
) -> None:
    with carried_by(ScriptedTransport(None), "email"):
        message = make_message()
        settle_events()
        record_status(message.pk, MessageStatus.FAILED, reason="mailbox full")
        settle_events()
        # It was processed: an admin who names it sends it anew.
        replay(message, settle_events)
    sent = Event.objects.filter(type="message.sent").order_by("position")
    message.refresh_from_db()
    assert (len(sent), message.status) == (2, MessageStatus.SENT)
    assert sent[1].occurred_at == message.sent_at != sent[0].occurred_at


def test_message_that_waited_for_weeks_is_sent_all_the_same(settle_events: Settle) -> None:
    message = make_message()
    Message.objects.update(created_at=timezone.now() - timedelta(days=40))
    settle_events()
    message.refresh_from_db()
    assert (message.status, message.latency_ms) == (MessageStatus.SENT, LONGEST_LATENCY)


def test_replay_is_measured_from_its_own_call(settle_events: Settle) -> None:
    with carried_by(ScriptedTransport(refused(), None), "email"):
        message = make_message()
        settle_events()
        Message.objects.update(created_at=timezone.now() - timedelta(days=3))
        replay(message, settle_events)
    message.refresh_from_db()
    assert message.latency_ms is not None
    assert message.latency_ms < 3_600_000


def test_what_a_colleague_has_sent_again_is_not_sent_by_a_replay(settle_events: Settle) -> None:
    transport = ScriptedTransport(refused(), None)
    with carried_by(transport, "email"):
        message = make_message()
        settle_events()
        Message.objects.update(details={SENT_AGAIN: True})
        replay(message, settle_events)
    assert len(transport.calls) == 1
    assert queued_event(message).status == EventStatus.FAILED


# --- Reports that overtake the answer -----------------------------------------------------------


class Overtaken(ScriptedTransport):
    """Takes a message over whose failure is told before it has said so."""

    def send(self, account: Account, outgoing: Outgoing) -> Receipt:
        """Tell, then answer."""
        record_status(outgoing.message_id, MessageStatus.FAILED, reason="no such number")
        return super().send(account, outgoing)


def test_failure_that_overtakes_the_answer_is_no_answer_to_the_lead(settle_events: Settle) -> None:
    inbound = make_inbound_message()
    with carried_by(Overtaken(None), "email"):
        message = make_message(inbound.lead)
        settle_events()
    message.refresh_from_db()
    assert (message.status, message.error) == (MessageStatus.FAILED, "no such number")
    assert (message.latency_ms, message.answer_ms) == (None, None)
    assert message.conversation.waiting_since == inbound.created_at
