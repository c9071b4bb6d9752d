"""What becomes of deliveries, whatever happens in whatever order: the engine against a model.

Hypothesis publishes, settles, retries, loses leases, replays, gives failures up and prunes at
random, for two tenants, with handlers that succeed, fail, give up, die or report too late. After
each step the tables have to say what the model says. In the end all faults are mended, and every
event has to be processed.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from copy import deepcopy
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid5

import pytest
from django.db import connection
from django.db.models import Q, Sum
from django.db.models.functions import Now
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from events import external, pauses, settling
from events.models import (
    Attempt,
    Delivery,
    Event,
    EventStatus,
    FailureCount,
    FailureGroup,
    JournalEntry,
    Replay,
    ReplayItem,
)
from events.models.delivery import UNTIL_RESUMED
from events.pruning import prune
from events.publishing import Draft, publish_many
from events.replays import (
    advance,
    advance_running_replays,
    plan_replay,
    progress_of,
    start,
    start_replay,
)
from events.retry import Permanent, Retry, RetryPolicy
from events.selections import Selection
from events.testing import handler_of
from salesflow.accounts.context import current_tenant, tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant
from tests.events.payloads import ThingHappened
from tests.events.world import (
    EXTERNAL_HANDLERS,
    HANDLERS,
    MAX_ATTEMPTS,
    ORDERED,
    Killed,
    ModelEvent,
    World,
)
from tests.factories import make_tenant
from tests.thirdparty.models import Greeting

# The first tenant's and the second one's.
SUBJECTS = [uuid7(), uuid7()]
MOST_EVENTS = 8
# Enough rounds for every event of one subject to wait for the one before it.
MOST_ROUNDS = 2 * MOST_EVENTS
TABLES = (
    "events, deliveries, attempts, replays, replay_items, journal, handler_pauses, audit_lines, "
    "failure_groups, failure_counts, thirdparty_greeting"
)
FAILURES = ["fail", "give up", "come back", "die"]


class Steady(RetryPolicy):
    """Without chance: else a wait might be over at once."""

    def delay(self, failures: int, error: Any = None, uniform: Any = None) -> float | None:
        """The longest wait."""
        return super().delay(failures, error, lambda low, high: high)


indices = st.integers(0, MOST_EVENTS - 1)
some = st.sets(indices, min_size=1)
plans = st.one_of(
    st.tuples(st.sampled_from(HANDLERS), st.sampled_from(["succeed", *FAILURES])),
    st.tuples(st.sampled_from(EXTERNAL_HANDLERS), st.just("report late")),
)


def has_events(machine: "Engine") -> bool:
    return bool(machine.world.events)


class Engine(RuleBasedStateMachine):
    """Does to the engine and to its model the same."""

    def __init__(self, tenants: list[Tenant]) -> None:
        super().__init__()
        self.tenants = dict(zip(SUBJECTS, tenants, strict=True))
        self.world = World()
        self.published: list[UUID] = []
        self.calls_made: Counter[str] = Counter()
        self.agrees = True
        self.has_pruned = False
        self.handlers = ExitStack()
        self._handler(self.writes)
        self._handler(self.writes_all, batch=True)
        self._handler(self.writes_in_order, ordered=True)
        outside: dict[str, Any] = {"effects": "external", "on_replay": "skip", "breaker": None}
        self._handler(self.calls, **outside)
        self._handler(self.calls_in_order, **outside, ordered=True)

    def _handler(self, function: Callable[..., None], **declared: Any) -> None:
        retry = Steady(max_attempts=MAX_ATTEMPTS, base=3600)
        registered = handler_of(ThingHappened, function=function, retry=retry, **declared)
        self.handlers.enter_context(registered)

    # --- The handlers ---------------------------------------------------------------------------

    def writes(self, event: Event) -> None:
        self._write(event, "writes")

    def writes_all(self, events: list[Event]) -> None:
        for event in events:
            self._write(event, "writes_all")

    def writes_in_order(self, event: Event) -> None:
        self._write(event, "writes_in_order")

    def calls(self, event: Event) -> None:
        self._call(event, "calls")

    def calls_in_order(self, event: Event) -> None:
        self._call(event, "calls_in_order")

    def _write(self, event: Event, handler: str) -> None:
        Greeting.objects.create(event_id=uuid5(event.id, handler))
        self._do_as_planned(event, handler)

    def _call(self, event: Event, handler: str) -> None:
        assert not connection.in_atomic_block
        self.calls_made[event.idempotency_key] += 1
        self._do_as_planned(event, handler)

    def _do_as_planned(self, event: Event, handler: str) -> None:
        assert event.subject_id
        assert current_tenant() == self.tenants[event.subject_id]
        match self.world.outcome(event.payload["number"], handler):
            case "fail":
                raise ValueError("no good")
            case "give up":
                raise Permanent("of no use")
            case "come back":
                raise Retry(after=600)
            case "die":
                raise Killed
            case "report late":
                _expire_leases(Delivery.objects.filter(event=event, handler=handler))
                external.sweep()

    # --- What happens ---------------------------------------------------------------------------

    @precondition(lambda self: len(self.world.events) < MOST_EVENTS)
    @rule(subject=st.sampled_from(SUBJECTS), faults=st.lists(st.none() | plans, min_size=1))
    def publish(self, subject: UUID, faults: list[tuple[str, str] | None]) -> None:
        room = MOST_EVENTS - len(self.world.events)
        numbers = range(len(self.published), len(self.published) + min(room, len(faults)))
        with tenant_context(self.tenants[subject]):
            events = publish_many(
                Draft(ThingHappened(thing_id=subject, number=number)) for number in numbers
            )
        self.published += [event.id for event in events]
        for number, event, fault in zip(numbers, events, faults, strict=False):
            self.world.events[number] = ModelEvent(event.id, subject)
            if fault:
                self._plan(number, *fault)

    @precondition(has_events)
    @rule(index=indices, plan=plans)
    def change_plan(self, index: int, plan: tuple[str, str]) -> None:
        self._plan(self._number(index), *plan)

    def _plan(self, number: int, handler: str, outcome: str) -> None:
        self.world.plan[number, handler] = outcome

    @precondition(has_events)
    @rule(chosen=some)
    def settle_some(self, chosen: set[int]) -> None:
        numbers = {self._number(index) for index in chosen}
        ids = [self.published[number] for number in numbers]
        self._settle(numbers, lambda: settling.settle(ids))

    @precondition(has_events)
    @rule()
    def settle_what_is_due(self) -> None:
        due = Event.unscoped.filter(status=EventStatus.PENDING, due_at__lte=Now())
        self._settle(self._numbers(due.values_list("id", flat=True)), settling.settle_due)

    def _settle(self, numbers: set[int], settle: Callable[[], object]) -> None:
        world = deepcopy(self.world)
        try:
            world.settle(
                numbers, self._due(Q(next_attempt_at=None) | Q(next_attempt_at__lte=Now()))
            )
        except Killed:
            with pytest.raises(Killed):
                settle()
            return
        settle()
        self.world = world

    @precondition(has_events)
    @rule(index=indices, handler=st.sampled_from(EXTERNAL_HANDLERS))
    def call_one(self, index: int, handler: str) -> None:
        due = sorted(call for call in self._due_calls() if call[1] == handler)
        if due:
            self._run_call(*due[index % len(due)])

    def _run_call(self, number: int, handler: str) -> None:
        pk = Delivery.objects.get(event_id=self.published[number], handler=handler).pk
        self.world.call(number, handler)
        if self.world.outcome(number, handler) == "die":
            with pytest.raises(Killed):
                external.run_delivery(pk)
        else:
            assert external.run_delivery(pk)

    @precondition(has_events)
    @rule()
    def call_what_is_due(self) -> None:
        due = sorted(self._due_calls())
        for number, handler in due:
            if self.world.outcome(number, handler) == "die":
                self._run_call(number, handler)
        due = sorted(self._due_calls())
        for number, handler in due:
            self.world.call(number, handler)
        assert external.run_due() == len(due)

    @precondition(has_events)
    @rule(later=st.booleans())
    def work_off(self, later: bool) -> None:
        if later:
            self.let_time_pass()
        self.settle_what_is_due()
        self.call_what_is_due()

    @precondition(has_events)
    @rule()
    def lose_leases(self) -> None:
        _expire_leases(Delivery.objects.all())
        external.sweep()
        self.world.lose_leases()

    @rule(handler=st.sampled_from(HANDLERS))
    def pause(self, handler: str) -> None:
        paused = pauses.pause_handler(handler, actor=None, reason="mending it")
        assert paused == (handler not in self.world.paused)
        self.world.paused.add(handler)

    @rule(handler=st.sampled_from(HANDLERS))
    def resume(self, handler: str) -> None:
        resumed = pauses.resume_handler(handler, actor=None)
        assert resumed == (handler in self.world.paused)
        self.world.paused.discard(handler)

    @precondition(has_events)
    @rule()
    def let_go_what_is_resumed(self) -> None:
        pauses.let_go()
        resumed = set(HANDLERS) - self.world.paused
        waits = Delivery.objects.filter(next_attempt_at=UNTIL_RESUMED, handler__in=resumed)
        assert not waits.exists()

    @precondition(has_events)
    @rule()
    def let_time_pass(self) -> None:
        later = Delivery.objects.exclude(next_attempt_at=UNTIL_RESUMED)
        later.filter(next_attempt_at__gt=Now()).update(next_attempt_at=Now())
        Event.unscoped.filter(status=EventStatus.PENDING).update(due_at=Now())

    @precondition(has_events)
    @rule(chosen=some, handlers=st.sets(st.sampled_from(HANDLERS), max_size=2), all_=st.booleans())
    def replay(self, chosen: set[int], handlers: set[str], all_: bool) -> None:
        numbers = {self._number(index) for index in chosen}
        events = Event.unscoped.filter(pk__in=[self.published[number] for number in numbers])
        names = sorted(handlers)
        replay = start_replay(events, reason="mended", handlers=names, include_external=all_)
        advance(replay.id)
        self.world.replay(replay.id, numbers, names, all_)

    @precondition(has_events)
    @rule()
    def look_after_replays(self) -> None:
        advance_running_replays()
        self.world.finish_replays(self.world.replays)

    @precondition(has_events)
    @rule(index=indices)
    def give_up(self, index: int) -> None:
        failed = sorted(self._deliveries(Delivery.objects.filter(status="failed")))
        if failed:
            number, handler = failed[index % len(failed)]
            selection, kind = Selection(ids=(self.published[number],)), Replay.Kind.GIVE_UP
            replay = plan_replay(selection, Event.unscoped.all(), actor=None, kind=kind)
            start(replay, actor=None, reason="nobody will mend it", handlers=[handler])
            advance(replay.id)
            self.world.give_up(replay.id, number, handler)

    @precondition(has_events)
    @rule()
    def prune(self) -> None:
        prune(timezone.now() + timedelta(days=1))
        self.has_pruned = True
        self.world.prune()
        # What had to wait for a pruned event looks again by itself.
        self.let_time_pass()

    # --- What is known of it --------------------------------------------------------------------

    def _number(self, index: int) -> int:
        known = sorted(self.world.events)
        return known[index % len(known)]

    def _numbers(self, ids: Iterable[UUID]) -> set[int]:
        return {self.published.index(event_id) for event_id in ids}

    def _deliveries(self, rows: Any) -> set[tuple[int, str]]:
        found = rows.values_list("event_id", "handler")
        return {(self.published.index(event_id), handler) for event_id, handler in found}

    def _due(self, is_due: Q) -> set[tuple[int, str]]:
        return self._deliveries(Delivery.objects.filter(is_due, status="pending"))

    def _due_calls(self) -> set[tuple[int, str]]:
        callable_ = set(EXTERNAL_HANDLERS) - self.world.paused
        handed_over = Q(handler__in=callable_, tenant__isnull=False)
        return self._due(handed_over & Q(next_attempt_at__lte=Now()))

    # --- What always holds ----------------------------------------------------------------------

    @invariant()
    def model_and_tables_agree(self) -> None:
        self.agrees = False
        self._compare_events()
        self._compare_deliveries()
        self._compare_failures()
        self._compare_who_waits()
        self._compare_replays()
        self._nobody_holds_anything()
        assert Counter(Greeting.objects.values_list("event_id", flat=True)) == {
            uuid5(event_id, handler): count
            for (event_id, handler), count in self.world.effects.items()
        }
        assert self.calls_made == self.world.calls
        self.agrees = True

    def _compare_events(self) -> None:
        events = {event.id: event for event in Event.unscoped.all()}
        statuses = {event_id: event.status for event_id, event in events.items()}
        assert statuses == {event.id: event.status for event in self.world.events.values()}
        for event in events.values():
            assert (event.processed_at is None) == (event.status == EventStatus.PENDING)
            assert event.error_message or event.status != EventStatus.FAILED
            # Nobody who is pending is forgotten, but for what a paused handler keeps waiting.
            assert event.due_at < timezone.now() + timedelta(hours=5) or (
                event.deliveries.filter(next_attempt_at=UNTIL_RESUMED).exists()
            )

    def _compare_who_waits(self) -> None:
        """What has to wait for nothing any more is due at once."""
        parked = Delivery.objects.filter(status="pending", next_attempt_at=None)
        late = parked.filter(event__due_at__gt=Now(), handler__in=ORDERED)
        for number, handler in self._deliveries(late):
            assert self.world.has_to_wait(number, handler)

    def _compare_deliveries(self) -> None:
        fields = ("event_id", "handler", "status", "attempts", "failures", "replay_id")
        assert set(Delivery.objects.values_list(*fields)) == {
            (event.id, name, row.status, row.attempts, row.failures, row.replay)
            for event in self.world.events.values()
            for name, row in event.deliveries.items()
        }
        of_tries = ("delivery__event_id", "delivery__handler", "number", "status")
        assert sorted(Attempt.objects.values_list(*of_tries)) == sorted(
            (event.id, name, number, status)
            for event in self.world.events.values()
            for name, row in event.deliveries.items()
            for number, status in row.history
        )

    def _compare_failures(self) -> None:
        """Each failed try was counted once, at the group of its tenant; pruning forgets tries."""
        failed = Attempt.objects.filter(status=Attempt.Status.FAILED)
        tries = Counter(failed.values_list("delivery__event__tenant", "group_id"))
        assert all(group_id for _tenant, group_id in tries)
        groups = FailureGroup.unscoped.values_list("tenant", "pk", "occurrences")
        counts = {(tenant, pk): occurrences for tenant, pk, occurrences in groups}
        if not self.has_pruned:
            assert counts == tries
            by_time = FailureCount.objects.aggregate(sum=Sum("occurrences"))["sum"] or 0
            assert by_time == sum(counts.values())
        assert all(counts[key] >= tries[key] for key in counts)

    def _nobody_holds_anything(self) -> None:
        """Whoever has ended, in whatever way, has left nothing that others would respect."""
        assert not JournalEntry.objects.exists()
        rows = Delivery.objects
        assert not rows.exclude(status="running").filter(lease_expires_at__isnull=False).exists()
        final = ["succeeded", "skipped", "failed"]
        assert not rows.filter(status__in=final, next_attempt_at__isnull=False).exists()

    def _compare_replays(self) -> None:
        replays = {replay.id: replay for replay in Replay.objects.all()}
        assert replays.keys() == self.world.replays.keys()
        items: dict[UUID, dict[int, str]] = {replay_id: {} for replay_id in replays}
        for row in ReplayItem.objects.all():
            items[row.replay_id][self.published.index(row.event_id)] = row.status
        for replay_id, told in self.world.replays.items():
            replay = replays[replay_id]
            assert (replay.status == Replay.Status.FINISHED) == told.is_finished
            assert +Counter(progress_of(replay)) == Counter(told.items.values())
            assert items[replay_id] == ({} if told.is_pruned else told.items)

    # --- The end --------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Mend everything, and see all events processed."""
        try:
            if self.agrees:
                self._mend()
        finally:
            self.handlers.close()
            with connection.cursor() as cursor:
                cursor.execute(f"TRUNCATE {TABLES}")

    def _mend(self) -> None:
        self.world.plan.clear()
        for handler in HANDLERS:
            self.resume(handler)
        self.let_go_what_is_resumed()
        for _round in range(MOST_ROUNDS):
            unfinished = self.world.numbers("pending") + self.world.numbers("failed")
            if not unfinished:
                break
            self.lose_leases()
            self.replay(set(range(MOST_EVENTS)), set(), True)
            self.model_and_tables_agree()
            self.work_off(later=True)
            self.model_and_tables_agree()
        self.look_after_replays()
        self.model_and_tables_agree()
        assert len(self.world.numbers("processed")) == len(self.world.events)
        assert all(replay.is_finished for replay in self.world.replays.values())


def _expire_leases(deliveries: Any) -> None:
    leased = deliveries.filter(lease_expires_at__isnull=False)
    leased.update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def test_tables_say_what_the_model_says(
    transactional_db: None, tenant: Tenant, settings_of_leases: None
) -> None:
    run_state_machine_as_test(
        partial(Engine, [tenant, make_tenant("other")]),  # type: ignore[arg-type]  # a factory will do
        settings=settings(
            max_examples=20,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def settings_of_leases(settings: Any) -> None:
    """No lease ends unless the machine has it end, however slow the computer is."""
    settings.EXTERNAL_LEASE_SECONDS = 3600
