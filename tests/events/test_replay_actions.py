"""What people do with a replay, two of them at the same moment, too."""

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from events import replays
from events.models import AuditLine, Delivery, Event, FailureGroup, Replay, ReplayItem
from events.replays import TooLate, advance, plan_replay
from events.replays.progress import failed_again
from events.selections import Selection
from events.settling import settle
from events.testing import handler_of
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant, User
from tests.events.factories import make_events
from tests.events.switches import Switch
from tests.events.test_replay_running import make_failed
from tests.events.threads import at_once
from tests.factories import make_tenant
from tests.staff import client_of, make_staff, make_superuser, said_on

TYPE = "thing.happened"
MAY_REPLAY = ["view_event", "replay_event"]

pytestmark = pytest.mark.usefixtures("transactional_db")


def running(count: int = 5, **options: Any) -> Replay:
    make_failed(count)
    replay = plan_replay(Selection(status="failed"), Event.unscoped.all(), actor=None)
    replays.start(replay, actor=None, reason="mended", **options)
    return replay


def tried(act: Callable[..., None], replay: Replay, actor: User | None = None) -> str:
    """What came of it: "done", or the sentence of who came too late."""
    try:
        act(Replay.objects.get(pk=replay.pk), actor=actor, reason="because")
    except TooLate as late:
        return str(late)
    return "done"


@pytest.mark.parametrize("act", [replays.pause, replays.cancel, replays.resume])
def test_of_many_who_do_the_same_one_has_done_it(tenant: Tenant, act: Callable[..., None]) -> None:
    replay = running()
    if act is replays.resume:
        replays.pause(replay, actor=None)
    before = AuditLine.objects.count()
    results = at_once(5, lambda: tried(act, replay))
    assert results.count("done") == 1
    [late] = set(results) - {"done"}
    assert "Somebody was faster" in late
    assert AuditLine.objects.count() == before + 1


def test_pause_and_cancel_at_once_leave_it_cancelled_or_refuse_one(tenant: Tenant) -> None:
    replay = running()
    acts = iter([replays.pause, replays.cancel])
    results = at_once(2, lambda: tried(next(acts), replay))
    replay.refresh_from_db()
    assert replay.status == Replay.Status.CANCELLED
    lines = AuditLine.objects.filter(action__in=["replay.paused", "replay.cancelled"]).count()
    assert lines == results.count("done")


def test_pause_at_the_moment_of_a_release_loses_nothing(tenant: Tenant) -> None:
    switch = Switch()
    switch.on = True
    with handler_of(TYPE, function=switch):
        replay = running(50)
        acts: Iterator[Callable[[], object]] = iter(
            [lambda: advance(replay.id), lambda: replays.pause(replay, actor=None)]
        )
        at_once(2, lambda: next(acts)())
        replay.refresh_from_db()
        assert replay.status == Replay.Status.PAUSED
        released = ReplayItem.objects.filter(replay=replay, status="released")
        assert released.count() == replay.released
        pending = Delivery.objects.filter(replay_id=replay.id, status="pending")
        assert pending.count() == replay.released
        replays.resume(replay, actor=None)
        advance(replay.id)
        settle(list(replay.items.values_list("event_id", flat=True)))
        advance(replay.id)
    replay.refresh_from_db()
    assert (replay.status, replay.succeeded) == (Replay.Status.FINISHED, 50)
    assert sorted(switch.numbers) == list(range(50))


def test_plan_of_a_group_that_is_not_there_is_empty(tenant: Tenant) -> None:
    replay = plan_replay(Selection(group=str(uuid7())), Event.unscoped.all())
    assert (replay.status, replay.selected) == ("planned", 0)


def test_paused_replay_releases_nothing(tenant: Tenant) -> None:
    replay = running()
    replays.pause(replay, actor=None)
    advance(replay.id)
    assert not ReplayItem.objects.filter(replay=replay, status="released").exists()


def test_several_turns_at_once_release_every_event_once(tenant: Tenant) -> None:
    replay = running(300)
    at_once(4, lambda: advance(replay.id))
    replay.refresh_from_db()
    assert (replay.released, replay.skipped) == (300, 0)
    assert Delivery.objects.filter(replay_id=replay.id, status="pending").count() == 300


def test_pruned_list_cannot_be_resumed(tenant: Tenant) -> None:
    replay = running()
    Replay.objects.filter(pk=replay.pk).update(status="stopped", pruned_at="2026-01-01T00:00Z")
    replay.refresh_from_db()
    with pytest.raises(TooLate, match="pruned"):
        replays.resume(replay, actor=None, reason="anyway")


# --- In the admin -------------------------------------------------------------------------------


def act_url(replay: Replay) -> str:
    return reverse("admin:events_replay_act", args=[replay.pk])


def page_of(client: Client, replay: Replay, **query: str) -> Any:
    return client.get(reverse("admin:events_replay_change", args=[replay.pk]), query)


def test_buttons_do_what_they_say(tenant: Tenant) -> None:
    admin = make_superuser()
    client, replay = client_of(admin), running(has_canary=True)
    for act, status in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        assert act in {each.name for each in page_of(client, replay).context["acts"]}
        page = client.post(act_url(replay), {"act": act, "reason": "why not"}, follow=True)
        assert page.context["replay"].status == status
    assert page.context["acts"] == []
    assert "Cancelled: 5 events were not touched" in page.content.decode()
    lines = AuditLine.objects.filter(actor=admin).order_by("id")
    assert [(line.action, line.reason) for line in lines] == [
        ("replay.paused", "why not"),
        ("replay.resumed", "why not"),
        ("replay.cancelled", "why not"),
    ]


def test_pace_can_be_changed_while_it_runs(tenant: Tenant) -> None:
    client, replay = client_of(make_superuser()), running(pace=1)
    client.post(act_url(replay), {"act": "pace", "pace": "500"})
    assert Replay.objects.get().pace == 500
    refused = client.post(act_url(replay), {"act": "pace", "pace": "fast"}, follow=True)
    assert "Give a whole number" in said_on(refused)
    for emptied in ({"pace": ""}, {}):
        refused = client.post(act_url(replay), {"act": "pace", **emptied}, follow=True)
        assert "Give a whole number" in said_on(refused)
        assert Replay.objects.get().pace == 500
    assert 'value="no_pace"' in refused.content.decode()
    lifted = client.post(act_url(replay), {"act": "no_pace"}, follow=True)
    assert Replay.objects.get().pace is None
    assert 'value="no_pace"' not in lifted.content.decode()


def test_first_button_of_the_acts_does_nothing(tenant: Tenant) -> None:
    """The Enter key in the field of the reason presses it."""
    page = page_of(client_of(make_superuser()), running())
    _before, form = page.content.decode().split(f'action="{act_url(page.context["replay"])}"', 1)
    assert form.index('type="submit" hidden disabled') < form.index('value="pause"')


def test_to_go_on_after_a_stop_wants_a_reason(tenant: Tenant) -> None:
    client = client_of(make_superuser())
    with handler_of(TYPE, function=Switch()):
        replay = running(20, has_canary=True)
        advance(replay.id)
        settle(list(replay.items.filter(status="released").values_list("event_id", flat=True)))
        advance(replay.id)
    page = page_of(client, replay)
    assert "1 of 1 events failed" in page.content.decode()
    assert "19 events were not touched" in page.content.decode()
    refused = client.post(act_url(replay), {"act": "resume"}, follow=True)
    assert "Give a reason" in said_on(refused)
    client.post(act_url(replay), {"act": "resume", "reason": "deployed"})
    replay.refresh_from_db()
    assert (replay.status, replay.stop_percent) == ("running", None)


def test_start_without_a_reason_is_refused_wherever_it_comes_from(tenant: Tenant) -> None:
    make_failed(1)
    replay = plan_replay(Selection(status="failed"), Event.unscoped.all(), actor=None)
    with pytest.raises(replays.NoReason):
        replays.start(replay, actor=None, reason=" ")
    replay.refresh_from_db()
    assert replay.status == "planned"


@pytest.mark.parametrize("reason", ["a\x00b", "a" * 501])
def test_reason_that_cannot_be_kept_is_refused(tenant: Tenant, reason: str) -> None:
    client, replay = client_of(make_superuser()), running()
    refused = client.post(act_url(replay), {"act": "pause", "reason": reason}, follow=True)
    assert said_on(refused)
    replay.refresh_from_db()
    assert replay.status == "running"


def test_unknown_act_is_refused(tenant: Tenant) -> None:
    client, replay = client_of(make_superuser()), running()
    for act in ("", "explode"):
        assert client.post(act_url(replay), {"act": act}).status_code == 403


def test_going_on_with_external_effects_needs_their_permission(tenant: Tenant) -> None:
    replay = running()
    Replay.objects.update(include_external=True, status="paused")
    client = client_of(make_staff(tenant, may=MAY_REPLAY))
    assert client.post(act_url(replay), {"act": "resume"}).status_code == 403
    assert client.post(act_url(replay), {"act": "cancel"}).status_code == 302


# --- Watching -----------------------------------------------------------------------------------


def make_replay(tenant: Tenant, **counts: int) -> Replay:
    """A replay with so many items of each status, and counters that say so."""
    total = sum(counts.values())
    replay = Replay.objects.create(
        tenant=tenant,
        reason="mended",
        selected=total,
        released=total - counts.get("waiting", 0) - counts.get("skipped", 0),
        started_at="2026-01-01T00:00Z",
        **{name: counts.get(name, 0) for name in ("succeeded", "failed", "skipped")},
    )
    for status, count in counts.items():
        ReplayItem.objects.bulk_create(
            ReplayItem(replay=replay, event_id=event.pk, status=status, note=f"is {status}")
            for event in make_events(count)
        )
    return replay


def test_page_of_a_replay_shows_how_far_it_is(tenant: Tenant) -> None:
    replay = make_replay(tenant, succeeded=5, failed=2, waiting=3)
    shown = page_of(client_of(make_superuser()), replay)
    widths = {part.status: part.width for part in shown.context["parts"] if part.count}
    assert widths == {"succeeded": 50.0, "failed": 20.0, "waiting": 30.0}
    assert (shown.context["done"], shown.context["shown"]) == (7, "failed")
    assert "7 of 10 done" in shown.content.decode()
    assert "is failed" in shown.content.decode()


def test_progress_refreshes_itself_until_the_end(tenant: Tenant) -> None:
    root, replay = client_of(make_superuser()), make_replay(tenant, waiting=1)
    url = reverse("admin:events_replay_progress", args=[replay.pk])
    alive = root.get(url, {"status": "running"})
    assert f'hx-get="{url}?status=running' in alive.content.decode()
    Replay.objects.update(status=Replay.Status.FINISHED, finished_at="2026-01-01T00:00Z")
    finished = root.get(url, {"status": "running"})
    assert "hx-get" not in finished.content.decode()
    assert (alive.get("HX-Refresh"), finished["HX-Refresh"]) == (None, "true")


def test_rate_is_that_since_the_last_look(tenant: Tenant) -> None:
    root, replay = client_of(make_superuser()), make_replay(tenant, succeeded=50, waiting=50)
    url = reverse("admin:events_replay_progress", args=[replay.pk])
    for since in ("", "nonsense", "1:x", "999:1.0"):
        assert root.get(url, {"since": since}).status_code == 200
    mark = root.get(url).context["speed"].mark
    done, at = mark.split(":")
    assert done == "50"
    speed = root.get(url, {"since": f"30:{float(at) - 10}"}).context["speed"]
    assert 1 < speed.per_second < 2.5
    assert 20 < speed.seconds_left < 50


def test_items_are_listed_by_outcome_in_a_fixed_number_of_queries(
    tenant: Tenant, django_assert_num_queries: Any
) -> None:
    root, replay = client_of(make_superuser()), make_replay(tenant, succeeded=2, failed=30)
    for shown, count, queries in (("succeeded", 2, 0), ("failed", 30, 1)):
        with django_assert_num_queries(PAGE_QUERIES + queries):
            assert len(page_of(root, replay, show=shown).context["rows"]) == count


# Session, user; transaction, time limit, replay, items, their events, audit. What is read past
# Django, as the database's time and the sidebar's badge, is not counted.
PAGE_QUERIES = 10


def test_replays_cannot_be_written(tenant: Tenant) -> None:
    root, replay = client_of(make_superuser()), make_replay(tenant, waiting=1)
    for view in ("add", "change", "delete"):
        url = reverse(f"admin:events_replay_{view}", args=[] if view == "add" else [replay.pk])
        assert root.post(url, {"reason": "forged", "post": "yes"}).status_code == 403
    assert Replay.objects.get().reason == "mended"


def test_replay_of_another_tenant_is_not_there(tenant: Tenant) -> None:
    replay = make_replay(tenant, waiting=1)
    stranger = client_of(make_staff(make_tenant(), may=MAY_REPLAY))
    for name in ("change", "progress", "csv", "outlook"):
        url = reverse(f"admin:events_replay_{name}", args=[replay.pk])
        assert stranger.get(url).status_code == 404, name
    assert stranger.post(act_url(replay), {"act": "cancel"}).status_code == 404


def test_csv_tells_what_came_of_every_item(
    tenant: Tenant, settle_events: Callable[[], int]
) -> None:
    switch = Switch()
    switch.error = ValueError("=1+1")
    with handler_of(TYPE, function=switch):
        replay = running(3)
        advance(replay.id)
        settle_events()
        advance(replay.id)
    response = client_of(make_superuser()).get(reverse("admin:events_replay_csv", args=[replay.pk]))
    lines = response.getvalue().decode().splitlines()
    assert lines[0].split(",")[:3] == ["event", "type", "tenant"]
    assert len(lines) == 4
    assert all("failed" in line and "switch: ValueError: =1+1" in line for line in lines[1:])
    assert response["Content-Disposition"].endswith(f'replay-{replay.pk}.csv"')


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_csv_holds_no_formula(tenant: Tenant, first: str) -> None:
    replay = make_replay(tenant, skipped=1)
    ReplayItem.objects.update(note=f"{first}1+1")
    url = reverse("admin:events_replay_csv", args=[replay.pk])
    text = client_of(make_superuser()).get(url).getvalue().decode()
    [line] = csv.DictReader(io.StringIO(text, newline=""))
    assert line["note"] == f"'{first}1+1"


def test_causes_of_another_tenant_are_not_told(tenant: Tenant) -> None:
    replay = running(1)
    assert failed_again(replay, FailureGroup.unscoped.none()) == []
