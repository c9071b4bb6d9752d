"""What came of deliveries: recorded on the rows, aggregated on the event, written in bulk."""

import os
import socket
import time
import traceback
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from events import registry
from events.failures.fingerprints import storable, text_of
from events.models import Attempt, Delivery, DeliveryStatus, Event, EventStatus
from events.retry import Postpone, RetryPolicy
from events.rows import execute, insert_rows, update_rows, upsert_rows, write_rows
from events.states import UNFINISHED, aggregate_status

log = structlog.get_logger(__name__)

# When an event is looked at again that waits for others: for an external handler, whose deliveries
# have their own times, or for the event before it.
LOOK_AGAIN = timedelta(minutes=10)

FirstSuccess = tuple[UUID, str, float]
"""Event id, handler and duration in ms of a delivery that succeeded at its first attempt."""


def worker_name() -> str:
    """Host and process that does the work, for the record."""
    return f"{socket.gethostname()}:{os.getpid()}"


def log_context(event: Event, handler: str) -> dict[str, str]:
    """What every log line about this event at this handler carries."""
    return {"event_id": str(event.id), "request_id": event.request_id, "handler": handler}


def batch_log_context(events: Sequence[Event], handler: str) -> dict[str, str | int]:
    """The same for a handler that is called with several events at once."""
    first, last = events[0], events[-1]
    if first is last:
        return {**log_context(first, handler)}
    return {
        "event_id": f"{first.id}…{last.id}",
        "events": len(events),
        "request_id": first.request_id if first.request_id == last.request_id else "",
        "handler": handler,
    }


def milliseconds_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000


def record_success(delivery: Delivery, now: datetime, duration_ms: float) -> Attempt | None:
    """Mark a delivery as succeeded; its attempt is kept where something preceded it."""
    delivery.status = DeliveryStatus.SUCCEEDED
    delivery.failures = 0
    delivery.error = ""
    _finish(delivery, now, duration_ms)
    if delivery.attempts == 1 and delivery.replay_id is None:
        return None
    return _attempt(delivery, Attempt.Status.SUCCEEDED, now, duration_ms)


def record_failure(
    delivery: Delivery, now: datetime, duration_ms: float, error: Exception
) -> Attempt:
    """Mark a delivery as failed, or as waiting for its next try."""
    handler = registry.get_handler(delivery.handler)
    delivery.failures += 1
    delivery.error = _sentence(error)
    delay = (handler.retry if handler else RetryPolicy()).delay(delivery.failures, error)
    delivery.status = DeliveryStatus.FAILED if delay is None else DeliveryStatus.PENDING
    _finish(delivery, now, duration_ms)
    delivery.next_attempt_at = None if delay is None else now + timedelta(seconds=delay)
    log.warning("handler_failed", error=delivery.error, retry_in_seconds=delay)
    attempt = _attempt(delivery, Attempt.Status.FAILED, now, duration_ms)
    attempt.error_type = type(error).__name__
    attempt.error = delivery.error
    attempt.traceback = storable("".join(traceback.format_exception(error)))
    return attempt


def record_postponement(delivery: Delivery, now: datetime, postponed: Postpone) -> None:
    """Let a delivery wait as if it had not been taken."""
    delivery.status = DeliveryStatus.PENDING
    # Who took it reports in time, so nobody else is under way with this number.
    delivery.attempts -= 1
    delivery.lease_expires_at = None
    delivery.next_attempt_at = now + timedelta(seconds=postponed.seconds)
    log.info("delivery_postponed", reason=text_of(postponed), seconds=postponed.seconds)


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {text_of(error)}"[:2000]


def _finish(delivery: Delivery, now: datetime, duration_ms: float) -> None:
    delivery.duration_ms = duration_ms
    delivery.worker = worker_name()
    delivery.finished_at = now
    delivery.next_attempt_at = None
    delivery.lease_expires_at = None


def _attempt(delivery: Delivery, status: str, now: datetime, duration_ms: float) -> Attempt:
    return Attempt(
        delivery=delivery,
        number=delivery.attempts,
        status=status,
        started_at=now - timedelta(milliseconds=duration_ms),
        duration_ms=duration_ms,
        worker=worker_name(),
        replay_id=delivery.replay_id,
    )


def aggregate(event: Event, deliveries: Iterable[Delivery], now: datetime) -> Event:
    """Give the event the status, error and due time that follow from its deliveries."""
    deliveries = list(deliveries)
    event.status = aggregate_status(delivery.status for delivery in deliveries)
    event.error_message = error_in(deliveries)
    if event.status == EventStatus.PENDING:
        event.due_at = min(_look_again_at(delivery, now) for delivery in deliveries)
        event.processed_at = None
    else:
        event.processed_at = now
    return event


def error_in(deliveries: Iterable[Delivery]) -> str:
    """What an event says of its failures: the first that stands, or is tried again."""
    errors = (
        f"{delivery.handler}: {delivery.error}" for delivery in deliveries if delivery.failures
    )
    return next(errors, "")


def _look_again_at(delivery: Delivery, now: datetime) -> datetime:
    """When a worker takes the event for this delivery's sake."""
    handler = registry.get_handler(delivery.handler)
    if delivery.status not in UNFINISHED:
        return datetime.max.replace(tzinfo=now.tzinfo)
    if delivery.next_attempt_at is None or (handler and handler.is_external):
        return now + LOOK_AGAIN
    return delivery.next_attempt_at


FIRST_SUCCESS_FIELDS = [
    "event",
    "handler",
    "status",
    "attempts",
    "failures",
    "worker",
    "duration_ms",
    "error",
    "finished_at",
]


def save_first_successes(successes: list[FirstSuccess], now: datetime) -> None:
    """Insert deliveries that succeeded at their first attempt, in one statement."""
    worker = worker_name()
    rows = [
        (event_id, handler, "succeeded", 1, 0, worker, duration_ms, "", now)
        for event_id, handler, duration_ms in successes
    ]
    write_rows(Delivery, FIRST_SUCCESS_FIELDS, rows)


DELIVERY_OUTCOME = [
    "tenant",
    "status",
    "attempts",
    "failures",
    "next_attempt_at",
    "lease_expires_at",
    "worker",
    "duration_ms",
    "error",
    "replay_id",
    "group_id",
    "finished_at",
]


def save_deliveries(deliveries: list[Delivery]) -> None:
    """Insert new deliveries and update known ones, one statement each; new ones get their ids."""
    new = [delivery for delivery in deliveries if delivery.pk is None]
    ids = upsert_rows(new, ["event", "handler"], DELIVERY_OUTCOME)
    for delivery in new:
        delivery.pk = ids[delivery.event_id, delivery.handler]
    made = {id(delivery) for delivery in new}
    update_rows([each for each in deliveries if id(each) not in made], DELIVERY_OUTCOME)


ATTEMPT_FIELDS = [
    "delivery",
    "number",
    "status",
    "started_at",
    "duration_ms",
    "error_type",
    "error",
    "traceback",
    "worker",
    "replay_id",
    "group_id",
]


def save_attempts(attempts: list[Attempt]) -> None:
    """Insert attempts of deliveries that have been saved, in one statement."""
    for attempt in attempts:
        attempt.delivery_id = attempt.delivery.pk
    insert_rows(attempts, ATTEMPT_FIELDS)


SAVE_PROCESSED = """
    UPDATE events SET status = 'processed', processed_at = %(now)s WHERE id = ANY(%(ids)b)
"""


def save_processed(events: list[Event], now: datetime) -> None:
    """Write that all handlers of these events succeeded at once, in one statement."""
    for event in events:
        event.status, event.processed_at = EventStatus.PROCESSED, now
    if events:
        execute(SAVE_PROCESSED, {"now": now, "ids": [event.id for event in events]})


def save_events(events: list[Event]) -> None:
    """Write status, error, due and settling time of many events in one statement."""
    update_rows(events, ["status", "error_message", "due_at", "processed_at"])
