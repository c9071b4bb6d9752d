"""Replaying from the admin: planned, guarded, frozen; and watched."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from events.models import Delivery, Event, EventStatus, Replay, ReplayItem
from events.replays import advance_running_replays, progress_of
from events.testing import handler_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event, make_events
from tests.events.switches import Switch
from tests.factories import make_tenant, make_user
from tests.staff import client_of, make_staff, make_superuser, said_on

Settle = Callable[[], int]
TYPE = "thing.happened"
LIST = reverse("admin:events_event_changelist")
PLAN = reverse("admin:events_event_replay")
MAY_REPLAY = ["view_event", "replay_event"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def root() -> Client:
    """The browser of a superuser."""
    return client_of(make_superuser())


def make_failed(count: int = 1, handler: str = "broken") -> list[Event]:
    """Events that failed just now."""
    events = make_events(count)
    ids = [event.pk for event in events]
    Event.unscoped.filter(pk__in=ids).update(
        status=EventStatus.FAILED, error_message="broken", processed_at=timezone.now()
    )
    Delivery.objects.bulk_create(
        Delivery(event=event, handler=handler, status="failed", error="broken", attempts=1)
        for event in events
    )
    return events


def plan_url(*events: Event) -> str:
    return f"{PLAN}?ids={','.join(str(event.pk) for event in events)}"


def as_of(client: Client, url: str) -> str:
    """What the plan's form carries along."""
    return str(client.get(url).context["as_of"])


def start(client: Client, url: str, **form: str) -> Any:
    """Read the plan, then confirm it."""
    given = {"as_of": as_of(client, url), "reason": "mended the handler", **form}
    return client.post(url, given, follow=True)


def items_of(replay: Replay) -> set[Any]:
    return set(ReplayItem.objects.filter(replay=replay).values_list("event_id", flat=True))


# --- The way through ----------------------------------------------------------------------------


def test_failed_event_is_processed_once_the_handler_works(
    tenant: Tenant, settle_events: Settle
) -> None:
    admin, switch = make_superuser(), Switch()
    event, client = make_event(), client_of(admin)
    with handler_of(TYPE, function=switch):
        settle_events()
        switch.on = True
        page = client.get(reverse("admin:events_event_change", args=[event.pk]))
        response = start(client, page.context["replay_url"])
        advance_running_replays()
        settle_events()
    event.refresh_from_db()
    replay = Replay.objects.get()
    assert (event.status, switch.numbers) == (EventStatus.PROCESSED, [0])
    assert (replay.reason, replay.actor, replay.tenant) == ("mended the handler", admin, tenant)
    assert response.redirect_chain[-1][0] == reverse("admin:events_replay_change", args=[replay.pk])
    assert "The replay of 1 event has started" in said_on(response)
    assert replay in client.get(page.request["PATH_INFO"]).context["replays"]


def test_ticked_events_are_replayed(tenant: Tenant, root: Client) -> None:
    first, second, _third = make_failed(3)
    ticked = {"action": "replay_selected", "_selected_action": [first.pk, second.pk]}
    response = root.post(LIST, ticked)
    assert response["Location"].startswith(PLAN)
    start(root, response["Location"])
    assert items_of(Replay.objects.get()) == {first.pk, second.pk}


def test_all_matching_reaches_beyond_the_page(tenant: Tenant, root: Client) -> None:
    failed = make_failed(120)
    make_event()
    url = root.get(LIST, {"status": "failed", "type": TYPE}).context["replay_all_url"]
    assert root.get(url).context["plan"].to_replay == 120
    start(root, url)
    replay = Replay.objects.get()
    assert (replay.selected, items_of(replay)) == (120, {event.pk for event in failed})


def test_all_matching_keeps_to_the_search(tenant: Tenant, root: Client) -> None:
    wanted, _other = make_failed()[0], make_failed()[0]
    url = root.get(LIST, {"q": str(wanted.subject_id)}).context["replay_all_url"]
    start(root, url)
    assert items_of(Replay.objects.get()) == {wanted.pk}


def test_selection_is_what_the_plan_showed(tenant: Tenant, root: Client) -> None:
    shown = make_failed(3)
    url = f"{PLAN}?status=failed"
    moment = as_of(root, url)
    make_failed(2)
    root.post(url, {"as_of": moment, "reason": "mended"})
    assert items_of(Replay.objects.get()) == {event.pk for event in shown}


def test_events_that_did_not_fail_are_left_as_they_are(tenant: Tenant, root: Client) -> None:
    [failed], pending = make_failed(), make_event()
    plan = root.get(plan_url(failed, pending)).context["plan"]
    assert (plan.to_replay, plan.left_out) == (1, {"Pending": "1"})
    start(root, plan_url(failed, pending))
    assert items_of(Replay.objects.get()) == {failed.pk}


def test_plan_says_what_runs_and_what_does_not(tenant: Tenant, root: Client) -> None:
    def sends_mail(event: Event) -> None: ...

    make_failed(2, "switch")
    make_failed(3, "sends_mail")
    make_failed(1, "gone")
    with (
        handler_of(TYPE, function=Switch()),
        handler_of(TYPE, function=sends_mail, effects="external", on_replay="skip"),
    ):
        page = root.get(PLAN)
    plans = {plan.name: plan for plan in page.context["plan"].handlers}
    assert {name: plan.failed for name, plan in plans.items()} == {
        "gone": 1,
        "sends_mail": 3,
        "switch": 2,
    }
    assert [name for name, plan in plans.items() if plan.is_skipped] == ["sends_mail"]
    assert [name for name, plan in plans.items() if not plan.is_installed] == ["gone"]
    assert page.context["plan"].types == [(TYPE, 6)]
    assert "left out, unless you tick the box" in page.content.decode()


def test_external_effects_stay_out_unless_asked_for(tenant: Tenant, settle_events: Settle) -> None:
    sent, switch = [], Switch()

    def sends_mail(event: Event) -> None:
        sent.append(event.pk)
        if not switch.on:
            raise ConnectionError("refused")

    root, event = client_of(make_superuser()), make_event()
    with handler_of(TYPE, function=sends_mail, effects="external", on_replay="skip"):
        settle_events()
        switch.on = True
        start(root, plan_url(event))
        advance_running_replays()
        settle_events()
        assert len(sent) == 1
        start(root, plan_url(event), include_external="on")
        advance_running_replays()
        settle_events()
    event.refresh_from_db()
    assert (len(sent), event.status) == (2, EventStatus.PROCESSED)
    outcomes = [progress_of(replay) for replay in Replay.objects.order_by("id")]
    assert (outcomes[0]["skipped"], outcomes[1]["succeeded"]) == (1, 1)


# --- What is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_reason_is_required(tenant: Tenant, root: Client, reason: str) -> None:
    [event] = make_failed()
    response = start(root, plan_url(event), reason=reason)
    assert "reason" in response.context["form"].errors
    assert not Replay.objects.exists()


@pytest.mark.parametrize("moment", ["", "yesterday", "2026-02-31T00:00:00+00:00", "2026-01-01"])
def test_plan_that_was_not_shown_starts_nothing(tenant: Tenant, root: Client, moment: str) -> None:
    [event] = make_failed()
    response = root.post(plan_url(event), {"reason": "forged", "as_of": moment})
    assert response.status_code in (200, 302)
    assert not Replay.objects.exists()


@pytest.mark.parametrize("ids", ["", "nonsense", "1,2", ",".join(["0" * 32] * 201)])
def test_selection_that_cannot_be_read_starts_nothing(root: Client, ids: str) -> None:
    response = root.get(PLAN, {"ids": ids}, follow=True)
    assert "This selection cannot be read" in said_on(response)


def test_nothing_failed_means_nothing_to_replay(tenant: Tenant, root: Client) -> None:
    event = make_event()
    page = root.get(plan_url(event)).content.decode()
    assert "There is nothing to replay" in page
    assert "<form class" not in page


def test_replay_needs_its_permission(tenant: Tenant) -> None:
    [event] = make_failed()
    people = {
        "anonymous": (None, 302),
        "rep": (make_user(tenant), 302),
        "staff without permission": (make_staff(tenant), 403),
        "staff that may look": (make_staff(tenant, may=["view_event"]), 403),
        "staff that may replay but not look": (make_staff(tenant, may=["replay_event"]), 403),
    }
    form = {"reason": "forged", "as_of": timezone.now().isoformat()}
    action = {"action": "replay_selected", "_selected_action": str(event.pk)}
    for name, (person, refused) in people.items():
        client = client_of(person)
        assert client.get(PLAN).status_code == refused, name
        assert client.post(plan_url(event), form).status_code == refused, name
        assert client.post(PLAN, form).status_code == refused, name
        assert client.post(LIST, action).status_code == refused, name
    assert not Replay.objects.exists()


def test_button_is_disabled_without_the_permission(tenant: Tenant) -> None:
    [event] = make_failed()
    client = client_of(make_staff(tenant, may=["view_event"]))
    for url in (LIST, reverse("admin:events_event_change", args=[event.pk])):
        page = client.get(url).content.decode()
        assert 'aria-disabled="true"' in page
        assert PLAN not in page
        assert "replay_selected" not in page


def test_staff_replays_and_watches_in_its_own_tenant(tenant: Tenant) -> None:
    [event] = make_failed()
    response = start(client_of(make_staff(tenant, may=MAY_REPLAY)), plan_url(event))
    assert response.status_code == 200
    assert items_of(Replay.objects.get()) == {event.pk}


def test_staff_of_another_tenant_reaches_no_event(tenant: Tenant) -> None:
    [event] = make_failed()
    client = client_of(make_staff(make_tenant(), may=MAY_REPLAY))
    form = {"reason": "forged", "as_of": timezone.now().isoformat()}
    for url in (plan_url(event), PLAN, f"{PLAN}?q={event.pk}", f"{PLAN}?status=failed"):
        assert client.get(url).context["plan"].to_replay == 0
        client.post(url, form)
    assert not Replay.objects.exists()


def test_replay_by_staff_of_two_tenants_stays_within_them(tenant: Tenant) -> None:
    second, third = make_tenant(), make_tenant()
    [first] = make_failed()
    with tenant_context(second):
        [other] = make_failed()
    with tenant_context(third):
        make_failed()
    person = make_staff(tenant, second, may=MAY_REPLAY)
    assert start(client_of(person), PLAN).status_code == 200
    replay = Replay.objects.get()
    assert (replay.tenant, items_of(replay)) == (None, {first.pk, other.pk})
    watcher = client_of(make_staff(tenant, may=[*MAY_REPLAY, "view_replay"]))
    assert watcher.get(reverse("admin:events_replay_change", args=[replay.pk])).status_code == 404


# --- Watching -----------------------------------------------------------------------------------


def make_replay(tenant: Tenant, **counts: int) -> Replay:
    """A replay with so many items of each status."""
    replay = Replay.objects.create(tenant=tenant, reason="mended", selected=sum(counts.values()))
    for status, count in counts.items():
        ReplayItem.objects.bulk_create(
            ReplayItem(replay=replay, event_id=event.pk, status=status, note=f"is {status}")
            for event in make_events(count)
        )
    return replay


def test_page_of_a_replay_shows_how_far_it_is(tenant: Tenant, root: Client) -> None:
    replay = make_replay(tenant, succeeded=5, failed=2, waiting=3)
    shown = root.get(reverse("admin:events_replay_change", args=[replay.pk]))
    widths = {part.status: part.width for part in shown.context["parts"] if part.count}
    assert widths == {"succeeded": 50.0, "failed": 20.0, "waiting": 30.0}
    assert (shown.context["done"], shown.context["shown"]) == (7, "failed")
    assert "7 of 10 done" in shown.content.decode()
    assert "is failed" in shown.content.decode()


def test_progress_refreshes_itself_until_the_end(tenant: Tenant, root: Client) -> None:
    replay = make_replay(tenant, waiting=1)
    url = reverse("admin:events_replay_progress", args=[replay.pk])
    running = root.get(url)
    assert f'hx-get="{url}"' in running.content.decode()
    Replay.objects.update(status=Replay.Status.FINISHED, finished_at=timezone.now())
    finished = root.get(url)
    assert "hx-get" not in finished.content.decode()
    assert (running.get("HX-Refresh"), finished["HX-Refresh"]) == (None, "true")


def test_items_are_listed_by_outcome_in_a_fixed_number_of_queries(
    tenant: Tenant, root: Client, django_assert_num_queries: Any
) -> None:
    replay = make_replay(tenant, succeeded=2, failed=30)
    url = reverse("admin:events_replay_change", args=[replay.pk])
    # Session, user, membership, replay, progress, items, their events, failed badge.
    for shown, count in (("succeeded", 2), ("failed", 30)):
        with django_assert_num_queries(8):
            assert len(root.get(url, {"show": shown}).context["items"]) == count


def test_replays_cannot_be_written(tenant: Tenant, root: Client) -> None:
    replay = make_replay(tenant, waiting=1)
    for view in ("add", "change", "delete"):
        url = reverse(f"admin:events_replay_{view}", args=[] if view == "add" else [replay.pk])
        assert root.post(url, {"reason": "forged", "post": "yes"}).status_code == 403
    assert Replay.objects.get().reason == "mended"


def test_progress_of_another_tenant_is_not_there(tenant: Tenant) -> None:
    replay = make_replay(tenant, waiting=1)
    stranger = client_of(make_staff(make_tenant(), may=[*MAY_REPLAY, "view_replay"]))
    for name in ("change", "progress"):
        url = reverse(f"admin:events_replay_{name}", args=[replay.pk])
        assert stranger.get(url).status_code == 404
