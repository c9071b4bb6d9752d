from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from events import pruning
from events.models import Attempt, Delivery, Event, EventStatus, Replay, ReplayItem
from events.replays import advance, progress_of, start_replay
from events.replays.progress import skipped_in
from events.settling import settle
from events.testing import handler_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import first_uuid7_of, uuid7
from salesflow.accounts.models import Tenant
from tests.events.factories import make_events
from tests.factories import make_tenant
from tests.staff import client_of, make_superuser

pytestmark = pytest.mark.django_db


def fail(event: Event) -> None:
    raise RuntimeError("broken")


def age(events: list[Event], days: int) -> None:
    """Make events look as if they had been published days ago."""
    for number, event in enumerate(events):
        moment = timezone.now() - timedelta(days=days)
        old_id = UUID(int=first_uuid7_of(moment).int + number)
        Delivery.objects.filter(event_id=event.id).update(event_id=old_id)
        ReplayItem.objects.filter(event_id=event.id).update(event_id=old_id)
        Event.unscoped.filter(pk=event.id).update(id=old_id, created_at=moment)


def make_settled(
    count: int, days: int = 0, function: Callable[[Event], object] = fail
) -> list[Event]:
    with handler_of("thing.happened", function=function, name="thing_handler"):
        events = make_events(count)
        settle([event.id for event in events])
    age(events, days)
    return events


def prune(*arguments: str) -> None:
    call_command("prune_events", *arguments)


def test_old_settled_events_go_with_all_that_is_theirs(
    tenant: Tenant, capsys: pytest.CaptureFixture[str]
) -> None:
    make_settled(3, days=100)
    make_settled(2, days=80)
    prune()
    assert capsys.readouterr().out == "Deleted 3 events, 0 items of replays and 0 failure groups.\n"
    assert Event.objects.count() == Delivery.objects.count() == Attempt.objects.count() == 2


def test_pending_events_stay_whatever_their_age(tenant: Tenant) -> None:
    age(make_events(2), days=400)
    prune("--older-than", "1d")
    assert Event.objects.count() == 2


def test_event_that_a_replay_has_released_stays(tenant: Tenant) -> None:
    make_settled(1, days=100)
    replay = start_replay(Event.objects.all(), reason="mended")
    advance(replay.id)
    prune()
    assert Event.objects.get().status == EventStatus.PENDING


def test_failed_event_that_later_ones_wait_for_stays(tenant: Tenant) -> None:
    lead_id = uuid7()
    with handler_of("thing.happened", function=fail):
        first, later = make_events(2, lead_id)
        settle([first.id])
    age([first, later], days=100)
    prune()
    assert Event.objects.count() == 2
    settle(list(Event.objects.values_list("id", flat=True)))
    prune()
    assert not Event.objects.exists()


def make_replay(reason: str = "mended") -> Replay:
    """A replay of all events, which finishes at once where none of them has failed."""
    replay = start_replay(Event.objects.all(), reason=reason)
    advance(replay.id)
    replay.refresh_from_db()
    assert replay.status == Replay.Status.FINISHED
    return replay


def end_long_ago(*replays: Replay) -> None:
    ids = [replay.pk for replay in replays]
    Replay.objects.filter(pk__in=ids).update(finished_at=timezone.now() - timedelta(days=91))


def test_record_of_an_old_replay_outlives_the_list_of_its_events(
    tenant: Tenant, capsys: pytest.CaptureFixture[str]
) -> None:
    make_settled(2, function=lambda event: None)
    old, fresh = make_replay("old"), make_replay("fresh")
    before, reasons = progress_of(old), skipped_in(old)
    assert (before["skipped"], list(reasons.values())) == (2, [2])
    end_long_ago(old)
    prune()
    assert capsys.readouterr().out == "Deleted 0 events, 2 items of replays and 0 failure groups.\n"
    assert set(ReplayItem.objects.values_list("replay", flat=True)) == {fresh.pk}
    old.refresh_from_db()
    assert (progress_of(old), skipped_in(old)) == (before, reasons)
    assert old.pruned_at is not None


def test_running_replay_keeps_its_items(tenant: Tenant) -> None:
    make_settled(1)
    replay = start_replay(Event.objects.all(), reason="mended")
    advance(replay.id)
    end_long_ago(replay)
    prune()
    assert ReplayItem.objects.count() == 1


def test_long_lists_and_many_replays_are_pruned(tenant: Tenant) -> None:
    make_settled(1, function=lambda event: None)
    many = [make_replay() for _number in range(pruning.BATCH_OF_REPLAYS + 1)]
    ReplayItem.objects.bulk_create(
        ReplayItem(replay=many[0], event_id=uuid7(), status=ReplayItem.Status.SUCCEEDED)
        for _number in range(pruning.BATCH * 2)
    )
    end_long_ago(*many)
    prune()
    assert not ReplayItem.objects.exists()
    assert not Replay.objects.filter(pruned_at=None).exists()


def test_admin_says_that_the_list_was_pruned(tenant: Tenant) -> None:
    make_settled(2, function=lambda event: None)
    replay = make_replay()
    end_long_ago(replay)
    prune()
    page = client_of(make_superuser()).get(reverse("admin:events_replay_change", args=[replay.pk]))
    assert "The list of these events was pruned on" in page.content.decode()
    assert "2 of 2 done" in page.content.decode()


def test_all_tenants_are_pruned(tenant: Tenant) -> None:
    make_settled(1, days=100)
    with tenant_context(make_tenant("other")):
        make_settled(1, days=100)
    prune()
    assert not Event.unscoped.exists()


def test_dry_run_counts_and_deletes_nothing(
    tenant: Tenant, capsys: pytest.CaptureFixture[str]
) -> None:
    make_settled(3, days=100)
    prune("--dry-run")
    assert (
        capsys.readouterr().out
        == "3 events, 0 items of replays and 0 failure groups would be deleted.\n"
    )
    assert Event.objects.count() == 3


def test_many_batches_are_pruned(tenant: Tenant) -> None:
    make_settled(pruning.BATCH * 2 + 1, days=100, function=lambda event: None)
    prune()
    assert not Event.objects.exists()
    assert not Delivery.objects.exists()


def test_time_span_that_is_none_is_refused(tenant: Tenant) -> None:
    with pytest.raises(CommandError, match="no time span"):
        prune("--older-than=-5d")


def test_time_span_longer_than_the_calendar_deletes_nothing(tenant: Tenant) -> None:
    make_settled(1, days=100)
    prune("--older-than", "999999w")
    assert Event.objects.count() == 1


def test_ids_sort_like_their_time() -> None:
    before, now = first_uuid7_of(timezone.now() - timedelta(seconds=1)), uuid7()
    after = first_uuid7_of(timezone.now() + timedelta(seconds=1))
    assert before < now < after
    moment = datetime(2026, 1, 31, tzinfo=UTC)
    assert first_uuid7_of(moment).int >> 80 == int(moment.timestamp() * 1000)
