"""What came of calls: written on deliveries, attempts, events, replays and breakers at once."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models.functions import Now
from django.utils import translation
from structlog.contextvars import bound_contextvars

from events import breakers, metrics, ordering, registry, tallies
from events.external.calling import Result
from events.external.leasing import Lease
from events.external.transactions import brief_transaction
from events.failures.grouping import Failure, count_failures, find_groups
from events.models import Attempt, Delivery, DeliveryStatus, Event, EventStatus
from events.nudging import after_commit, nudge_events
from events.outcomes import (
    aggregate,
    log_context,
    record_failure,
    record_postponement,
    record_success,
    save_attempts,
    save_deliveries,
    save_events,
)
from events.replays.answers import answer_replays
from events.retry import Postpone

log = structlog.get_logger(__name__)

OUTCOMES: dict[str, metrics.Outcome] = {
    DeliveryStatus.SUCCEEDED: "succeeded",
    DeliveryStatus.PENDING: "retried",
    DeliveryStatus.FAILED: "failed",
}


class LeaseLost(Exception):
    """The worker that ran an external handler did not report in time."""

    def __init__(self) -> None:
        super().__init__("worker lost: it died, froze or hung, and did not report on the call")


@dataclass(frozen=True)
class Ended:
    """A call that has ended: its delivery, which the transaction holds, and its result.

    Attributes:
        worker: who made the call.
    """

    delivery: Delivery
    result: Result
    worker: str


def report(lease: Lease, result: Result) -> bool:
    """Write what came of a call.

    Returns:
        False where the lease was lost meanwhile: the delivery is another's then and stays so.
    """
    with brief_transaction():
        event = (
            Event.unscoped.select_for_update(no_key=True)
            .annotate(read_at=Now())
            .get(pk=lease.event.pk)
        )
        now = event.read_at
        held = Delivery.objects.select_for_update(no_key=True).filter(
            pk=lease.delivery.pk, status=DeliveryStatus.RUNNING, attempts=lease.number
        )
        delivery = held.first()
        if delivery is None:
            log.warning("late_report_refused", attempt=lease.number)
            return False
        event.tenant = lease.event.tenant
        delivery.event = event
        write([Ended(delivery, result, delivery.worker)], now)
        if policy := lease.handler.breaker:
            breakers.record_call(lease.handler.name, policy, delivery.pk, result.error, now)
    return True


def write(calls: Sequence[Ended], now: datetime) -> None:
    """Write the outcome of calls, one statement a table.

    Args:
        calls: the caller holds their deliveries and events, and has read the events' tenants.
    """
    places = [place for ended in calls if (place := _place_in_order(ended))]
    ordering.lock_places(places)
    recorded = [(ended, attempt) for ended in calls if (attempt := _record(ended, now))]
    failures = [failure for each in recorded if (failure := _failure_of(*each))]
    find_groups(failures, now)
    save_deliveries([ended.delivery for ended in calls])
    save_attempts([attempt for _ended, attempt in recorded])
    _aggregate(calls, now)
    if places:
        after_commit(nudge_events, ordering.let_go(places))
    count_failures(failures, now)


def _record(ended: Ended, now: datetime) -> Attempt | None:
    delivery, result = ended.delivery, ended.result
    context = log_context(delivery.event, delivery.handler)
    tenant = delivery.event.tenant
    with bound_contextvars(**context, tenant=tenant.slug), translation.override(tenant.language):
        if isinstance(result.error, Postpone):
            record_postponement(delivery, now, result.error)
            return None
        attempt = (
            record_failure(delivery, now, result.duration_ms, result.error)
            if result.error
            else record_success(delivery, now, result.duration_ms)
        )
    delivery.worker = ended.worker
    if attempt:
        attempt.worker = ended.worker
    outcome, seconds = OUTCOMES[delivery.status], result.duration_ms / 1000
    transaction.on_commit(partial(_count_call, delivery, outcome, seconds))
    return attempt


def _failure_of(ended: Ended, attempt: Attempt) -> Failure | None:
    error = ended.result.error
    return Failure.of(ended.delivery.event.tenant_id, attempt, error) if error else None


def _count_call(delivery: Delivery, outcome: metrics.Outcome, seconds: float) -> None:
    metrics.handled(delivery.handler, outcome, 1, seconds)
    tallies.note_handled(delivery.handler, delivery.event.tenant_id, outcome, 1, seconds)


def _aggregate(calls: Sequence[Ended], now: datetime) -> None:
    """Give the events of these calls the status that follows from all of their deliveries."""
    events = {ended.delivery.event_id: ended.delivery.event for ended in calls}
    deliveries: dict[UUID, list[Delivery]] = defaultdict(list)
    for delivery in Delivery.objects.filter(event_id__in=events):
        deliveries[delivery.event_id].append(delivery)
    settled = [aggregate(event, deliveries[pk], now) for pk, event in events.items()]
    parked = [event for event in settled if _has_parked(deliveries[event.pk])]
    for event in parked:
        # While we held it, nobody could let it go.
        event.due_at = now
    after_commit(nudge_events, len(parked))
    save_events(settled)
    answer_replays(row for rows in deliveries.values() for row in rows)
    for event in settled:
        if event.status != EventStatus.PENDING:
            transaction.on_commit(partial(_count_settled, event))


def _count_settled(event: Event) -> None:
    metrics.settled(event.type, event.status)
    tallies.note_settled(event.type, event.tenant_id, event.status)


def _has_parked(deliveries: list[Delivery]) -> bool:
    """Whether one of them waits for the event before it, see `events.ordering`."""
    waiting = [delivery for delivery in deliveries if delivery.status == DeliveryStatus.PENDING]
    return any(delivery.next_attempt_at is None for delivery in waiting)


def _place_in_order(ended: Ended) -> ordering.Place | None:
    """Where this success lets successors go, if it is one and its handler is ordered."""
    handler = registry.get_handler(ended.delivery.handler)
    subject_id = ended.delivery.event.subject_id
    if ended.result.error or subject_id is None or not (handler and handler.ordered):
        return None
    return handler.name, subject_id
