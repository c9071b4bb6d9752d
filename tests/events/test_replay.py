"""Replay: failed handlers run again, and only those."""

from collections.abc import Callable

import pytest
from django.db import transaction

from events import replay_event
from events.models import Attempt, Delivery, Event, EventStatus, Replay, ReplayItem
from events.replays import advance_running_replays, progress_of, start_replay
from events.replays.notes import PRUNED
from events.settling import settle
from events.testing import handler_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event, make_events
from tests.events.switches import Switch
from tests.events.threads import at_once
from tests.factories import make_tenant

Settle = Callable[[], int]
TYPE = "thing.happened"

pytestmark = pytest.mark.usefixtures("transactional_db")


def test_replay_makes_a_failed_event_processed(tenant: Tenant, settle_events: Settle) -> None:
    event, switch = make_event(), Switch()
    with handler_of(TYPE, function=switch):
        settle_events()
        switch.on = True
        replay = replay_event(event.id, reason="mended")
        settle_events()
    event.refresh_from_db()
    assert (event.status, event.error_message) == (EventStatus.PROCESSED, "")
    history = Attempt.objects.values_list("number", "status", "replay_id")
    assert list(history) == [(1, "failed", None), (2, "succeeded", replay.id)]
    assert progress_of(replay)["succeeded"] == 1


def test_replay_that_fails_again_says_so(tenant: Tenant, settle_events: Settle) -> None:
    event = make_event()
    with handler_of(TYPE, function=Switch()):
        settle_events()
        replay = replay_event(event.id)
        settle_events()
    event.refresh_from_db()
    assert event.status == EventStatus.FAILED
    assert progress_of(replay)["failed"] == 1


def test_replay_leaves_succeeded_handlers_alone(tenant: Tenant, settle_events: Settle) -> None:
    event, good, bad = make_event(), Switch(), Switch()
    good.on = True
    with (
        handler_of(TYPE, function=good, name="good"),
        handler_of(TYPE, function=bad, name="bad"),
    ):
        settle_events()
        bad.on = True
        replay_event(event.id)
        settle_events()
    assert (good.numbers, bad.numbers) == ([0], [0])


def test_chosen_handler_runs_again_though_it_succeeded(
    tenant: Tenant, settle_events: Settle
) -> None:
    event, switch = make_event(), Switch()
    switch.on = True
    with handler_of(TYPE, function=switch):
        settle_events()
        replay_event(event.id, handlers=["switch"])
        settle_events()
    assert switch.numbers == [0, 0]


def test_nothing_runs_when_nothing_failed(tenant: Tenant, settle_events: Settle) -> None:
    event, switch = make_event(), Switch()
    switch.on = True
    with handler_of(TYPE, function=switch):
        settle_events()
        replay = replay_event(event.id)
        settle_events()
    assert switch.numbers == [0]
    [item] = replay.items.all()
    assert (item.status, "nothing to run" in item.note) == (ReplayItem.Status.SKIPPED, True)


def test_external_handler_is_left_out_unless_asked_for(
    tenant: Tenant, settle_events: Settle
) -> None:
    event, switch = make_event(), Switch()
    with handler_of(TYPE, function=switch, effects="external", on_replay="skip"):
        settle_events()
        switch.on = True
        left_out = replay_event(event.id)
        settle_events()
        assert switch.numbers == []
        assert progress_of(left_out)["skipped"] == 1
        replay_event(event.id, include_external=True)
        settle_events()
    assert switch.numbers == [0]


def test_selection_is_frozen(tenant: Tenant, settle_events: Settle) -> None:
    switch = Switch()
    with handler_of(TYPE, function=switch):
        make_events(3)
        settle_events()
        replay = start_replay(Event.objects.filter(status="failed"), reason="mended")
        make_events(2)
        settle_events()
        switch.on = True
        advance_running_replays()
        settle_events()
    assert replay.selected == 3
    assert Event.objects.filter(status="processed").count() == 3
    assert Event.objects.filter(status="failed").count() == 2


def test_replay_finishes_when_all_items_have_answered(
    tenant: Tenant, settle_events: Settle
) -> None:
    switch = Switch()
    with handler_of(TYPE, function=switch):
        make_events(3)
        settle_events()
        switch.on = True
        replay = start_replay(Event.objects.filter(status="failed"), reason="mended")
        advance_running_replays()
        replay.refresh_from_db()
        assert replay.status == Replay.Status.RUNNING
        settle_events()
        advance_running_replays()
    replay.refresh_from_db()
    assert (replay.status, replay.finished_at is not None) == (Replay.Status.FINISHED, True)


def test_replay_of_another_tenants_event_does_not_exist(tenant: Tenant) -> None:
    event = make_event()
    with tenant_context(make_tenant("other")), pytest.raises(Event.DoesNotExist):
        replay_event(event.id)


def test_unknown_handler_is_refused(tenant: Tenant) -> None:
    with pytest.raises(ValueError, match="Unknown handler “nobody”"):
        replay_event(make_event().id, handlers=["nobody"])


def test_pending_event_is_skipped(tenant: Tenant) -> None:
    [item] = replay_event(make_event().id).items.all()
    assert (item.status, "still pending" in item.note) == (ReplayItem.Status.SKIPPED, True)


def test_replay_does_not_wait_for_an_event_that_a_worker_holds(
    tenant: Tenant, settle_events: Settle
) -> None:
    switch = Switch()
    with handler_of(TYPE, function=switch):
        held, _free = make_events(2)
        settle_events()
        switch.on = True
        replay = start_replay(Event.objects.filter(status="failed"), reason="mended")
        with transaction.atomic():
            Event.objects.select_for_update().get(pk=held.pk)
            at_once(1, advance_running_replays)
            settle_events()
        assert switch.numbers == [1]
        assert progress_of(replay)["waiting"] == 1
        advance_running_replays()
        settle_events()
    assert switch.numbers == [1, 0]


def test_pruned_event_is_skipped_and_named(tenant: Tenant, settle_events: Settle) -> None:
    switch = Switch()
    with handler_of(TYPE, function=switch):
        pruned, _kept = make_events(2)
        settle_events()
        switch.on = True
        replay = start_replay(Event.objects.filter(status="failed"), reason="mended")
        Event.unscoped.filter(pk=pruned.pk).delete()
        advance_running_replays()
        settle_events()
    assert ReplayItem.objects.get(replay=replay, status="skipped").note == PRUNED
    assert switch.numbers == [1]


def test_second_replay_before_the_first_ran_has_no_second_effect(tenant: Tenant) -> None:
    event, switch = make_event(), Switch()
    with handler_of(TYPE, function=switch):
        settle([event.id])
        switch.on = True
        replay_event(event.id)
        replay_event(event.id)
        settle([event.id])
        settle([event.id])
    assert switch.numbers == [0]
    assert Delivery.objects.get().attempts == 2
