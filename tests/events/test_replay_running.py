"""A replay while it runs: canary, stop, pace, window; and that its counters are right."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from events import replay_event
from events.models import AuditLine, Delivery, Event, FailureGroup, Replay, ReplayItem
from events.replays import (
    advance,
    advance_running_replays,
    cancel,
    judging,
    pause,
    plan_replay,
    progress_of,
    resume,
    start,
)
from events.replays.notes import IN_ANOTHER_REPLAY
from events.replays.progress import failed_again, new_failures, waits_of
from events.retry import RetryPolicy
from events.selections import Selection
from events.settling import settle
from events.testing import handler_of
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event, make_events
from tests.events.switches import Switch

Settle = Callable[[], int]
TYPE = "thing.happened"

pytestmark = pytest.mark.usefixtures("transactional_db")


def make_failed(count: int, handler: str = "switch", **fields: Any) -> list[Event]:
    """Events that failed at a handler some time ago."""
    events = make_events(count)
    ids = [event.pk for event in events]
    Event.unscoped.filter(pk__in=ids).update(status="failed", processed_at=timezone.now())
    Delivery.objects.bulk_create(
        Delivery(event=event, handler=handler, status="failed", attempts=1, **fields)
        for event in events
    )
    return events


def planned(**selected: Any) -> Replay:
    selection = Selection(**(selected or {"status": "failed"}))
    return plan_replay(selection, Event.unscoped.all(), actor=None)


def begin(replay: Replay, **options: Any) -> Replay:
    start(replay, actor=None, reason="mended", **options)
    return replay


def go_on(replay: Replay) -> None:
    """A turn, and whatever the workers have to do after it; the retries that are due, too."""
    advance(replay.id)
    released = ReplayItem.objects.filter(replay=replay, status="released")
    settle(list(released.values_list("event_id", flat=True)))
    replay.refresh_from_db()


def counts(replay: Replay) -> dict[str, int]:
    return {str(status): number for status, number in progress_of(replay).items() if number}


# --- Canary -------------------------------------------------------------------------------------


def test_canary_goes_in_steps_that_wait_for_each_other(tenant: Tenant) -> None:
    switch = Switch()
    switch.on = True
    make_failed(150)
    with handler_of(TYPE, function=switch):
        replay = begin(planned(), has_canary=True)
        released = []
        while replay.status != Replay.Status.FINISHED:
            advance(replay.id)
            advance(replay.id)
            replay.refresh_from_db()
            released.append(replay.released)
            go_on(replay)
    assert released == [1, 11, 111, 150, 150]
    assert sorted(switch.numbers) == list(range(150))
    assert counts(replay) == {"succeeded": 150}


def test_canary_that_fails_stops_the_replay(tenant: Tenant) -> None:
    make_failed(2000)
    with handler_of(TYPE, function=Switch()):
        replay = begin(planned(), has_canary=True)
        go_on(replay)
        advance_running_replays()
    replay.refresh_from_db()
    assert (replay.status, replay.stop_percent) == (Replay.Status.STOPPED, 10)
    assert counts(replay) == {"failed": 1, "waiting": 1999}
    assert "1 of 1 events failed" in replay.stopped_because
    assert "1,999 events were not touched" in replay.stopped_because
    assert AuditLine.objects.get(action="replay.stopped").details["untouched"] == 1999
    advance_running_replays()
    assert Delivery.objects.filter(attempts=1).count() == 1999


def test_first_failure_ends_a_canary_though_it_is_tried_again(tenant: Tenant) -> None:
    make_failed(20)
    with handler_of(TYPE, function=Switch(), retry=RetryPolicy(max_attempts=5, base=3600)):
        replay = begin(planned(), has_canary=True)
        go_on(replay)
        advance(replay.id)
        replay.refresh_from_db()
        assert replay.status == Replay.Status.STOPPED
        assert counts(replay) == {"released": 1, "waiting": 19}
        [wait] = waits_of(replay)
    assert (wait.handler, wait.number, wait.why) == ("switch", 1, "retry")


def test_few_failures_do_not_stop_it(tenant: Tenant) -> None:
    switch = Switch()
    switch.on = True

    def mostly(event: Event) -> None:
        if event.payload["number"] == 5:
            raise ValueError("five")
        switch(event)

    make_failed(60, "mostly")
    with handler_of(TYPE, function=mostly):
        replay = begin(planned(), has_canary=True, stop_percent=10)
        for _turn in range(5):
            go_on(replay)
    assert (replay.status, counts(replay)) == ("finished", {"succeeded": 59, "failed": 1})


def test_failures_stop_a_replay_without_a_canary_once_enough_have_answered(
    tenant: Tenant,
) -> None:
    make_failed(judging.WINDOW + 100)
    with handler_of(TYPE, function=Switch()):
        replay = begin(planned(), stop_percent=50)
        advance(replay.id)
        few = ReplayItem.objects.filter(replay=replay).order_by("id")[: judging.ENOUGH_ANSWERS]
        ids = list(few.values_list("event_id", flat=True))
        settle(ids[:-1])
        advance(replay.id)
        replay.refresh_from_db()
        assert replay.status == Replay.Status.RUNNING
        settle(ids[-1:])
        advance(replay.id)
    replay.refresh_from_db()
    assert replay.status == Replay.Status.STOPPED


def test_failure_that_comes_back_late_stops_it_though_most_have_succeeded() -> None:
    now, good, few = timezone.now(), 40_000, judging.ENOUGH_OF_STRETCH
    replay = Replay(stop_percent=10, selected=50_000, released=42_000)
    before = judging.Standing(now, waiting=8000, succeeded=good)
    assert not judging.must_stop(replay, before)
    for name, value in judging.stretch_after(replay, before).items():
        setattr(replay, name, value)
    standings = {
        failed: judging.Standing(now, waiting=8000, succeeded=good, failed=failed)
        for failed in (few - 1, few)
    }
    assert not judging.must_stop(replay, standings[few - 1])
    assert judging.must_stop(replay, standings[few])
    # Half of the newest are fewer than a tenth of all, and more than a tenth of the newest.
    mixed = judging.Standing(now, waiting=8000, succeeded=good + few // 2, failed=few // 2)
    assert judging.must_stop(replay, mixed)
    told = {"failed": few, "answers": good + few, "came_back": few, "newest": few}
    words = judging.stopped_sentence(told | {"newest_failed": few, "limit": 10, "untouched": 8000})
    assert "Of the newest 500 answers 500 were failures." in words


@pytest.mark.parametrize(("answers", "begins_at"), [(-1, 0), (0, judging.STRETCH)])
def test_turn_that_releases_more_begins_a_stretch_when_the_last_one_is_over(
    tenant: Tenant, answers: int, begins_at: int
) -> None:
    make_failed(4)
    with handler_of(TYPE, function=Switch()):
        replay = begin(planned(), stop_percent=10)
        before = judging.STRETCH + answers
        Replay.objects.update(succeeded=before - 1, failed=1, released=before, selected=before + 4)
        advance(replay.id)
    replay.refresh_from_db()
    assert replay.released == before + 4
    assert (replay.stretch_answers, replay.stretch_failed) == (begins_at, int(begins_at > 0))


def test_replay_that_has_nothing_left_to_save_finishes(tenant: Tenant) -> None:
    make_failed(1)
    with handler_of(TYPE, function=Switch()):
        replay = begin(planned(), has_canary=True)
        go_on(replay)
        go_on(replay)
    assert (replay.status, counts(replay)) == ("finished", {"failed": 1})


def test_stopped_replay_goes_on_if_somebody_wants_it(tenant: Tenant) -> None:
    switch = Switch()
    make_failed(30)
    with handler_of(TYPE, function=switch):
        replay = begin(planned(), has_canary=True)
        go_on(replay)
        go_on(replay)
        switch.on = True
        resume(replay, actor=None, reason="deployed meanwhile")
        go_on(replay)
        go_on(replay)
    assert (replay.status, counts(replay)) == ("finished", {"succeeded": 29, "failed": 1})


# --- The same failure, or another ---------------------------------------------------------------


def test_failure_that_comes_back_is_told_from_another_one(
    tenant: Tenant, settle_events: Settle
) -> None:
    switch = Switch()
    with handler_of(TYPE, function=switch):
        make_events(30)
        settle_events()
        same = begin(planned(), has_canary=True)
        go_on(same)
        go_on(same)
        switch.error = KeyError("something else")
        other = begin(planned(), has_canary=True)
        go_on(other)
        go_on(other)
    assert "The failure came back: 1 of 1 events failed as before" in same.stopped_because
    assert "1 of 1 events failed, none of them as before" in other.stopped_because
    [cause] = failed_again(other, FailureGroup.unscoped.all())
    assert (cause.group.error_type, cause.number, cause.came_back) == ("KeyError", 1, 0)


def test_replay_of_a_group_runs_its_handler_alone(tenant: Tenant, settle_events: Settle) -> None:
    first, second = Switch(), Switch()
    with (
        handler_of(TYPE, function=first, name="first"),
        handler_of(TYPE, function=second, name="second"),
    ):
        make_events(2)
        settle_events()
        first.on = second.on = True
        group = FailureGroup.unscoped.get(handler="first")
        replay = begin(planned(group=str(group.fingerprint)))
        go_on(replay)
    assert (first.numbers, second.numbers) == ([0, 1], [])
    assert (replay.handlers, replay.only_failed) == (["first"], True)


def test_new_failures_are_not_swept_in_but_told(tenant: Tenant, settle_events: Settle) -> None:
    switch = Switch()
    with handler_of(TYPE, function=switch):
        make_events(3)
        settle_events()
        group = FailureGroup.unscoped.get()
        replay = planned(group=str(group.fingerprint))
        make_events(100)
        settle_events()
        switch.on = True
        begin(replay)
        go_on(replay)
        go_on(replay)
    assert (replay.status, replay.selected, counts(replay)) == ("finished", 3, {"succeeded": 3})
    assert Event.objects.filter(status="failed").count() == 100
    assert new_failures(replay, FailureGroup.unscoped.all()).number == 100


# --- Pace and window ----------------------------------------------------------------------------


def test_pace_is_kept_by_the_databases_clock(tenant: Tenant) -> None:
    make_failed(500)
    replay = begin(planned(), pace=20)
    advance(replay.id)
    replay.refresh_from_db()
    first = replay.released
    # The second before the start, and what has passed since.
    assert 20 <= first < 60
    seconds = timedelta(seconds=2)
    Replay.objects.update(released_at=F("released_at") - seconds)
    advance(replay.id)
    replay.refresh_from_db()
    assert 40 <= replay.released - first < 80


def test_pace_does_not_make_up_for_a_long_absence(tenant: Tenant) -> None:
    make_failed(500)
    replay = begin(planned(), pace=20)
    Replay.objects.update(released_at=F("released_at") - timedelta(hours=1))
    advance(replay.id)
    replay.refresh_from_db()
    assert replay.released == 20 * judging.BURST.seconds


def test_pause_does_not_save_up_a_pace(tenant: Tenant) -> None:
    make_failed(500)
    replay = begin(planned(), pace=20)
    advance(replay.id)
    pause(replay, actor=None)
    Replay.objects.update(released_at=F("released_at") - timedelta(hours=1))
    before = Replay.objects.get().released
    resume(replay, actor=None)
    advance(replay.id)
    assert Replay.objects.get().released - before <= 40


def test_no_more_wait_for_an_answer_than_the_window_holds(tenant: Tenant) -> None:
    switch = Switch()
    switch.on = True
    make_failed(judging.WINDOW + 500)
    with handler_of(TYPE, function=switch):
        replay = begin(planned())
        advance(replay.id)
        advance(replay.id)
        assert counts(replay) == {"released": judging.WINDOW, "waiting": 500}
        for _turn in range(3):
            go_on(replay)
    assert (replay.status, counts(replay)) == ("finished", {"succeeded": judging.WINDOW + 500})


# --- One claim ----------------------------------------------------------------------------------


def test_event_that_another_replay_has_released_is_skipped_and_named(tenant: Tenant) -> None:
    switch = Switch()
    switch.on = True
    make_failed(3)
    with handler_of(TYPE, function=switch):
        first, second = begin(planned()), begin(planned())
        advance(first.id)
        advance(second.id)
        assert counts(second) == {"skipped": 3}
        go_on(first)
        go_on(second)
    notes = set(ReplayItem.objects.filter(replay=second).values_list("note", flat=True))
    assert notes == {f"{IN_ANOTHER_REPLAY}: {first.id}"}
    assert second.skipped_because == {f"{IN_ANOTHER_REPLAY}: {first.id}": 3}
    assert sorted(switch.numbers) == [0, 1, 2]
    assert counts(first) == {"succeeded": 3}


def test_one_replay_that_cannot_go_on_holds_up_no_other(
    tenant: Tenant, settle_events: Settle
) -> None:
    switch = Switch()
    switch.on = True
    make_failed(2)
    broken = begin(planned())
    # A correction without a patch, as no code of ours makes it.
    Replay.objects.filter(pk=broken.pk).update(kind="correction")
    with handler_of(TYPE, function=switch):
        begin(planned())
        advance_running_replays()
        settle_events()
    assert sorted(switch.numbers) == [0, 1]


def test_answers_after_a_cancel_are_counted(tenant: Tenant) -> None:
    switch = Switch()
    switch.on = True
    make_failed(5)
    with handler_of(TYPE, function=switch):
        replay = begin(planned(), has_canary=True)
        advance(replay.id)
        cancel(replay, actor=None)
        go_on(replay)
    assert (replay.status, counts(replay)) == ("cancelled", {"succeeded": 1, "waiting": 4})


def test_plan_that_nobody_starts_is_forgotten(tenant: Tenant) -> None:
    make_failed(2)
    old, fresh = planned(), planned()
    Replay.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=2))
    advance_running_replays()
    old.refresh_from_db()
    assert (old.status, old.items.count(), fresh.items.count()) == ("cancelled", 0, 2)


def test_single_event_keeps_its_replay(tenant: Tenant, settle_events: Settle) -> None:
    switch = Switch()
    with handler_of(TYPE, function=switch):
        event = make_event()
        settle_events()
        switch.on = True
        replay = replay_event(event.id, reason="mended")
        settle_events()
        advance_running_replays()
    replay.refresh_from_db()
    assert (replay.status, counts(replay)) == ("finished", {"succeeded": 1})
    lines = AuditLine.objects.order_by("id").values_list("action", flat=True)
    assert list(lines) == ["replay.started", "replay.finished"]
