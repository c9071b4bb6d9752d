"""The console while one looks at it: even rows at any width, what is new, and the way back in."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from events.models import AuditLine, Replay
from events.replays import advance_running_replays
from salesflow.accounts.models import Tenant, User
from tests.browser.conftest import log_in
from tests.events.factories import make_events, make_failed_event

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WIDTHS = [(1360, 900), (1024, 768), (390, 844)]
# Seconds between two looks at what is new, shortened to what a test waits for.
SOONER = "every 1s"
HIDDEN = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true})"
COUNT_TURNS = """
    window.turns = 0;
    document.addEventListener("htmx:beforeRequest", () => { window.turns += 1; }, true)
"""


@pytest.fixture
def admin(make_person: Callable[..., User]) -> User:
    """Who may do everything."""
    return make_person(is_staff=True, is_superuser=True)


def rows_of(page: Page, selector: str) -> set[int]:
    """How many elements stand side by side in each of their rows."""
    tops = [round(each.bounding_box()["y"]) for each in page.locator(selector).all()]  # type: ignore[index]
    return set(Counter(tops).values())


@pytest.mark.parametrize(("width", "height"), WIDTHS)
def test_rows_of_the_health_page_are_full_at_any_width(
    open_page: Callable[..., Page], admin: User, width: int, height: int
) -> None:
    page = open_page(viewport={"width": width, "height": height})
    log_in(page, admin)
    page.goto("/admin/")
    expect(page.locator(".event-tile")).to_have_count(6)
    for selector in (".event-tile", ".event-charts > *", ".event-thirds > *"):
        assert len(rows_of(page, selector)) == 1, (selector, rows_of(page, selector))
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_page_whose_session_has_gone_leads_to_the_login_and_back(
    open_page: Callable[..., Page], admin: User
) -> None:
    page = open_page()
    log_in(page, admin)
    page.goto("/admin/")
    expect(page.locator("#event-health")).to_be_visible()
    Session.objects.all().delete()
    page.wait_for_url("**/admin/login/?next=%2Fadmin%2F")
    page.locator("[name=username]").fill(admin.email)
    page.locator("[name=password]").fill("secret-password")
    page.locator("[name=password]").press("Enter")
    page.wait_for_url("**/admin/")
    expect(page.locator("#event-health")).to_be_visible()


def test_open_list_says_what_is_new_while_somebody_looks(
    open_page: Callable[..., Page], admin: User
) -> None:
    page = open_page()
    log_in(page, admin)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.route("**/admin/events/event/?*", _ask_sooner)
    page.goto("/admin/events/event/?type=thing.happened")
    page.evaluate(f"{COUNT_TURNS}; {HIDDEN % 'true'}")
    page.wait_for_function("window.turns > 1")
    assert not [url for url in asked if "/newer/" in url]
    make_events(3)
    page.evaluate(HIDDEN % "false")
    page.get_by_role("link", name="3 new events, show").click()
    expect(page.locator(".event-rows tbody tr")).to_have_count(3)


def _ask_sooner(route: Any) -> None:
    response = route.fetch()
    route.fulfill(response=response, body=response.text().replace("every 10s", SOONER))


def test_enter_in_the_reason_decides_nothing(
    open_page: Callable[..., Page], tenant: Tenant, admin: User
) -> None:
    replay = Replay.objects.create(tenant=tenant, reason="mended", selected=1)
    page = open_page()
    log_in(page, admin)
    page.goto(f"/admin/events/replay/{replay.pk}/change/")
    expect(page.locator("input[type=submit]:disabled")).to_be_hidden()
    page.get_by_label("Reason").fill("a slip")
    page.get_by_label("Reason").press("Enter")
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_function("document.body.innerText.includes('replay.cancelled')")
    assert [line.action for line in AuditLine.objects.all()] == ["replay.cancelled"]


def test_failure_is_given_up_from_its_event_which_says_so(
    open_page: Callable[..., Page], tenant: Tenant, admin: User
) -> None:
    event = make_failed_event(handlers=("picky", "other"))
    page = open_page()
    log_in(page, admin)
    page.goto(f"/admin/events/event/{event.pk}/change/")
    page.get_by_role("button", name="Give up").click()
    expect(page.get_by_role("heading", name="Give up what failed of 1 event")).to_be_visible()
    outlook = page.locator("#replay-outlook")
    for handler in ("picky", "other"):
        page.locator(f"[value={handler}]").uncheck()
    expect(outlook).to_contain_text("1 is passed over")
    page.locator("[value=picky]").check()
    expect(outlook).to_contain_text("What failed of 1 event is given up")
    page.get_by_label("Reason").fill("nobody will mend it")
    page.get_by_role("button", name="Give up").click()
    expect(page.get_by_text("0 of 1 done")).to_be_visible()
    advance_running_replays()
    expect(page.get_by_text("1 of 1 done")).to_be_visible()
    page.goto(f"/admin/events/event/{event.pk}/change/")
    expect(page.get_by_text("nobody will mend it").first).to_be_visible()
    expect(page.get_by_text("Given up by")).to_contain_text(str(admin))
