"""What a replay's page and the API tell of it: what its reader may see, what is so now, no less."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone, translation

from events.models import AuditLine, Delivery, Event, FailureGroup, Replay, ReplayItem
from events.replays import plan_for_page, resume, start
from events.replays.judging import stopped_sentence
from events.replays.notes import NOTHING_TO_RUN, ONLY_EXTERNAL
from events.replays.progress import MOST_READ, failed_again, new_failures, speed_of, waits_of
from events.replays.serializers import ReplayProgressSerializer
from events.selections import Selection
from events.testing import handler_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant, User
from tests.events.alert_factories import make_group
from tests.events.factories import make_failed_event, make_failure
from tests.events.switches import Switch
from tests.events.test_replay_running import TYPE, begin, go_on, make_failed, planned
from tests.factories import make_tenant
from tests.staff import client_of, make_staff, make_superuser

pytestmark = pytest.mark.usefixtures("transactional_db")


def progress_for(user: User, replay: Replay) -> str:
    """The text of that part of the replay's page that tells how far it is."""
    url = reverse("admin:events_replay_progress", args=[replay.pk])
    return " ".join(client_of(user).get(url).content.decode().split())


# --- New failures -------------------------------------------------------------------------------


def test_new_failures_of_tenants_that_the_reader_does_not_see_are_not_told(tenant: Tenant) -> None:
    group, theirs, strangers = make_failure(), make_tenant(), make_tenant()
    with tenant_context(theirs):
        make_failure()
    staff = make_staff(tenant, theirs, may=["view_event", "replay_event"])
    replay = plan_for_page(Selection(group=str(group.fingerprint)), actor=staff)
    start(replay, actor=staff, reason="mended")
    assert replay.tenant is None
    make_failure(2)
    with tenant_context(strangers):
        make_failure(7)
    assert "2 more events have failed so" in progress_for(staff, replay)
    assert "9 more events have failed so" in progress_for(make_superuser(), replay)


def test_new_failures_of_one_tenants_replay_are_that_tenants(tenant: Tenant) -> None:
    group = make_failure()
    replay = begin(planned(group=str(group.fingerprint)))
    with tenant_context(make_tenant()):
        make_failure(7)
    assert new_failures(replay, FailureGroup.unscoped.all()).number == 0


# --- Why it stopped -----------------------------------------------------------------------------


def test_replay_that_goes_on_says_no_more_that_it_stopped(tenant: Tenant) -> None:
    root, switch = make_superuser(), Switch()
    group = make_failure(30, handler="switch")
    with handler_of(TYPE, function=switch):
        replay = begin(planned(group=str(group.fingerprint)), has_canary=True)
        go_on(replay)
        go_on(replay)
        assert "29 events were not touched" in progress_for(root, replay)
        switch.on = True
        resume(replay, actor=None, reason="deployed")
        assert "not touched" not in progress_for(root, replay)
        go_on(replay)
        go_on(replay)
    assert replay.status == Replay.Status.FINISHED
    assert "not touched" not in progress_for(root, replay)
    assert ReplayProgressSerializer(replay).data["stopped_because"] == ""
    assert "not touched" in AuditLine.objects.get(action="replay.stopped").reason


@pytest.mark.parametrize(("language", "number"), [("en", "1,999 "), ("de", "1.999 ")])
def test_large_numbers_are_written_as_the_reader_does(language: str, number: str) -> None:
    told = {"failed": 1, "answers": 1, "came_back": 1, "limit": 10, "untouched": 1999}
    with translation.override(language):
        assert number in stopped_sentence(told)


# --- How long it takes --------------------------------------------------------------------------


def test_time_left_is_not_shorter_than_the_pace_allows() -> None:
    """A burst is over sooner than what waits behind it."""
    now = timezone.now()
    replay = Replay(
        selected=1000, released=500, succeeded=500, pace=100, started_at=now - timedelta(seconds=2)
    )
    assert speed_of(replay, now=now).seconds_left == 5.0
    replay.pace = None
    assert speed_of(replay, now=now).seconds_left == 2.0


# --- What runs ----------------------------------------------------------------------------------


def told_plan(replay: Replay) -> dict[str, Any]:
    plan: dict[str, Any] = ReplayProgressSerializer(replay).data["plan"]
    return plan


def test_api_tells_what_the_chosen_handlers_run(tenant: Tenant) -> None:
    def mails(event: Event) -> None: ...

    make_failed_event(1, ("first",))
    make_failed_event(2, ("second",))
    make_failed_event(3, ("first", "mails"))
    make_failed_event(4, ("mails",))
    with (
        handler_of(TYPE, function=Switch(), name="first"),
        handler_of(TYPE, function=Switch(), name="second"),
        handler_of(TYPE, function=mails, effects="external", on_replay="skip"),
    ):
        plan = planned()
        assert (told_plan(plan)["runs"], told_plan(plan)["skipped"]) == (3, {ONLY_EXTERNAL: 1})
        begin(plan, handlers=["first"])
        told = told_plan(plan)
        assert (told["runs"], told["skipped"]) == (2, {NOTHING_TO_RUN: 1, ONLY_EXTERNAL: 1})
        everything = begin(planned(), include_external=True)
        assert (told_plan(everything)["runs"], told_plan(everything)["skipped"]) == (4, {})


# --- Bounds -------------------------------------------------------------------------------------


def add_failed_items(replay: Replay, count: int, group: FailureGroup) -> None:
    """So many items more that failed so; their events were pruned."""
    ids = [uuid4() for _number in range(count)]
    ReplayItem.objects.bulk_create(
        ReplayItem(replay=replay, event_id=event_id, status="failed") for event_id in ids
    )
    Delivery.objects.bulk_create(
        Delivery(
            event_id=event_id,
            handler="switch",
            status="failed",
            replay_id=replay.pk,
            group_id=group.pk,
        )
        for event_id in ids
    )
    replay.released = replay.failed = replay.failed + count
    replay.save()


def test_causes_that_were_not_counted_to_the_end_say_so(tenant: Tenant) -> None:
    group = make_group(tenant)
    replay = Replay.objects.create(tenant=tenant, selected=MOST_READ + 5)
    add_failed_items(replay, MOST_READ, group)
    groups = FailureGroup.unscoped.all()
    assert [cause.label for cause in failed_again(replay, groups)] == ["2,000"]
    add_failed_items(replay, 5, group)
    assert [cause.label for cause in failed_again(replay, groups)] == ["2,000+"]
    assert "2,000+ ×" in progress_for(make_superuser(), replay)


def test_waiting_events_that_were_not_counted_to_the_end_say_so(tenant: Tenant) -> None:
    make_failed(1)
    [event] = Event.unscoped.all()
    replay = Replay.objects.create(tenant=tenant, selected=MOST_READ + 5, released=1)
    ReplayItem.objects.create(replay=replay, event_id=event.pk, status="released")
    Delivery.objects.update(status="pending", replay_id=replay.pk)
    assert [wait.label for wait in waits_of(replay)] == ["1"]
    replay.released = MOST_READ + 1
    assert [wait.label for wait in waits_of(replay)] == ["1+"]


def test_new_failures_that_were_not_counted_to_the_end_say_so(tenant: Tenant) -> None:
    group = make_group(tenant)
    replay = Replay.objects.create(
        tenant=tenant, selection=Selection(group=str(group.fingerprint)).as_json()
    )
    Delivery.objects.bulk_create(
        Delivery(event_id=uuid4(), handler="switch", status="failed", group_id=group.pk)
        for _number in range(MOST_READ)
    )
    found = new_failures(replay, FailureGroup.unscoped.all())
    assert found.label == "2,000+"
