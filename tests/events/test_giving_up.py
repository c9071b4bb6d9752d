"""Giving up: failures that nobody will mend are set aside, and what waits behind them goes on."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, InterfaceError, connection, transaction

from events import ordering, replay_event
from events.connections import open_connection
from events.corrections import TooLate, correct_event
from events.failures.queries import standing_counts
from events.models import Attempt, AuditLine, Delivery, Event, FailureGroup, Replay
from events.replays import NoReason, NothingRuns, advance, plan_replay, progress_of, start
from events.replays.filling import take_chunk
from events.replays.notes import GIVEN_UP, IN_ANOTHER_REPLAY, NOTHING_TO_GIVE_UP, PRUNED
from events.replays.outlook import handlers_of
from events.replays.planning import plan_for_page
from events.replays.running import take_turn
from events.selections import Selection
from events.testing import handler_of
from events.testing import settle_events as settle_all_events
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant, User
from tests.events.factories import make_event, make_failed_event, make_failure
from tests.events.switches import Switch
from tests.events.test_order import ONE, TYPE, Recorder, change, settle_all, status_of
from tests.events.test_replay_running import begin, make_failed, planned
from tests.events.threads import at_once
from tests.factories import make_tenant, make_user

Settle = Callable[[], int]
GIVE_UP = Replay.Kind.GIVE_UP

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def recorder(tenant: Tenant) -> Iterator[Recorder]:
    recorder = Recorder()
    with handler_of(TYPE, function=recorder, name="records", ordered=True):
        yield recorder


def plan(actor: User | None = None, **selected: Any) -> Replay:
    selection = Selection(**(selected or {"status": "failed"}))
    return plan_replay(selection, Event.unscoped.all(), actor=actor, kind=GIVE_UP)


def carry_out(replay: Replay, **options: Any) -> Replay:
    """Start what was planned, and see it through."""
    given: dict[str, Any] = {"actor": replay.actor, "reason": "nobody will mend it", **options}
    start(replay, **given)
    advance(replay.pk)
    replay.refresh_from_db()
    return replay


def give_up(*events: Event, actor: User | None = None, **options: Any) -> Replay:
    """Give up what failed of these events."""
    return carry_out(plan(actor, ids=tuple(event.pk for event in events)), **options)


def statuses_of(event: Event) -> dict[str, str]:
    return dict(event.deliveries.values_list("handler", "status"))


def items_of(replay: Replay) -> list[tuple[str, str]]:
    """What came of each event, in the order of the log."""
    return list(replay.items.order_by("id").values_list("status", "note"))


def counts(replay: Replay) -> dict[str, int]:
    return {str(status): number for status, number in progress_of(replay).items() if number}


# --- What comes of it ---------------------------------------------------------------------------


def test_failure_is_skipped_and_says_by_which_decision(
    tenant: Tenant, settle_events: Settle
) -> None:
    event, actor = make_event(), make_user(tenant)
    with handler_of(TYPE, function=Switch(), name="switch"):
        settle_events()
    before = Event.unscoped.get(pk=event.pk)
    replay = give_up(event, actor=actor)
    event.refresh_from_db()
    [delivery] = event.deliveries.all()
    assert (event.status, event.error_message) == ("processed", "")
    assert (event.payload, event.processed_at) == (before.payload, before.processed_at)
    assert (delivery.status, delivery.failures, delivery.replay_id) == ("skipped", 0, replay.pk)
    assert (replay.status, replay.actor, replay.reason) == (
        "finished",
        actor,
        "nobody will mend it",
    )
    assert items_of(replay) == [("succeeded", f"{GIVEN_UP}: switch")]
    assert counts(replay) == {"succeeded": 1}


def test_attempts_and_error_stay(tenant: Tenant, settle_events: Settle) -> None:
    event = make_event()
    with handler_of(TYPE, function=Switch(), name="switch"):
        settle_events()
        give_up(event)
    [attempt] = Attempt.objects.filter(delivery__event=event)
    assert "the switch is off" in attempt.traceback
    assert event.deliveries.get().error == "RuntimeError: the switch is off"


def test_event_has_the_status_that_is_left(tenant: Tenant) -> None:
    event = make_failed_event(handlers=("picky", "other"))
    give_up(event, handlers=["picky"])
    event.refresh_from_db()
    assert statuses_of(event) == {"picky": "skipped", "other": "failed"}
    assert (event.status, event.error_message) == ("failed", "other: bad")
    give_up(event)
    assert status_of(event) == "processed"


def test_event_that_another_handler_has_still_to_run_stays_due_as_it_was(tenant: Tenant) -> None:
    event, slow = make_event(), Switch()
    slow.on = True
    Delivery.objects.create(event=event, handler="gone", status="failed", attempts=1, failures=1)
    Delivery.objects.create(event=event, handler="slow")
    due_at = Event.unscoped.get(pk=event.pk).due_at
    give_up(event)
    event.refresh_from_db()
    assert (event.status, event.due_at, event.error_message) == ("pending", due_at, "")
    with handler_of(TYPE, function=slow, name="slow"):
        settle_all()
    assert (status_of(event), slow.handled) == ("processed", [event.pk])


def test_nothing_of_the_group_stands_any_more(tenant: Tenant) -> None:
    group = make_failure(3)
    assert standing_counts([[group.pk]]) == [(3, False)]
    carry_out(plan(group=str(group.fingerprint)))
    assert standing_counts([[group.pk]]) == [(0, False)]
    assert FailureGroup.objects.get().occurrences == 3


def test_failures_of_several_tenants_are_given_up_at_once(tenant: Tenant) -> None:
    events = [make_failed_event()]
    with tenant_context(make_tenant()):
        events.append(make_failed_event())
    replay = carry_out(plan())
    assert [status_of(event) for event in events] == ["processed", "processed"]
    lines = AuditLine.objects.filter(action="give_up.started")
    whole = lines.get(part_of=None)
    assert (whole.reason, whole.target_id) == ("nobody will mend it", str(replay.pk))
    parts = lines.filter(part_of=whole.pk).values_list("tenant_id", "reason")
    assert dict(parts) == {event.tenant_id: "" for event in events}


def test_decision_leaves_lines_of_its_own_in_the_audit(tenant: Tenant) -> None:
    actor = make_user(tenant)
    replay = give_up(make_failed_event(), actor=actor)
    lines = AuditLine.objects.filter(target_id=str(replay.pk)).order_by("pk")
    told = [(line.action, line.actor, line.tenant, line.reason) for line in lines]
    assert told == [
        ("give_up.started", actor, tenant, "nobody will mend it"),
        ("give_up.finished", None, tenant, ""),
    ]
    assert lines[0].details["handlers"] == ["picky"]


# --- What waited behind it ----------------------------------------------------------------------


def test_later_events_of_the_subject_go_on_without_it(recorder: Recorder) -> None:
    recorder.broken = {1}
    events = change(ONE, 1, 2, 3)
    settle_all()
    assert [status_of(event) for event in events] == ["failed", "pending", "pending"]
    give_up(events[0])
    settle_all()
    assert recorder.done == [2, 3]
    assert [status_of(event) for event in events] == ["processed"] * 3


def test_next_failure_of_the_subject_holds_up_what_is_behind_it(recorder: Recorder) -> None:
    recorder.broken = {1, 2}
    events = change(ONE, 1, 2, 3)
    settle_all()
    give_up(events[0])
    settle_all()
    assert [status_of(event) for event in events] == ["processed", "failed", "pending"]
    give_up(events[1])
    settle_all()
    assert recorder.done == [3]


def test_calls_of_the_subject_go_on_without_it(tenant: Tenant) -> None:
    recorder = Recorder()
    recorder.broken = {1}
    declared: dict[str, Any] = {"effects": "external", "ordered": True, "breaker": None}
    with handler_of(TYPE, function=recorder, name="calls", **declared):
        events = change(ONE, 1, 2, 3)
        settle_all_events()
        give_up(events[0])
        settle_all_events()
    assert recorder.done == [2, 3]


def test_successor_that_failed_because_of_it_can_be_replayed(recorder: Recorder) -> None:
    recorder.broken = {1, 2}
    first, second = change(ONE, 1, 2)
    settle_all()
    Delivery.objects.filter(event=second).update(status="failed", failures=1, error="early")
    Event.unscoped.filter(pk=second.pk).update(status="failed", processed_at=first.created_at)
    recorder.broken = set()
    give_up(first)
    replay_event(second.pk)
    settle_all()
    assert recorder.done == [2]


def test_subject_that_a_worker_decides_about_is_left_to_a_later_turn(recorder: Recorder) -> None:
    """Else what it parks meanwhile would wait for something that is not there any more."""
    recorder.broken = {1}
    events = change(ONE, 1, 2)
    settle_all()
    replay = plan(ids=(events[0].pk,))
    start(replay, actor=None, reason="nobody will mend it")
    with transaction.atomic():
        ordering.lock_places([("records", ONE)])
        at_once(1, lambda: advance(replay.pk))
        assert counts(replay) == {"waiting": 1}
    advance(replay.pk)
    settle_all()
    assert (counts(replay), recorder.done) == ({"succeeded": 1}, [2])


# --- What somebody else does --------------------------------------------------------------------


def test_event_that_a_worker_holds_is_left_to_a_later_turn(tenant: Tenant) -> None:
    held, free = make_failed(2)
    replay = plan()
    start(replay, actor=None, reason="nobody will mend it")
    with transaction.atomic():
        Event.unscoped.select_for_update().get(pk=held.pk)
        at_once(1, lambda: advance(replay.pk))
        assert counts(replay) == {"waiting": 1, "succeeded": 1}
    assert (status_of(held), status_of(free)) == ("failed", "processed")
    advance(replay.pk)
    assert status_of(held) == "processed"


def test_what_a_replay_has_made_pending_is_left_alone_and_told(tenant: Tenant) -> None:
    event = make_failed_event()
    replay = plan(ids=(event.pk,))
    other = replay_event(event.pk, reason="again")
    carry_out(replay)
    assert items_of(replay) == [("skipped", f"{IN_ANOTHER_REPLAY}: {other.pk}")]
    assert statuses_of(event) == {"picky": "pending"}
    assert replay.skipped_because == {f"{IN_ANOTHER_REPLAY}: {other.pk}": 1}


def test_event_whose_answer_a_replay_waits_for_is_left_alone(tenant: Tenant) -> None:
    """What has failed of it again is part of that answer."""
    event = make_failed_event(handlers=("picky", "slow"))
    replay = plan(ids=(event.pk,))
    other = replay_event(event.pk, reason="again")
    Delivery.objects.filter(handler="picky").update(status="failed", failures=1)
    carry_out(replay)
    assert items_of(replay) == [("skipped", f"{IN_ANOTHER_REPLAY}: {other.pk}")]
    assert statuses_of(event) == {"picky": "failed", "slow": "pending"}


def test_what_was_mended_or_pruned_meanwhile_is_passed_over(tenant: Tenant) -> None:
    mended, pruned = make_failed(2)
    replay = plan()
    Delivery.objects.filter(event=mended).update(status="succeeded")
    Event.unscoped.filter(pk=mended.pk).update(status="processed")
    Event.unscoped.filter(pk=pruned.pk).delete()
    carry_out(replay)
    assert items_of(replay) == [("skipped", NOTHING_TO_GIVE_UP), ("skipped", PRUNED)]
    assert statuses_of(mended) == {"switch": "succeeded"}


def test_of_a_replay_and_who_gives_up_at_once_one_has_each_event(tenant: Tenant) -> None:
    ids = {event.pk for event in make_failed(200)}
    with handler_of(TYPE, function=Switch(), name="switch"):
        rivals = [begin(planned()), plan()]
        start(rivals[1], actor=None, reason="nobody will mend it")
        turns = iter(rivals)
        at_once(2, lambda: advance(next(turns).pk))
        for rival in rivals:
            advance(rival.pk)
    released = items_with(rivals[0], "released")
    given_up = items_with(rivals[1], "succeeded")
    assert released | given_up == ids
    assert not released & given_up
    assert events_with("pending") == released
    assert events_with("skipped") == given_up


def items_with(replay: Replay, status: str) -> set[UUID]:
    return set(replay.items.filter(status=status).values_list("event_id", flat=True))


def events_with(status: str) -> set[UUID]:
    return set(Delivery.objects.filter(status=status).values_list("event_id", flat=True))


def test_of_a_correction_and_who_gives_up_at_once_one_has_the_event() -> None:
    with tenant_context(make_tenant()):
        event = make_failed_event()
    replay = plan(ids=(event.pk,))
    start(replay, actor=None, reason="nobody will mend it")

    def correct() -> bool:
        try:
            correct_event(event, {**event.payload, "number": 14}, actor=None, reason="a typo")
        except TooLate:
            return False
        return True

    acts: Iterator[Callable[[], object]] = iter([correct, lambda: advance(replay.pk)])
    corrected = True in at_once(2, lambda: next(acts)())
    advance(replay.pk)
    [(status, _note)] = items_of(replay)
    assert status == ("skipped" if corrected else "succeeded")
    assert Event.unscoped.filter(corrects_id=event.pk).count() == corrected
    assert status_of(event) == "processed"


def test_two_who_give_up_the_same_do_it_once(tenant: Tenant) -> None:
    event = make_failed_event()
    replays = [plan(), plan()]
    for replay in replays:
        carry_out(replay)
    assert [items_of(replay)[0][0] for replay in replays] == ["succeeded", "skipped"]
    assert event.deliveries.get().replay_id == replays[0].pk


# --- What runs afterwards -----------------------------------------------------------------------


def test_no_replay_runs_it_unless_it_names_the_handler(
    tenant: Tenant, settle_events: Settle
) -> None:
    event, switch = make_event(), Switch()
    with handler_of(TYPE, function=switch, name="switch"):
        settle_events()
        give_up(event)
        switch.on = True
        replay_event(event.pk, reason="again")
        settle_events()
        assert switch.handled == []
        replay_event(event.pk, reason="it shall, after all", handlers=["switch"])
        settle_events()
    assert switch.handled == [event.pk]
    assert statuses_of(event) == {"switch": "succeeded"}


def test_plan_tells_where_a_handler_was_given_up(tenant: Tenant) -> None:
    give_up(*make_failed(2))
    selection = Selection(status="processed")
    [handler] = handlers_of(plan_replay(selection, Event.unscoped.all(), actor=None))
    assert (handler.number, handler.succeeded, handler.given_up) == (0, 0, 2)


def test_what_was_corrected_runs_no_more_though_its_handler_is_named(tenant: Tenant) -> None:
    event = make_failed_event()
    with handler_of(TYPE, function=print, name="picky"):
        correct_event(event, {**event.payload, "number": 14}, actor=None, reason="a typo")
        replay_event(event.pk, reason="again", handlers=["picky"])
    assert statuses_of(event) == {"picky": "skipped"}


def test_replay_that_fails_again_can_be_given_up_again(
    tenant: Tenant, settle_events: Settle
) -> None:
    event = make_event()
    with handler_of(TYPE, function=Switch(), name="switch"):
        settle_events()
        give_up(event)
        replay = replay_event(event.pk, reason="after all", handlers=["switch"])
        settle_events()
        assert (status_of(event), counts(replay)) == ("failed", {"failed": 1})
        give_up(event)
    assert (status_of(event), counts(replay)) == ("processed", {"failed": 1})


# --- What is decided about ----------------------------------------------------------------------


def test_what_fails_between_plan_and_start_was_not_decided_about(tenant: Tenant) -> None:
    event = make_failed_event()
    replay = plan()
    Delivery.objects.create(event=event, handler="late", status="failed", failures=1, error="bad")
    later = make_failed_event()
    carry_out(replay)
    event.refresh_from_db()
    assert statuses_of(event) == {"picky": "skipped", "late": "failed"}
    assert (event.status, event.error_message) == ("failed", "late: bad")
    assert status_of(later) == "failed"


def test_large_selection_is_planned_chunk_by_chunk(tenant: Tenant) -> None:
    make_failed(3)
    selection = Selection(status="failed")
    replay = plan_for_page(selection, actor=None, tenant=tenant, kind=GIVE_UP)
    replay.items.all().delete()
    Replay.objects.update(status="planning", selected=0, plan={})
    while take_chunk(replay.pk, size=2):
        pass
    replay.refresh_from_db()
    assert (replay.status, replay.selected) == ("planned", 3)
    assert counts(carry_out(replay)) == {"succeeded": 3}


def test_processed_events_have_nothing_to_give_up(tenant: Tenant) -> None:
    make_event()
    with pytest.raises(ValidationError, match="stands as failed"):
        plan(status="processed")
    assert not Replay.objects.exists()


@pytest.mark.parametrize(
    "how", [{"has_canary": True}, {"pace": 5}, {"stop_percent": 0}, {"include_external": True}]
)
def test_nobody_says_how_to_run_what_does_not_run(tenant: Tenant, how: dict[str, Any]) -> None:
    make_failed(1)
    replay = plan()
    with pytest.raises(NothingRuns, match="Nothing runs"):
        carry_out(replay, **how)
    assert Replay.objects.get().status == "planned"


def test_reason_is_required(tenant: Tenant) -> None:
    make_failed(1)
    with pytest.raises(NoReason):
        carry_out(plan(), reason=" ")
    assert events_with("skipped") == set()


# --- Whoever is killed --------------------------------------------------------------------------


def test_turn_that_is_killed_has_given_up_nothing_and_others_go_on(tenant: Tenant) -> None:
    ids = {event.pk for event in make_failed(2500)}
    replay = plan()
    start(replay, actor=None, reason="nobody will mend it")
    assert take_turn(replay.pk)
    first = items_with(replay, "succeeded")
    assert (len(first), counts(replay)) == (1000, {"waiting": 1500, "succeeded": 1000})
    with pytest.raises((DatabaseError, InterfaceError)), transaction.atomic():
        take_turn(replay.pk)
        assert len(items_with(replay, "succeeded")) == 2000
        kill_connection()
    connection.close()
    assert items_with(replay, "succeeded") == first
    assert events_with("skipped") == first
    advance(replay.pk)
    replay.refresh_from_db()
    assert (replay.status, counts(replay)) == ("finished", {"succeeded": 2500})
    assert items_with(replay, "succeeded") == events_with("skipped") == ids
    assert AuditLine.objects.filter(action="give_up.finished").count() == 1


def kill_connection() -> None:
    """End this test's connection as if its process had been killed."""
    pid = connection.connection.info.backend_pid
    with open_connection() as elsewhere:
        elsewhere.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
    Event.unscoped.exists()
