"""Settling: run the database handlers of due events and write what came of it, in one transaction.

The transaction holds the events with FOR UPDATE SKIP LOCKED, so two workers never settle one
event at once, and the locks of a worker that died vanish with its connection.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import OperationalError, transaction
from django.db.models.functions import Now
from django.utils import translation
from structlog.contextvars import bound_contextvars

from events import registry
from events.context import event_context
from events.models import Attempt, Delivery, DeliveryStatus, Event, EventStatus, tenants_of
from events.nudging import after_commit, nudge_deliveries
from events.outcomes import (
    aggregate,
    answer_replays,
    log_context,
    milliseconds_since,
    record_failure,
    record_success,
    save_attempts,
    save_deliveries,
    save_events,
)
from events.registry import Handler
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant

# Deadlock detected, serialization failure. Source: PostgreSQL's manual, appendix A.
CLASHES = {"40P01", "40001"}
MOST_CLASHES = 5


def settle(event_ids: Sequence[UUID]) -> int:
    """Settle those of the events that are pending and that no other worker holds.

    Two workers whose handlers write the same rows may come to wait for each other. PostgreSQL then
    ends one of them; it lets go of all its locks and begins anew, and no handler has failed.

    Returns:
        How many events it took.

    Raises:
        OperationalError: it clashed again and again; the events stay pending.
    """
    for _clash in range(MOST_CLASHES):
        try:
            return _settle(event_ids)
        except OperationalError as error:
            if not _is_clash(error):
                raise
    return _settle(event_ids)


def _is_clash(error: Exception) -> bool:
    return getattr(error.__cause__, "sqlstate", None) in CLASHES


def _settle(event_ids: Sequence[UUID]) -> int:
    with transaction.atomic():
        batch = Batch.take(event_ids)
        if batch.events:
            batch.run_handlers()
            batch.save()
    return len(batch.events)


class LeaseLost(Exception):
    """The worker that ran an external handler did not report in time."""

    def __init__(self) -> None:
        super().__init__("worker lost: it did not report what came of the call")


@dataclass
class Work:
    """One event at one handler, in this batch."""

    event: Event
    delivery: Delivery


@dataclass
class Batch:
    """The events of one settling transaction, and what becomes of them."""

    now: datetime
    events: list[Event]
    tenants: dict[UUID, Tenant] = field(default_factory=dict)
    deliveries: dict[UUID, dict[str, Delivery]] = field(default_factory=dict)
    touched: list[Delivery] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)

    @classmethod
    def take(cls, event_ids: Sequence[UUID]) -> "Batch":
        """Lock the events, in the order in which they were published."""
        events: list[Any] = list(
            Event.unscoped.filter(id__in=event_ids, status=EventStatus.PENDING)
            .select_for_update(skip_locked=True, no_key=True)
            # The database's clock decides what is due: workers' clocks may differ.
            .annotate(read_at=Now())
            .order_by("position")
        )
        batch = cls(now=events[0].read_at if events else datetime.min, events=events)  # noqa: DTZ901
        if events:
            batch.tenants = tenants_of(events)
            batch.deliveries = _deliveries_of(events)
        return batch

    # --- Handlers -------------------------------------------------------------------------------

    def run_handlers(self) -> None:
        """Run what is due, handler by handler and tenant by tenant."""
        groups: dict[tuple[str, UUID], list[Work]] = defaultdict(list)
        for event in self.events:
            for delivery in self._due_deliveries(event):
                groups[delivery.handler, event.tenant_id].append(Work(event, delivery))
        for (name, tenant_id), works in groups.items():
            handler = registry.get_handler(name)
            if handler is None:
                self._fail(works, LookupError(f"No installed app has a handler “{name}”."))
            elif handler.is_external:
                self._hand_over(works)
            else:
                tenant = self.tenants[tenant_id]
                with tenant_context(tenant), translation.override(tenant.language):
                    self._run(handler, works)

    def _due_deliveries(self, event: Event) -> list[Delivery]:
        """The event's deliveries that may run now, those of new handlers among them."""
        known = self.deliveries.setdefault(event.id, {})
        fresh = not known
        for handler in registry.handlers_of(event.type) if fresh else ():
            known[handler.name] = Delivery(event=event, handler=handler.name)
        return [delivery for delivery in known.values() if self._is_due(delivery)]

    def _is_due(self, delivery: Delivery) -> bool:
        if delivery.status == DeliveryStatus.RUNNING:
            return bool(delivery.lease_expires_at and delivery.lease_expires_at <= self.now)
        if delivery.status != DeliveryStatus.PENDING:
            return False
        return delivery.next_attempt_at is None or delivery.next_attempt_at <= self.now

    def _run(self, handler: Handler, works: list[Work]) -> None:
        """Run one handler for events of one tenant; one that raises is isolated by halving."""
        started = time.perf_counter()
        error = _raised_by(handler, works)
        if error is None:
            self._succeed(works, milliseconds_since(started) / len(works))
        elif len(works) == 1:
            self._fail(works, error, milliseconds_since(started))
        else:
            middle = len(works) // 2
            self._run(handler, works[:middle])
            self._run(handler, works[middle:])

    def _hand_over(self, works: list[Work]) -> None:
        """Leave external deliveries to the tasks that lease them, after the commit."""
        for work in works:
            if work.delivery.status == DeliveryStatus.RUNNING:
                self._keep(work.delivery, record_failure(work.delivery, self.now, 0, LeaseLost()))
            else:
                work.delivery.next_attempt_at = self.now
                self.touched.append(work.delivery)

    # --- Outcomes -------------------------------------------------------------------------------

    def _succeed(self, works: list[Work], duration_ms: float) -> None:
        for work in works:
            work.delivery.attempts += 1
            attempt = record_success(work.delivery, self.now, duration_ms)
            self._keep(work.delivery, attempt)

    def _fail(self, works: list[Work], error: Exception, duration_ms: float = 0.0) -> None:
        for work in works:
            work.delivery.attempts += 1
            with bound_contextvars(**log_context(work.event, work.delivery.handler)):
                attempt = record_failure(work.delivery, self.now, duration_ms, error)
            self._keep(work.delivery, attempt)

    def _keep(self, delivery: Delivery, attempt: Attempt | None) -> None:
        self.touched.append(delivery)
        if attempt:
            self.attempts.append(attempt)

    # --- Writing --------------------------------------------------------------------------------

    def save(self) -> None:
        """Write deliveries, attempts and the events' aggregate, one statement a table."""
        save_deliveries(self.touched)
        save_attempts(self.attempts)
        settled = [self._settle(event) for event in self.events]
        save_events(settled)
        answer_replays(settled, (d for known in self.deliveries.values() for d in known.values()))
        due = [d.pk for d in self.touched if self._waits_for_a_lease(d)]
        if due:
            after_commit(nudge_deliveries, due)

    def _settle(self, event: Event) -> Event:
        deliveries = self.deliveries.get(event.id, {}).values()
        return aggregate(event, deliveries, self.now)

    def _waits_for_a_lease(self, delivery: Delivery) -> bool:
        handler = registry.get_handler(delivery.handler)
        return (
            delivery.status == DeliveryStatus.PENDING
            and delivery.next_attempt_at == self.now
            and handler is not None
            and handler.is_external
        )


def _raised_by(handler: Handler, works: list[Work]) -> Exception | None:
    """Call the handler in a savepoint of its own; returns what it raised.

    A clash with another worker is raised: to go back to the savepoint frees too little.
    The halves run after this has returned, so that no traceback drags along that of another event.
    """
    try:
        with transaction.atomic():
            call_handler(handler, [work.event for work in works])
    except Exception as error:  # a handler may raise anything
        if _is_clash(error):
            raise
        return error
    return None


def call_handler(handler: Handler, events: list[Event]) -> None:
    """Call a handler, in the tenant's context, with what it publishes traced to its cause."""
    if handler.batch:
        with event_context(source="handler"), bound_contextvars(handler=handler.name):
            handler.function(events)
        return
    for event in events:
        with (
            event_context(
                source="handler",
                request_id=event.request_id,
                actor_id=event.actor_id,
                cause_id=event.id,
            ),
            bound_contextvars(**log_context(event, handler.name)),
        ):
            handler.function(event)


def _deliveries_of(events: Iterable[Event]) -> dict[UUID, dict[str, Delivery]]:
    found: dict[UUID, dict[str, Delivery]] = defaultdict(dict)
    for delivery in Delivery.objects.filter(event_id__in=[event.id for event in events]):
        found[delivery.event_id][delivery.handler] = delivery
    return found
