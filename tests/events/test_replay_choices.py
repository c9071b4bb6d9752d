"""Which handlers run: what the plan showed, chosen on its page or in the API; and nothing else."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import reverse

from events import replay_event
from events.backlog import probe, read_backlog
from events.models import Event, FailureGroup, Replay
from events.pauses import let_go, pause_handler, resume_handler
from events.replays import plan_replay, start
from events.replays.notes import IN_ANOTHER_REPLAY
from events.retry import RetryPolicy
from events.selections import Selection
from events.settling import settle
from events.templatetags.event_texts import page_of
from events.testing import handler_of
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant, User
from tests.events.factories import make_events, make_failed_event
from tests.events.switches import Switch
from tests.events.test_replay_running import TYPE, begin, go_on, planned
from tests.staff import client_of, make_staff, make_superuser

Settle = Callable[[], int]
PLAN, INDEX = reverse("admin:events_event_replay"), reverse("admin:index")

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def root(tenant: Tenant) -> User:
    return make_superuser()


def plan_page(user: User, query: str) -> Any:
    """The page of a new plan."""
    return client_of(user).post(f"{PLAN}?{query}", follow=True)


def start_form(user: User, replay: Replay, **form: Any) -> Any:
    url = reverse("admin:events_replay_start", args=[replay.pk])
    return client_of(user).post(url, {"reason": "mended", **form})


def switched_on() -> Switch:
    switch = Switch()
    switch.on = True
    return switch


# --- What succeeded -----------------------------------------------------------------------------


def test_what_succeeded_is_offered_with_a_warning_and_not_ticked(
    root: User, settle_events: Settle
) -> None:
    done = switched_on()
    with handler_of(TYPE, function=done, name="done"):
        make_events(3)
        settle_events()
        for query in ("status=processed", "status=processed&handler=done"):
            page = plan_page(root, query)
            assert "its effect happens again for 3 events" in page.content.decode()
            assert (page.context["ticked"], page.context["ticked_again"]) == ([], [])
            assert page.context["outlook"].runs == 0
            assert start_form(root, page.context["replay"]).status_code == 400
        url = reverse("admin:events_replay_outlook", args=[page.context["replay"].pk])
        outlook = client_of(root).get(url, {"again": ["done"]}).context["outlook"]
        start_form(root, page.context["replay"], again=["done"])
        go_on(replay := Replay.objects.latest("id"))
    assert (outlook.runs, replay.succeeded) == (3, 3)
    assert sorted(done.numbers) == [0, 0, 1, 1, 2, 2]


def test_each_handler_runs_again_just_where_it_was_ticked(
    root: User, settle_events: Settle
) -> None:
    good, flaky, seen = switched_on(), Switch(), list[int]()

    def is_flaky(event: Event) -> None:
        seen.append(event.payload["number"])
        if not flaky.on and event.payload["number"] == 0:
            raise ValueError("no good")

    with (
        handler_of(TYPE, function=good, name="good"),
        handler_of(TYPE, function=is_flaky, name="flaky", retry=RetryPolicy(max_attempts=1)),
    ):
        events = make_events(3)
        settle_events()
        flaky.on = True
        selection = Selection(ids=tuple(event.pk for event in events))
        replay = plan_replay(selection, Event.unscoped.all(), handlers=["good", "flaky"])
        seen.clear()
        start(replay, actor=None, reason="mended", handlers=["good", "flaky"], again=["good"])
        go_on(replay)
    assert (sorted(good.numbers), seen) == ([0, 0, 1, 1, 2, 2], [0])
    assert (replay.handlers, replay.again, replay.succeeded) == (["flaky", "good"], ["good"], 3)


def test_handler_that_the_plan_does_not_run_is_refused(root: User, settle_events: Settle) -> None:
    first, second = switched_on(), switched_on()
    with (
        handler_of(TYPE, function=first, name="first"),
        handler_of(TYPE, function=second, name="second"),
    ):
        make_events(3)
        settle_events()
        everything = Event.unscoped.all()
        replay = plan_replay(Selection(status="processed"), everything, handlers=["first"])
        with pytest.raises(ValueError, match="would not run the handler “second”"):
            start(replay, actor=None, reason="again", handlers=["second"])
        replay.refresh_from_db()
        assert replay.status == "planned"
        start(replay, actor=None, reason="again", handlers=["first"])
        go_on(replay)
    assert (len(first.numbers), len(second.numbers)) == (6, 3)


def test_handler_that_no_app_has_cannot_be_ticked(root: User) -> None:
    make_failed_event(1, ("gone", "switch"))
    with handler_of(TYPE, function=Switch()):
        page = plan_page(root, "status=failed")
        assert page.context["ticked"] == ["switch"]
        assert 'disabled title="No installed app has it' in page.content.decode()
        refused = start_form(root, page.context["replay"], handlers=["gone"])
    assert refused.status_code == 400
    assert "handlers" in refused.context["form"].errors
    assert Replay.objects.get().status == "planned"


def test_handler_that_is_not_installed_any_more_is_refused_in_words(root: User) -> None:
    make_failed_event(1, ("switch",))
    with handler_of(TYPE, function=Switch()):
        replay = plan_page(root, "status=failed").context["replay"]
    assert start_form(root, replay, handlers=["switch"]).status_code == 400


# --- What failed, while another handler waits ---------------------------------------------------


@pytest.fixture
def halves(root: User) -> Any:
    """Five events that one handler has given up, while another one is paused."""
    broken, other = Switch(), switched_on()
    with (
        handler_of(TYPE, function=broken, name="broken", retry=RetryPolicy(max_attempts=1)),
        handler_of(TYPE, function=other, name="other"),
    ):
        pause_handler("other", actor=root, reason="maintenance")
        events = make_events(5)
        settle([event.pk for event in events])
        yield events, broken, other


def test_what_failed_is_replayed_though_another_handler_waits(root: User, halves: Any) -> None:
    events, broken, other = halves
    group = FailureGroup.unscoped.get()
    broken.on = True
    replay = begin(planned(group=str(group.fingerprint)), has_canary=True)
    assert (replay.selected, replay.plan["left_out"]) == (5, {})
    for _step in range(3):
        go_on(replay)
    assert (replay.status, replay.succeeded) == ("finished", 5)
    assert (sorted(broken.numbers), other.numbers) == ([0, 1, 2, 3, 4], [])
    assert set(Event.unscoped.values_list("status", flat=True)) == {"pending"}
    resume_handler("other", actor=root, reason="done")
    let_go()
    settle([event.pk for event in events])
    assert set(Event.unscoped.values_list("status", flat=True)) == {"processed"}
    assert (sorted(broken.numbers), sorted(other.numbers)) == ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4])


def test_failure_page_selection_plan_health_badge_and_gauge_tell_one_number(
    root: User, halves: Any
) -> None:
    client, group = client_of(root), FailureGroup.unscoped.get()
    failure = client.get(reverse("admin:events_failure", args=[group.fingerprint]))
    assert "Replay 5 failed" in failure.content.decode()
    for query in (f"group={group.fingerprint}", "handler=broken", f"type={TYPE}", ""):
        selection = client.get(f"{PLAN}?{query}")
        assert selection.context["number"] == "5", query
        assert plan_page(root, query).context["replay"].selected == 5, query
    health = client.get(reverse("admin:events_health"))
    assert next(tile.figure for tile in health.context["tiles"]) == "5"
    assert "5 failed events wait for a replay" in health.content.decode()
    for user in (root, make_staff(*Tenant.objects.all(), may=["view_event"])):
        [_health, events, *_rest] = client_of(user).get(INDEX).context["sidebar_navigation"]
        assert [item["badge"] for item in events["items"] if "badge" in item] == ["5"]
    with probe() as own:
        assert read_backlog(own).failed == 5


@pytest.mark.parametrize("is_of_group", [False, True])
def test_command_means_the_same_events(halves: Any, is_of_group: bool) -> None:
    group = str(FailureGroup.unscoped.get().fingerprint)
    options = {"group": group} if is_of_group else {}
    said = StringIO()
    call_command("replay_events", dry_run=True, stdout=said, **options)
    assert "5 events would be replayed" in said.getvalue()


def test_plan_of_failed_events_says_which_are_still_pending(root: User, halves: Any) -> None:
    page = plan_page(root, "status=failed")
    assert page.context["left_out"] == [("Pending", "5")]


def test_replay_that_fails_again_beside_a_waiting_handler_says_so(halves: Any) -> None:
    replay = begin(planned(handler="broken"))
    go_on(replay)
    go_on(replay)
    assert (replay.status, replay.failed) == ("finished", 5)


def test_what_one_replay_waits_for_no_other_takes(root: User, halves: Any) -> None:
    [event, *_others], broken, _other = halves
    pause_handler("broken", actor=root, reason="not yet")
    first = replay_event(event.pk)
    settle([event.pk])
    second = replay_event(event.pk)
    assert second.items.get().note == f"{IN_ANOTHER_REPLAY}: {first.pk}"
    broken.on = True
    resume_handler("broken", actor=root, reason="now")
    let_go()
    settle([event.pk])
    first.refresh_from_db()
    assert (broken.numbers, first.succeeded) == ([0], 1)


# --- Whom else it concerns ----------------------------------------------------------------------


def test_plan_names_another_replay_of_the_failure_that_is_not_over(root: User, halves: Any) -> None:
    query = f"group={FailureGroup.unscoped.get().fingerprint}"
    other = begin(planned(group=str(FailureGroup.unscoped.get().fingerprint)), has_canary=True)
    page = plan_page(root, query)
    assert page.context["others"] == [other]
    assert reverse("admin:events_replay_change", args=[other.pk]) in page.content.decode()
    assert plan_page(root, f"type={TYPE}").context["others"] == []


def test_plan_leads_to_those_whom_a_handler_would_reach(tenant: Tenant) -> None:
    lead_id = uuid7()
    assert page_of("lead", lead_id) == reverse("admin:leads_lead_change", args=[lead_id])
    assert page_of("thing", lead_id) == page_of("lead", None) == ""
