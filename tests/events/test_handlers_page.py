"""The handlers' pages and their API: what each declares, how it does, pause and resume."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from events import tallies
from events.models import AuditLine, Breaker, HandlerPause, Tally
from events.retry import RetryPolicy
from events.testing import handler_of
from salesflow.accounts.models import Tenant
from tests.events.payloads import ThingHappened
from tests.factories import make_api_key, make_tenant, make_user
from tests.staff import client_of, make_staff, make_superuser, said_on
from tests.web import Page, browser_of

TYPE = ThingHappened.event_type
LIST = reverse("admin:events_handlers")
API = reverse("api-handlers")
LIST_QUERIES, PAGE_QUERIES = 8, 11

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_figures_of_others(db: None) -> None:
    tallies.flush()
    Tally.objects.all().delete()


@pytest.fixture
def root() -> Client:
    return client_of(make_superuser())


def page_url(name: str) -> str:
    return reverse("admin:events_handler", args=[name])


def note(tenant: Tenant, name: str, **figures: Any) -> None:
    """Figures of this minute and hour."""
    tallies.tallies.note(("handler", name, tenant.id), tallies.Figures(**figures))


def rows(client: Client) -> dict[str, Any]:
    return {row.name: row for row in client.get(LIST).context["handlers"]}


# --- Pages --------------------------------------------------------------------------------------


def test_empty_installation_lists_what_is_declared(root: Client) -> None:
    response = root.get(LIST)
    assert response.status_code == 200
    assert {row.day.tried for row in response.context["handlers"]} == {0}
    for name in rows(root):
        assert root.get(page_url(name)).status_code == 200


def test_page_tells_what_a_handler_declares(root: Client) -> None:
    with handler_of(
        TYPE,
        function=print,
        name="calls",
        effects="external",
        on_replay="skip",
        ordered=True,
        timeout=12.5,
        concurrency=3,
        retry=RetryPolicy(max_attempts=7),
    ):
        text = Page(root.get(page_url("calls"))).text
        assert "calls" in rows(root)
    for told in ("called at least once", "left out", "as published", "12.5 s", "7 in all", TYPE):
        assert told in text


def test_name_with_a_slash_has_a_page(root: Client) -> None:
    with handler_of(TYPE, function=print, name="shop/prints"):
        assert root.get(page_url("shop/prints")).status_code == 200


def test_unknown_handler_is_not_found(root: Client) -> None:
    assert root.get(page_url("nobody")).status_code == 404


def test_handler_that_is_gone_is_still_seen_while_it_is_paused(root: Client) -> None:
    HandlerPause.objects.create(handler="gone", reason="for ever")
    assert rows(root)["gone"].handler is None
    assert "Not installed" in Page(root.get(page_url("gone"))).text
    root.post(page_url("gone"), {"action": "resume"})
    assert not HandlerPause.objects.exists()


def test_open_circuit_is_told(root: Client) -> None:
    with handler_of(TYPE, function=print, name="calls", effects="external"):
        Breaker.objects.create(key="calls", state="open")
        assert rows(root)["calls"].is_broken
        assert "Open" in Page(root.get(page_url("calls"))).text


def test_queries_do_not_grow_with_handlers(
    tenant: Tenant, root: Client, django_assert_num_queries: Any
) -> None:
    for number in range(30):
        HandlerPause.objects.create(handler=f"h{number}", reason="why", actor=make_user())
    with django_assert_num_queries(LIST_QUERIES):
        root.get(LIST)
    with django_assert_num_queries(PAGE_QUERIES):
        root.get(page_url("h1"))


# --- Pause and resume ---------------------------------------------------------------------------


def test_superuser_pauses_and_resumes_with_a_reason(root: Client) -> None:
    with handler_of(TYPE, function=print, name="prints"):
        url = page_url("prints")
        told = root.post(url, {"action": "pause", "reason": "the printer burns"}, follow=True)
        assert "is paused" in said_on(told)
        assert "the printer burns" in Page(told).text
        assert HandlerPause.objects.get().actor is not None
        told = root.post(url, {"action": "pause", "reason": "me too"}, follow=True)
        assert "faster" in said_on(told)
        told = root.post(url, {"action": "resume", "reason": "it is out"}, follow=True)
        assert "is resumed" in said_on(told)
        told = root.post(url, {"action": "resume"}, follow=True)
        assert "faster" in said_on(told)
        assert "it is out" in Page(told).text
    assert AuditLine.objects.count() == 2


def test_pause_without_a_reason_is_refused(root: Client) -> None:
    with handler_of(TYPE, function=print, name="prints"):
        told = root.post(page_url("prints"), {"action": "pause", "reason": " "}, follow=True)
    assert "Give a reason" in said_on(told)
    assert not HandlerPause.objects.exists()


@pytest.mark.parametrize("reason", ["a\x00b", "a" * 501])
def test_reason_that_cannot_be_kept_is_refused(root: Client, reason: str) -> None:
    with handler_of(TYPE, function=print, name="prints"):
        url = page_url("prints")
        assert said_on(root.post(url, {"action": "pause", "reason": reason}, follow=True))
        assert not HandlerPause.objects.exists()
        root.post(url, {"action": "pause", "reason": "it burns"})
        assert said_on(root.post(url, {"action": "resume", "reason": reason}, follow=True))
        assert HandlerPause.objects.exists()


def test_name_that_no_row_can_have_is_not_found(root: Client) -> None:
    for act in (root.get, root.post):
        assert act(page_url("\x00"), {"action": "resume"}).status_code == 404


def test_unknown_action_and_unknown_handler_are_refused(root: Client) -> None:
    with handler_of(TYPE, function=print, name="prints"):
        assert root.post(page_url("prints"), {"action": "burn"}).status_code == 400
    assert root.post(page_url("nobody"), {"action": "pause", "reason": "x"}).status_code == 404


def test_staff_see_a_disabled_button_and_may_not_forge_it(tenant: Tenant) -> None:
    everything = ["view_event", "triage_failuregroup", "replay_event", "replay_external"]
    client = client_of(make_staff(tenant, may=everything))
    with handler_of(TYPE, function=print, name="prints"):
        page = Page(client.get(page_url("prints")))
        [button] = [b for b in page.all("button") if b.get("aria-disabled") == "true"]
        assert "superusers" in button["title"]
        forged = client.post(page_url("prints"), {"action": "pause", "reason": "x"})
        assert forged.status_code == 403
        HandlerPause.objects.create(handler="prints", reason="x")
        assert client.post(page_url("prints"), {"action": "resume"}).status_code == 403
    assert HandlerPause.objects.exists()


def test_who_may_not_see_events_sees_no_handler(tenant: Tenant) -> None:
    client = client_of(make_staff(tenant, may=["view_lead"]))
    with handler_of(TYPE, function=print, name="prints"):
        assert client.get(LIST).status_code == 403
        assert client.get(page_url("prints")).status_code == 403
    assert browser_of(make_user(tenant)).get(LIST).status_code == 302


# --- The API ------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_figures_are_those_of_ones_tenant(tenant: Tenant) -> None:
    other = make_tenant()
    with handler_of(TYPE, function=print, name="prints"):
        note(tenant, "prints", succeeded=3)
        note(other, "prints", succeeded=40, failed=4)
        tallies.flush()
        row = rows(client_of(make_staff(tenant, may=["view_event"])))["prints"]
        assert (row.hour.tried, row.day.tried) == (3, 3)
        assert rows(client_of(make_superuser()))["prints"].hour.tried == 47
        key = {"Authorization": f"Api-Key {make_api_key(tenant)}"}
        answer = Client().get(API, headers=key).json()
    [told] = [each for each in answer if each["name"] == "prints"]
    assert told["last_hour"] == {
        "succeeded": 3,
        "failed": 0,
        "retried": 0,
        "median_seconds": None,
        "p95_seconds": None,
    }
    assert (told["paused"], told["breaker"]) == (None, None)


def test_api_key_lists_handlers_but_pauses_none(tenant: Tenant) -> None:
    key = {"Authorization": f"Api-Key {make_api_key(tenant)}"}
    with handler_of(TYPE, function=print, name="calls", effects="external"):
        [told] = [h for h in Client().get(API, headers=key).json() if h["name"] == "calls"]
        assert told["effects"] == "external"
        assert told["types"] == [TYPE]
        assert told["breaker"] == "closed"
        for action in ("pause", "resume"):
            url = reverse(f"api-handler-{action}", args=["calls"])
            answer = Client().post(url, {"reason": "x"}, "application/json", headers=key)
            assert answer.status_code == 403
    assert not HandlerPause.objects.exists()


def test_superuser_pauses_and_resumes_through_the_api(tenant: Tenant) -> None:
    client = browser_of(make_user(tenant, role="admin", is_staff=True, is_superuser=True))
    with handler_of(TYPE, function=print, name="prints"):
        pause = reverse("api-handler-pause", args=["prints"])
        resume = reverse("api-handler-resume", args=["prints"])
        told = client.post(pause, {"reason": "it burns"}, "application/json")
        assert (told.status_code, told.json()["paused"]["reason"]) == (200, "it burns")
        again = client.post(pause, {"reason": "me too"}, "application/json")
        assert (again.status_code, again.json()["paused"]["reason"]) == (200, "it burns")
        told = client.post(resume, {}, "application/json")
        assert (told.status_code, told.json()["paused"]) == (200, None)
        assert client.post(pause, {}, "application/json").status_code == 400
        unknown = reverse("api-handler-pause", args=["nobody"])
        assert client.post(unknown, {"reason": "x"}, "application/json").status_code == 404


def test_manager_may_not_pause_through_the_api(tenant: Tenant) -> None:
    client = browser_of(make_user(tenant, role="admin"))
    with handler_of(TYPE, function=print, name="prints"):
        url = reverse("api-handler-pause", args=["prints"])
        assert client.post(url, {"reason": "x"}, "application/json").status_code == 403
