"""Replaying from the admin: planned, guarded, frozen."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from events.console.addresses import list_url
from events.models import AuditLine, Delivery, Event, EventStatus, Replay, ReplayItem
from events.replays import advance_running_replays, progress_of
from events.replays.planning import MOST_AT_ONCE
from events.selections import Selection
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


@pytest.fixture(autouse=True)
def broken() -> Iterator[Switch]:
    """The handler at which events have failed; mended meanwhile."""
    switch = Switch()
    switch.on = True
    with handler_of(TYPE, function=switch, name="broken"):
        yield switch


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


def plan(client: Client, url: str = PLAN) -> Any:
    """Make a plan, and look at it."""
    return client.post(url, follow=True)


def start_url(replay: Replay) -> str:
    return reverse("admin:events_replay_start", args=[replay.pk])


def start(client: Client, url: str = PLAN, **form: Any) -> Any:
    """Make a plan and start it as it is proposed."""
    page = plan(client, url)
    given = {"reason": "mended the handler", "handlers": page.context["ticked"], **form}
    return client.post(start_url(page.context["replay"]), given, follow=True)


def items_of(replay: Replay) -> set[Any]:
    return set(ReplayItem.objects.filter(replay=replay).values_list("event_id", flat=True))


def started() -> Any:
    """The replays that somebody has started."""
    return Replay.objects.exclude(started_at=None)


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
    assert replay in client.get(page.request["PATH_INFO"]).context["replays"]
    line = AuditLine.objects.get(action="replay.started")
    assert (line.actor, line.reason, line.target_id) == (admin, replay.reason, str(replay.pk))


def test_looking_at_a_selection_changes_nothing(tenant: Tenant, root: Client) -> None:
    make_failed(3)
    page = root.get(PLAN, {"status": "failed", "type": TYPE})
    assert page.context["number"] == "3"
    assert not Replay.objects.exists()


def test_nothing_ticked_is_told_and_the_filter_stays(tenant: Tenant, root: Client) -> None:
    make_failed()
    url = f"{LIST}?status=failed"
    response = root.post(url, {}, follow=True)
    assert response.redirect_chain == [(url, 302)]
    assert "Tick at least one event." in said_on(response)
    assert not Replay.objects.exists()


def test_ticked_events_are_planned(tenant: Tenant, root: Client) -> None:
    first, second, _third = make_failed(3)
    ticked = {"action": "replay_selected", "_selected_action": [first.pk, second.pk]}
    response = root.post(LIST, ticked)
    assert response["Location"].startswith(PLAN)
    plan(root, response["Location"])
    assert items_of(Replay.objects.get()) == {first.pk, second.pk}


def test_all_matching_reaches_beyond_the_page(tenant: Tenant, root: Client) -> None:
    failed = make_failed(120)
    make_event()
    url = root.get(LIST, {"status": "failed", "type": TYPE}).context["replay_all_url"]
    page = plan(root, url)
    replay = page.context["replay"]
    assert (replay.status, replay.selected) == ("planned", 120)
    assert items_of(replay) == {event.pk for event in failed}
    assert "Replay 120 events" in page.content.decode()


def test_selection_is_what_the_plan_showed(tenant: Tenant, root: Client) -> None:
    shown = make_failed(3)
    replay = plan(root, f"{PLAN}?status=failed").context["replay"]
    make_failed(100)
    root.post(start_url(replay), {"reason": "mended", "handlers": ["broken"]})
    advance_running_replays()
    assert started().get() == replay
    assert items_of(replay) == {event.pk for event in shown}
    assert Event.objects.filter(status="failed").count() == 100


def test_events_that_did_not_fail_are_left_as_they_are(tenant: Tenant, root: Client) -> None:
    [failed], pending = make_failed(), make_event()
    page = plan(root, plan_url(failed, pending))
    assert page.context["left_out"] == [("Pending", "1")]
    assert items_of(page.context["replay"]) == {failed.pk}


def test_plan_counts_exactly_by_type_tenant_and_handler(tenant: Tenant, root: Client) -> None:
    def sends_mail(event: Event) -> None: ...

    make_failed(2, "switch")
    mailed = make_failed(3, "sends_mail")
    make_failed(1, "gone")
    with tenant_context(make_tenant("globex")):
        both = make_failed(4, "switch")
    Delivery.objects.bulk_create(
        Delivery(event=event, handler="gone", status="failed") for event in both
    )
    with (
        handler_of(TYPE, function=Switch()),
        handler_of(TYPE, function=sends_mail, effects="external", on_replay="skip"),
    ):
        page = plan(root)
    handlers = {each.name: each for each in page.context["form"].planned}
    assert {name: each.number for name, each in handlers.items()} == {
        "gone": 5,
        "sends_mail": 3,
        "switch": 6,
    }
    assert [name for name, each in handlers.items() if each.is_left_out] == ["sends_mail"]
    assert [name for name, each in handlers.items() if not each.is_installed] == ["gone"]
    assert page.context["types"] == [(TYPE, 10)]
    assert page.context["tenants"] == [("Acme", 6), ("Globex", 4)]
    assert page.context["ticked"] == ["switch"]
    assert page.context["outlook"].runs == 6
    assert sorted(page.context["outlook"].skipped.values()) == [1, 3]
    assert str(mailed[0].subject_id)[:13] in page.content.decode()


def test_outlook_follows_what_is_ticked(tenant: Tenant, root: Client) -> None:
    make_failed(2)
    make_failed(3, "second")
    replay = plan(root).context["replay"]
    url = reverse("admin:events_replay_outlook", args=[replay.pk])
    with handler_of(TYPE, function=Switch(), name="second"):
        page = root.get(url, {"handlers": ["second"], "pace": "1"})
    assert (page.context["outlook"].runs, page.context["outlook"].seconds) == (3, 3)
    assert "3 events run, in about 3 seconds" in " ".join(page.content.decode().split()).replace(
        "</strong>", ""
    )
    assert root.get(url).context["outlook"].runs == 0


def test_chosen_handlers_alone_run_again(tenant: Tenant, settle_events: Settle) -> None:
    root, first, second = client_of(make_superuser()), Switch(), Switch()
    make_event()
    with (
        handler_of(TYPE, function=first, name="first"),
        handler_of(TYPE, function=second, name="second"),
    ):
        settle_events()
        first.on = second.on = True
        start(root, handlers=["second"])
        advance_running_replays()
        settle_events()
    assert (first.numbers, second.numbers) == ([], [0])


def test_large_selection_is_planned_in_the_background(
    tenant: Tenant, root: Client, settings: Any
) -> None:
    count = MOST_AT_ONCE + 1
    make_failed(count)
    page = plan(root)
    replay = page.context["replay"]
    assert (replay.status, replay.selected) == ("planning", 0)
    assert "hx-get" in page.content.decode()
    with connection.cursor() as cursor:
        # The page's own limit ends with its transaction, which is the test's here.
        cursor.execute("SET LOCAL statement_timeout = 0")
    while replay.status == "planning":
        advance_running_replays()
        replay.refresh_from_db()
    assert (replay.status, replay.selected) == ("planned", count)
    progress = root.get(
        reverse("admin:events_replay_progress", args=[replay.pk]), {"status": "planning"}
    )
    assert progress["HX-Refresh"] == "true"


# --- External effects ---------------------------------------------------------------------------


def test_external_effects_stay_out_unless_ticked(tenant: Tenant, settle_events: Settle) -> None:
    sent, switch = [], Switch()

    def sends_mail(event: Event) -> None:
        sent.append(event.pk)
        if not switch.on:
            raise ConnectionError("refused")

    root = client_of(make_superuser())
    make_event()
    with (
        handler_of(TYPE, function=sends_mail, effects="external", on_replay="skip"),
        handler_of(TYPE, function=switch),
    ):
        settle_events()
        switch.on = True
        start(root)
        advance_running_replays()
        settle_events()
        assert (len(sent), switch.numbers) == (1, [0])
        response = start(root, handlers=["sends_mail"])
        advance_running_replays()
        settle_events()
    assert len(sent) == 2
    assert response.context["replay"].include_external
    assert Event.objects.get().status == EventStatus.PROCESSED
    outcomes = [progress_of(replay) for replay in Replay.objects.order_by("id")]
    assert (outcomes[0]["succeeded"], outcomes[1]["succeeded"]) == (1, 1)


def test_external_effects_need_a_permission_of_their_own(tenant: Tenant) -> None:
    def sends_mail(event: Event) -> None: ...

    with handler_of(TYPE, function=sends_mail, effects="external", on_replay="skip"):
        make_failed(1, "sends_mail")
        client = client_of(make_staff(tenant, may=MAY_REPLAY))
        page = plan(client)
        assert "disabled title=" in page.content.decode()
        form = {"reason": "forged", "handlers": ["sends_mail"]}
        assert client.post(start_url(page.context["replay"]), form).status_code == 403
        assert not started().exists()
        client = client_of(make_staff(tenant, may=[*MAY_REPLAY, "replay_external"]))
        client.post(start_url(page.context["replay"]), form)
    assert started().get().include_external


# --- What is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reason", ""),
        ("reason", "   "),
        ("reason", "x" * 501),
        ("handlers", []),
        ("handlers", ["nobody"]),
        ("pace", "0"),
        ("pace", "fast"),
        ("stop_percent", "100"),
    ],
)
def test_form_that_is_wrong_starts_nothing(
    tenant: Tenant, root: Client, field: str, value: Any
) -> None:
    [event] = make_failed()
    response = start(root, plan_url(event), **{field: value})
    assert field in response.context["form"].errors
    assert not started().exists()


@pytest.mark.parametrize(
    "query", ["ids=nonsense", "ids=1,2", "status=done", "statsu=failed", "status=failed&status=x"]
)
def test_selection_that_cannot_be_read_plans_nothing(root: Client, query: str) -> None:
    for response in (root.get(f"{PLAN}?{query}"), root.post(f"{PLAN}?{query}")):
        assert response.status_code == 400
        assert "This selection cannot be read" in response.content.decode()
    assert not Replay.objects.exists()


def test_nothing_failed_means_nothing_to_replay(tenant: Tenant, root: Client) -> None:
    event = make_event()
    assert "There is nothing to replay" in root.get(plan_url(event)).content.decode()
    page = plan(root, plan_url(event))
    assert "There is nothing to replay" in page.content.decode()


def test_two_who_start_one_plan_start_it_once(tenant: Tenant, root: Client) -> None:
    make_failed()
    page = plan(root)
    form = {"reason": "mended", "handlers": page.context["ticked"]}
    url = start_url(page.context["replay"])
    root.post(url, form)
    late = root.post(url, {**form, "reason": "too late"}, follow=True)
    assert "Somebody was faster" in said_on(late)
    assert started().get().reason == "mended"
    assert AuditLine.objects.filter(action="replay.started").count() == 1


def test_dropped_plan_leaves_no_items(tenant: Tenant, root: Client) -> None:
    make_failed()
    replay = plan(root).context["replay"]
    act = reverse("admin:events_replay_act", args=[replay.pk])
    root.post(act, {"act": "cancel"})
    replay.refresh_from_db()
    assert (replay.status, items_of(replay)) == ("cancelled", set())


def test_replay_needs_its_permission(tenant: Tenant) -> None:
    [event] = make_failed()
    planned = plan(client_of(make_superuser())).context["replay"]
    people = {
        "anonymous": (None, 302),
        "rep": (make_user(tenant), 302),
        "staff without permission": (make_staff(tenant), 403),
        "staff that may look": (make_staff(tenant, may=["view_event"]), 403),
        "staff that may replay but not look": (make_staff(tenant, may=["replay_event"]), 403),
    }
    form = {"reason": "forged", "handlers": ["broken"], "act": "cancel"}
    action = {"action": "replay_selected", "_selected_action": str(event.pk)}
    for name, (person, refused) in people.items():
        client = client_of(person)
        assert client.get(PLAN).status_code == refused, name
        assert client.post(plan_url(event)).status_code == refused, name
        assert client.post(start_url(planned), form).status_code == refused, name
        act = reverse("admin:events_replay_act", args=[planned.pk])
        assert client.post(act, form).status_code == refused, name
        assert client.post(LIST, action).status_code == refused, name
    assert [replay.status for replay in Replay.objects.all()] == ["planned"]


def test_acts_are_no_links(tenant: Tenant, root: Client) -> None:
    make_failed()
    replay = plan(root).context["replay"]
    assert root.get(start_url(replay)).status_code == 405
    assert root.get(reverse("admin:events_replay_act", args=[replay.pk])).status_code == 405


def test_staff_replays_and_watches_in_its_own_tenant(tenant: Tenant) -> None:
    [event] = make_failed()
    response = start(client_of(make_staff(tenant, may=MAY_REPLAY)), plan_url(event))
    assert response.status_code == 200
    assert items_of(Replay.objects.get()) == {event.pk}


def test_staff_of_another_tenant_reaches_no_event(tenant: Tenant) -> None:
    [event] = make_failed()
    planned = plan(client_of(make_superuser())).context["replay"]
    client = client_of(make_staff(make_tenant(), may=MAY_REPLAY))
    for url in (plan_url(event), PLAN, list_url(Selection(tenant=str(tenant.pk)))):
        client.post(url)
    form = {"reason": "forged", "handlers": ["broken"], "act": "cancel"}
    assert client.post(start_url(planned), form).status_code == 404
    act = reverse("admin:events_replay_act", args=[planned.pk])
    assert client.post(act, form).status_code == 404
    assert not started().exists()
    assert set(Replay.objects.exclude(pk=planned.pk).values_list("selected", flat=True)) == {0}


def test_replay_by_staff_of_two_tenants_stays_within_them(tenant: Tenant) -> None:
    second, third = make_tenant(), make_tenant()
    [first] = make_failed()
    with tenant_context(second):
        [other] = make_failed()
    with tenant_context(third):
        make_failed()
    person = make_staff(tenant, second, may=MAY_REPLAY)
    assert start(client_of(person)).status_code == 200
    replay = Replay.objects.get()
    assert (replay.tenant, items_of(replay)) == (None, {first.pk, other.pk})
    watcher = client_of(make_staff(tenant, may=MAY_REPLAY))
    assert watcher.get(reverse("admin:events_replay_change", args=[replay.pk])).status_code == 404
