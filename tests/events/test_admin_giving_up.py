"""Giving up in the admin: planned, decided with a reason, and told at each event."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from events.console import addresses
from events.console.addresses import plan_url
from events.models import Event, Replay
from events.replays import advance, advance_running_replays, start
from events.selections import Selection
from events.settling import settle
from events.testing import handler_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant, User
from tests.events.factories import make_event, make_failed_event, make_failure
from tests.events.switches import Switch
from tests.events.test_giving_up import give_up, plan, statuses_of
from tests.factories import make_tenant
from tests.staff import client_of, make_staff, make_superuser, said_on

TYPE = "thing.happened"
LIST = reverse("admin:events_event_changelist")
GIVE_UP = reverse("admin:events_event_give_up")

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def root(tenant: Tenant) -> User:
    return make_superuser()


@pytest.fixture
def client(root: User) -> Client:
    """The browser of a superuser."""
    return client_of(root)


@pytest.fixture
def failed(tenant: Tenant) -> Iterator[Event]:
    """An event that has failed at a handler which is there."""
    with handler_of(TYPE, function=Switch(), name="switch"):
        event = make_event()
        settle([event.pk])
        yield event


def page_of(client: Client, event: Event) -> Any:
    return client.get(reverse("admin:events_event_change", args=[event.pk]))


def decide(client: Client, page: Any, **form: Any) -> Any:
    """Start the plan of a page as it is proposed, and see it through."""
    replay = page.context["replay"]
    given = {"reason": "nobody will mend it", "handlers": page.context["ticked"], **form}
    url = reverse("admin:events_replay_start", args=[replay.pk])
    answer = client.post(url, given, follow=True)
    advance_running_replays()
    return answer


# --- The way through ----------------------------------------------------------------------------


def test_event_tells_who_gave_it_up_and_why(client: Client, root: User, failed: Event) -> None:
    button = page_of(client, failed).context["give_up_url"]
    decide(client, client.post(button, follow=True))
    page = page_of(client, failed)
    [row] = page.context["rows"]
    shown = page.content.decode()
    assert statuses_of(failed) == {"switch": "skipped"}
    assert (row.given_up.who, row.given_up.why) == (root, "nobody will mend it")
    assert f"Given up by {root} on <time" in shown
    assert "<bdi>nobody will mend it</bdi>" in shown
    assert "RuntimeError: the switch is off" in shown
    assert (len(row.tries), page.context["give_up_url"]) == (1, "")
    [replay] = page.context["replays"]
    assert "Giving up" in shown
    assert replay.gives_up


def test_plan_says_nothing_of_running(client: Client, failed: Event) -> None:
    page = client.post(f"{GIVE_UP}?ids={failed.pk}", follow=True)
    shown = page.content.decode()
    assert "Give up what failed of 1 event" in shown
    assert "is given up at 1 event" in shown
    assert list(page.context["form"].fields) == ["reason", "handlers"]
    for name in ("has_canary", "pace", "stop_percent", "again"):
        assert f'name="{name}"' not in shown
    after = decide(client, page)
    shown = client.get(after.request["PATH_INFO"]).content.decode()
    assert "Given up" in shown
    assert "given up: switch" in shown
    for word in ("Canary", "external effects", "Succeeded", "per second"):
        assert word not in shown


def test_effects_outside_are_no_matter(tenant: Tenant) -> None:
    """Whoever may replay may give up what reaches somebody else, too."""
    event = make_failed_event(handlers=("mails", "gone"))
    staff = client_of(make_staff(tenant, may=["view_event", "replay_event"]))
    with handler_of(TYPE, function=Switch(), name="mails", effects="external", on_replay="skip"):
        page = staff.post(f"{GIVE_UP}?ids={event.pk}", follow=True)
        assert page.context["ticked"] == ["gone", "mails"]
        decide(staff, page)
    assert statuses_of(event) == {"mails": "skipped", "gone": "skipped"}


def test_failures_of_a_group_are_given_up(client: Client, tenant: Tenant) -> None:
    group = make_failure(3)
    url = reverse("admin:events_failure", args=[group.fingerprint])
    page = client.get(url)
    assert "Give up 3 failed" in page.content.decode()
    selected = client.get(page.context["give_up_url"])
    assert selected.context["number"] == "3"
    assert "Give up what failed of 3 events" in selected.content.decode()
    decide(client, client.post(page.context["give_up_url"], follow=True))
    shown = client.get(url)
    assert shown.context["failure"].standing == 0
    assert "Give up" not in shown.content.decode().split("</header>")[0]
    assert Event.unscoped.filter(status="processed").count() == 3


def test_all_that_match_are_given_up_and_no_others(client: Client, tenant: Tenant) -> None:
    events = [make_failed_event(), make_failed_event(handlers=("other",))]
    page = client.get(LIST, {"handler": "picky", "status": "failed"})
    assert "Give up all matching" in page.content.decode()
    decide(client, client.post(page.context["give_up_all_url"], follow=True))
    assert [statuses_of(event) for event in events] == [{"picky": "skipped"}, {"other": "failed"}]


def test_ticked_events_are_given_up(client: Client, tenant: Tenant) -> None:
    events = [make_failed_event() for _each in range(2)]
    form = {"_selected_action": [str(events[0].pk)], "act": "give_up"}
    page = client.post(LIST, form, follow=True)
    assert page.context["gives_up"]
    decide(
        client,
        client.post(page.request["PATH_INFO"] + "?" + page.request["QUERY_STRING"], follow=True),
    )
    assert [statuses_of(event)["picky"] for event in events] == ["skipped", "failed"]


def test_one_of_two_handlers_is_given_up(client: Client, tenant: Tenant) -> None:
    event = make_failed_event(handlers=("picky", "other"))
    page = client.post(f"{GIVE_UP}?ids={event.pk}", follow=True)
    outlook = reverse("admin:events_replay_outlook", args=[page.context["replay"].pk])
    assert client.get(outlook, {"handlers": ["picky"]}).context["outlook"].runs == 1
    decide(client, page, handlers=["picky"])
    assert statuses_of(event) == {"picky": "skipped", "other": "failed"}


def test_what_was_given_up_can_be_ticked_in_a_plan(client: Client, failed: Event) -> None:
    give_up(failed)
    url = page_of(client, failed).context["replay_url"]
    page = client.post(url, follow=True)
    assert "it runs for 1 event at which it was given up" in page.content.decode()
    assert (page.context["ticked"], page.context["ticked_again"]) == ([], [])
    decide(client, page, again=["switch"])
    assert statuses_of(failed) == {"switch": "pending"}


# --- What is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["reason", "handlers"])
def test_nothing_is_given_up_without_reason_and_handler(
    client: Client, failed: Event, missing: str
) -> None:
    page = client.post(f"{GIVE_UP}?ids={failed.pk}", follow=True)
    answer = decide(client, page, **{missing: ""})
    assert (answer.status_code, list(answer.context["form"].errors)) == (400, [missing])
    assert statuses_of(failed) == {"switch": "failed"}


def test_handler_that_the_plan_does_not_show_is_refused(client: Client, failed: Event) -> None:
    page = client.post(f"{GIVE_UP}?ids={failed.pk}", follow=True)
    assert decide(client, page, handlers=["other"]).status_code == 400


def test_forged_ways_of_running_are_no_matter(client: Client, failed: Event) -> None:
    page = client.post(f"{GIVE_UP}?ids={failed.pk}", follow=True)
    decide(client, page, has_canary="on", pace="1", stop_percent="5", again=["switch"])
    replay = Replay.objects.get()
    told = (replay.has_canary, replay.pace, replay.stop_percent, replay.again)
    assert told == (False, None, None, [])
    assert statuses_of(failed) == {"switch": "skipped"}


def test_second_of_two_who_start_is_told_so(client: Client, failed: Event) -> None:
    page = client.post(f"{GIVE_UP}?ids={failed.pk}", follow=True)
    decide(client, page)
    assert "Somebody was faster" in said_on(decide(client, page))


def test_processed_events_offer_nothing_to_give_up(client: Client, tenant: Tenant) -> None:
    make_event()
    Event.unscoped.update(status="processed")
    assert client.get(LIST, {"status": "processed"}).context["give_up_all_url"] == ""
    query = {"status": "processed"}
    assert client.get(GIVE_UP, query).context["number"] == "0"
    assert client.post(f"{GIVE_UP}?status=processed").status_code == 400
    assert not Replay.objects.exists()


def test_plan_of_what_has_not_failed_says_so(client: Client, tenant: Tenant) -> None:
    event = make_event()
    page = client.post(f"{GIVE_UP}?ids={event.pk}", follow=True)
    assert "There is nothing to give up" in page.content.decode()


def test_address_that_cannot_be_read_is_refused(client: Client, tenant: Tenant) -> None:
    page = client.get(GIVE_UP, {"colour": "red"})
    assert (page.status_code, "colour" in page.content.decode()) == (400, True)


# --- What others are told -----------------------------------------------------------------------


def test_tenant_is_not_told_the_reason_of_a_decision_about_several(
    root: User, tenant: Tenant
) -> None:
    event = make_failed_event()
    with tenant_context(make_tenant()):
        make_failed_event()
    replay = plan(root)
    start(replay, actor=root, reason="because Globex complained")
    advance(replay.pk)
    page = page_of(client_of(make_staff(tenant, may=["view_event"])), event)
    [row] = page.context["rows"]
    assert (row.given_up.who, row.given_up.why) == (root, "")
    assert "Globex" not in page.content.decode()
    assert "because Globex complained" in page_of(client_of(root), event).content.decode()


def test_decision_of_a_program_says_so(client: Client, failed: Event) -> None:
    give_up(failed)
    assert "Given up by a program on" in page_of(client, failed).content.decode()


def test_reason_shows_harmlessly(client: Client, failed: Event) -> None:
    give_up(failed, reason="<script>alert(1)</script> \u202eevil")
    shown = page_of(client, failed).content.decode()
    assert "<script>alert(1)" not in shown
    assert "\u202e" not in shown


def test_csv_tells_what_was_given_up(client: Client, failed: Event) -> None:
    replay = give_up(failed)
    csv = client.get(reverse("admin:events_replay_csv", args=[replay.pk]))
    assert "given up: switch" in csv.getvalue().decode()


def test_list_of_replays_tells_which_gave_up(client: Client, failed: Event) -> None:
    give_up(failed)
    page = client.get(reverse("admin:events_replay_changelist"))
    assert "Giving up" in page.content.decode()


def test_cancelled_decision_leaves_the_rest_and_offers_it(client: Client, tenant: Tenant) -> None:
    event = make_failed_event()
    page = client.post(f"{GIVE_UP}?ids={event.pk}", follow=True)
    url = reverse("admin:events_replay_act", args=[page.context["replay"].pk])
    after = client.post(url, {"act": "cancel"}, follow=True)
    assert after.context["plan_url"] == plan_url(Selection(ids=(event.pk,)), addresses.GIVE_UP)
    assert statuses_of(event) == {"picky": "failed"}


def test_german_reader_is_told_in_german(root: User, failed: Event) -> None:
    root.language = "de"
    root.save()
    client = client_of(root)
    page = client.post(f"{GIVE_UP}?ids={failed.pk}", follow=True)
    assert "Fehlschläge von 1 Ereignis aufgeben" in page.content.decode()
    decide(client, page, reason="wird nicht behoben")
    replay = Replay.objects.get()
    shown = client.get(reverse("admin:events_replay_change", args=[replay.pk])).content.decode()
    assert "aufgegeben: switch" in shown
    shown = page_of(client, failed).content.decode()
    assert f"Aufgegeben von {root} am <time" in shown
