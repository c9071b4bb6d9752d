"""A batch: the events of one settling transaction, and what becomes of them."""

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import translation
from structlog.contextvars import bound_contextvars

from events import metrics, ordering, pauses, registry, tallies, tracing
from events.context import event_context
from events.failures.grouping import Failure, count_failures, find_groups
from events.journal import Trial
from events.models import Attempt, Delivery, DeliveryStatus, Event, EventStatus, tenants_of
from events.nudging import after_commit, nudge_events, nudge_external
from events.outcomes import (
    FirstSuccess,
    aggregate,
    batch_log_context,
    log_context,
    record_failure,
    record_success,
    save_attempts,
    save_deliveries,
    save_events,
    save_first_successes,
    save_processed,
)
from events.registry import Handler
from events.replays.answers import answer_replays
from events.retry import Permanent
from events.taking import Taken, deliveries_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant

# Deadlock detected, serialization failure. Source: PostgreSQL's manual, appendix A.
CLASHES = {"40P01", "40001"}
# So many events share a savepoint where a handler takes them one by one.
ONE_BY_ONE = 50
# When a batch leaves the rest for the next one: far from the time at which its worker counts as
# frozen. In seconds.
LONGEST = settings.EVENT_BATCH_SECONDS / 4


def is_clash(error: BaseException) -> bool:
    """Whether PostgreSQL ended this transaction in favour of another."""
    return getattr(error.__cause__, "sqlstate", None) in CLASHES


@dataclass(slots=True)
class Work:
    """One event at one handler; `delivery` is None at its first try."""

    event: Event
    delivery: Delivery | None


@dataclass
class Batch:
    """The events of one settling transaction, and what becomes of them.

    A delivery that succeeds at once never becomes an object: it is a tuple in `first_successes`.

    Attributes:
        trial: of the one event of this batch, if workers have died of it.
        known: event id → handler → delivery, of events with more than successes at once.
        held_up: where an ordered handler has to wait → the event that it waits for.
        succeeded_in_order: where an ordered handler succeeded.
        calls: what handlers were called, for the metrics: name, tenant, outcome, events, seconds.
    """

    taken: Taken
    trial: Trial | None = None
    tenants: dict[UUID, Tenant] = field(default_factory=dict)
    known: dict[UUID, dict[str, Delivery]] = field(default_factory=dict)
    first_successes: list[FirstSuccess] = field(default_factory=list)
    touched: list[Delivery] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    held_up: dict[ordering.Place, ordering.Blocker] = field(default_factory=dict)
    succeeded_in_order: set[ordering.Place] = field(default_factory=set)
    calls: list[tuple[str, UUID, metrics.Outcome, int, float]] = field(default_factory=list)

    @classmethod
    def of(cls, taken: Taken, trial: Trial | None = None) -> "Batch":
        """A batch of these events, with their tenants and what is known of their deliveries."""
        batch = cls(taken, trial)
        if taken.events:
            batch.tenants = tenants_of(taken.events)
            batch.known = deliveries_of(taken.events)
        return batch

    @property
    def events(self) -> list[Event]:
        """The events, in the order in which they were published."""
        return self.taken.events

    def settle(self) -> int:
        """Run what is due and write what came of it; returns the number of events."""
        if self.events:
            works = self._due_works()
            if self.trial and self.trial.is_lost:
                self._fail_lost(works, self.trial)
            else:
                self._run_handlers(works)
            self._save()
        return len(self.events)

    # --- Handlers -------------------------------------------------------------------------------

    def _due_works(self) -> dict[tuple[str, UUID], list[Work]]:
        """What is due, by handler and tenant."""
        groups: dict[tuple[str, UUID], list[Work]] = defaultdict(list)
        for event in self.events:
            known = self.known.get(event.id)
            if known is None:
                for handler in registry.handlers_of(event.type):
                    groups[handler.name, event.tenant_id].append(Work(event, None))
                continue
            for delivery in known.values():
                if self._is_due(delivery):
                    groups[delivery.handler, event.tenant_id].append(Work(event, delivery))
        return groups

    def _is_due(self, delivery: Delivery) -> bool:
        if delivery.status != DeliveryStatus.PENDING:
            return False
        return delivery.next_attempt_at is None or delivery.next_attempt_at <= self.taken.now

    def _run_handlers(self, groups: dict[tuple[str, UUID], list[Work]]) -> None:
        ordering.lock_places(_places_of(groups))
        for (name, tenant_id), works in groups.items():
            handler, tenant = registry.get_handler(name), self.tenants.get(tenant_id)
            if name in self.taken.paused and not (handler and handler.is_external):
                self._park(name, works)
                continue
            if handler is None:
                self._fail(name, works, LookupError(f"No installed app has a handler “{name}”."))
                continue
            if tenant is None:
                self._fail(name, works, Permanent(f"There is no tenant {tenant_id} any more."))
                continue
            self._await_predecessors(handler, works)
            if handler.is_external:
                self._hand_over(handler, works)
            else:
                with tenant_context(tenant), translation.override(tenant.language):
                    self._run_in_steps(handler, works)

    def _run_in_steps(self, handler: Handler, works: list[Work]) -> None:
        """Run one handler as long as there is time; the rest stays due."""
        step = len(works) if handler.batch else ONE_BY_ONE
        for start in range(0, len(works), step):
            if self.taken.seconds > LONGEST:
                self._leave(handler, works[start:])
                return
            self._run(handler, works[start : start + step])

    def _leave(self, handler: Handler, works: list[Work]) -> None:
        for work in works:
            delivery = self._delivery_of(work, handler.name)
            delivery.next_attempt_at = self.taken.now
            self.touched.append(delivery)
        after_commit(nudge_events, len(works))

    def _run(self, handler: Handler, works: list[Work]) -> None:
        """Run one handler for events of one tenant; one that raises is isolated by halving."""
        works = [work for work in works if not self._has_to_wait(handler, work)]
        if not works:
            return
        if self.trial:
            self.trial.note_handler(handler.name)
        started = time.perf_counter()
        error = _raised_by(handler, works)
        seconds = time.perf_counter() - started
        if error is None:
            self._succeed(handler, works, seconds)
        elif len(works) == 1:
            self._fail(handler.name, works, error, seconds)
        else:
            middle = len(works) // 2
            self._run(handler, works[:middle])
            self._run(handler, works[middle:])

    def _hand_over(self, handler: Handler, works: list[Work]) -> None:
        """Leave external deliveries to the workers that lease them, after the commit.

        One that was handed over before is theirs already, and not written again.
        """
        for work in works:
            if self._has_to_wait(handler, work):
                continue
            self._hold_up(handler.name, work.event)
            delivery = self._delivery_of(work, handler.name)
            if delivery.next_attempt_at is None or delivery.tenant_id is None:
                delivery.next_attempt_at = self.taken.now
                delivery.tenant_id = work.event.tenant_id
                self.touched.append(delivery)
        after_commit(nudge_external, len(works))

    def _park(self, handler: str, works: list[Work]) -> None:
        for work in works:
            delivery = self._delivery_of(work, handler)
            pauses.park(delivery)
            self.touched.append(delivery)

    def _delivery_of(self, work: Work, handler: str) -> Delivery:
        """The work's delivery, made where it has none."""
        if work.delivery is None:
            work.delivery = Delivery(event=work.event, handler=handler)
            self.known.setdefault(work.event.id, {})[handler] = work.delivery
        return work.delivery

    # --- Order per subject ----------------------------------------------------------------------

    def _await_predecessors(self, handler: Handler, works: list[Work]) -> None:
        """Note which events of other batches an ordered handler has to wait for."""
        if handler.ordered:
            found = ordering.unfinished_others(handler, [work.event for work in works])
            for subject_id, blocker in found.items():
                self.held_up[handler.name, subject_id] = blocker

    def _has_to_wait(self, handler: Handler, work: Work) -> bool:
        """Whether an earlier event of the subject is unfinished; if so the delivery is parked.

        Behind one that was given up a replayed delivery fails, see `events.ordering`.
        """
        subject_id = work.event.subject_id
        blocker = self.held_up.get((handler.name, subject_id)) if subject_id else None
        if blocker is None or work.event.position < blocker.position:
            return False
        delivery = self._delivery_of(work, handler.name)
        if blocker.has_failed and delivery.replay_id:
            self._fail(handler.name, [work], ordering.PredecessorFailed(blocker))
        else:
            delivery.next_attempt_at = None
            delivery.error = ordering.sentence(blocker)
            self.touched.append(delivery)
        return True

    def _hold_up(self, handler: str, event: Event, *, has_failed: bool = False) -> None:
        """From here on the subject's later events wait, if the handler is an ordered one."""
        declared = registry.get_handler(handler)
        if declared and declared.ordered and event.subject_id:
            blocker = ordering.Blocker(event.position, event.id, has_failed)
            self.held_up[handler, event.subject_id] = blocker

    # --- Outcomes -------------------------------------------------------------------------------

    def _succeed(self, handler: Handler, works: list[Work], seconds: float) -> None:
        tenant_id = works[0].event.tenant_id
        self.calls.append((handler.name, tenant_id, "succeeded", len(works), seconds))
        duration_ms = seconds * 1000 / len(works)
        for work in works:
            if work.delivery is None:
                self.first_successes.append((work.event.id, handler.name, duration_ms))
            else:
                work.delivery.attempts += 1
                attempt = record_success(work.delivery, self.taken.clock(), duration_ms)
                self._keep(work.delivery, attempt)
            if handler.ordered and work.event.subject_id:
                self.succeeded_in_order.add((handler.name, work.event.subject_id))

    def _fail(
        self, handler: str, works: list[Work], error: Exception, seconds: float = 0.0
    ) -> None:
        for work in works:
            delivery = self._delivery_of(work, handler)
            delivery.attempts += 1
            with bound_contextvars(**log_context(work.event, handler)):
                attempt = record_failure(delivery, self.taken.clock(), seconds * 1000, error)
            self._keep(delivery, attempt)
            self.failures.append(Failure.of(work.event.tenant_id, attempt, error))
            gave_up = delivery.status == DeliveryStatus.FAILED
            self._hold_up(handler, work.event, has_failed=gave_up)
            outcome: metrics.Outcome = "failed" if gave_up else "retried"
            self.calls.append((handler, work.event.tenant_id, outcome, 1, seconds))

    def _fail_lost(self, groups: dict[tuple[str, UUID], list[Work]], trial: Trial) -> None:
        """Fail the handler that ends workers; the event's others run in the next batch.

        Where nobody knows which it was, it may be any that runs here; external ones never do.
        """
        for (name, _tenant), works in groups.items():
            handler = registry.get_handler(name)
            is_suspect = not trial.handler and not (handler and handler.is_external)
            if is_suspect or trial.handler == name:
                self._fail(name, works, trial.verdict())
            else:
                self.touched += [self._delivery_of(work, name) for work in works]

    def _keep(self, delivery: Delivery, attempt: Attempt | None) -> None:
        self.touched.append(delivery)
        if attempt:
            self.attempts.append(attempt)

    # --- Writing --------------------------------------------------------------------------------

    def _save(self) -> None:
        """Write deliveries, attempts and the events' aggregate, one statement a kind."""
        now = self.taken.clock()
        save_first_successes(self.first_successes, now)
        find_groups(self.failures, now)
        save_deliveries(self.touched)
        save_attempts(self.attempts)
        plain = [event for event in self.events if event.id not in self.known]
        save_processed(plain, now)
        self._save_others([event for event in self.events if event.id in self.known], now)
        if self.trial:
            self.trial.acquit(self.events[0])
        if self.succeeded_in_order:
            after_commit(nudge_events, ordering.let_go(self.succeeded_in_order))
        count_failures(self.failures, now)
        transaction.on_commit(self._count)

    def _save_others(self, events: list[Event], now: datetime) -> None:
        """Write the events with retries, failures, replays and external handlers."""
        for event in events:
            aggregate(event, self.known[event.id].values(), now)
            if self.trial and self.trial.is_lost:
                event.due_at = now
        save_events(events)
        answer_replays(d for event in events for d in self.known[event.id].values())

    def _count(self) -> None:
        for handler, tenant_id, outcome, events, seconds in self.calls:
            metrics.handled(handler, outcome, events, seconds)
            tallies.note_handled(handler, tenant_id, outcome, events, seconds)
        final = [event for event in self.events if event.status != EventStatus.PENDING]
        counts = Counter((event.type, event.tenant_id, event.status) for event in final)
        for (event_type, tenant_id, status), events in counts.items():
            metrics.settled(event_type, status, events)
            tallies.note_settled(event_type, tenant_id, status, events)


def _places_of(groups: dict[tuple[str, UUID], list[Work]]) -> list[ordering.Place]:
    """Where the ordered handlers among them work."""
    return [
        (name, work.event.subject_id)
        for (name, _tenant), works in groups.items()
        if (handler := registry.get_handler(name)) and handler.ordered
        for work in works
        if work.event.subject_id
    ]


def _raised_by(handler: Handler, works: list[Work]) -> Exception | None:
    """Call the handler in a savepoint of its own; returns what it raised.

    A clash with another worker is raised: to go back to the savepoint frees too little.
    The halves run after this has returned, so that no traceback drags along that of another event.
    """
    try:
        with transaction.atomic():
            call_handler(handler, [work.event for work in works])
            _check_constraints()
    except Exception as error:  # a handler may raise anything
        if is_clash(error):
            raise
        return error
    return None


def _check_constraints() -> None:
    """Check now what PostgreSQL would check at the commit, Django's foreign keys among it.

    There it would take the whole batch along, and the next one again.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


def call_handler(handler: Handler, events: list[Event]) -> None:
    """Call a handler, in the tenant's context, with what it publishes traced to its cause."""
    if handler.batch:
        with (
            event_context(source="handler"),
            bound_contextvars(**batch_log_context(events, handler.name)),
            tracing.handling(handler.name, events),
        ):
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
            tracing.handling(handler.name, [event]),
        ):
            handler.function(event)
