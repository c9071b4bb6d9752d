"""One lead's way through the whole product, in a real browser with a real worker: from the form to
the funnel, and from a handler that breaks to its replay."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from salesflow.accounts.models import Membership, User
from tests.browser.conftest import log_in
from tests.waiting import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.journey]


@pytest.fixture
def people(make_person: Callable[..., User]) -> tuple[User, User]:
    """A sales rep, and an admin who may do everything."""
    rep = make_person(name="Ada Lovelace")
    return rep, make_person(
        name="Root", role=Membership.Role.ADMIN, is_staff=True, is_superuser=True
    )


@pytest.fixture
def breakdown() -> Iterator[Path]:
    """The file that breaks the handler of tests.thirdparty while it exists."""
    path = Path(os.environ["SALESFLOW_HOME"]) / "greeting-breakdown"
    yield path
    path.unlink(missing_ok=True)


def test_journey(
    open_page: Callable[..., Page], people: tuple[User, User], worker: Any, breakdown: Path
) -> None:
    rep, admin = people
    page = open_page()
    log_in(page, rep)
    create_lead(page)
    move_lead(page)
    see_the_funnel_move(page)
    breakdown.write_text("the greeting cards have run out")
    write_note(page)
    office = open_page()
    log_in(office, admin)
    see_the_failure(office)
    breakdown.unlink()
    replay_it(office)


def create_lead(page: Page) -> None:
    page.get_by_role("link", name="New lead").first.click()
    page.get_by_label("Name", exact=True).fill("Grace Hopper")
    page.get_by_label("Company").fill("Remington Rand")
    page.get_by_label("E-mail addresses").fill("grace@example.com")
    page.get_by_label("Value").fill("12000")
    page.get_by_role("button", name="Create lead").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Grace Hopper")
    expect(page.get_by_role("status")).to_contain_text("was created")


def move_lead(page: Page) -> None:
    page.get_by_role("button", name="Qualified").click()
    expect(page.locator(".stages [aria-current=step]")).to_have_text("Qualified")
    moved = timeline(page).filter(has_text="Stage changed")
    expect(moved).to_contain_text("Ada Lovelace")
    expect(moved).to_contain_text("New")
    expect(moved).to_contain_text("Qualified")


def timeline(page: Page) -> Locator:
    return page.locator("#timeline .event")


def see_the_funnel_move(page: Page) -> None:
    def has_moved() -> bool:
        page.goto("/analytics/funnel")
        step = page.locator(".ladder li").filter(has_text="Qualified")
        return step.count() == 1 and "1 · 100 %" in step.inner_text()

    wait_until(has_moved, "the funnel counts the lead as qualified", seconds=60)
    expect(page.locator("canvas").first).to_be_visible()


def write_note(page: Page) -> None:
    page.get_by_role("link", name="Leads", exact=True).click()
    page.get_by_role("link", name="Grace Hopper").click()
    page.get_by_placeholder("What did you learn?").fill("Wants a compiler")
    page.get_by_role("button", name="Save note").click()
    expect(timeline(page).filter(has_text="Wants a compiler")).to_be_visible()


def see_the_failure(page: Page) -> None:
    def has_failed() -> bool:
        page.goto("/admin/events/event/?status=failed")
        return page.get_by_role("link", name="Note added").count() == 1

    wait_until(has_failed, "the admin lists the failed event", seconds=60)
    page.get_by_role("link", name="Note added").click()
    expect(page.locator(".event-failure")).to_contain_text("the greeting cards have run out")
    expect(page.locator(".event-traceback")).to_contain_text("greet_for_note")


def replay_it(page: Page) -> None:
    event = page.url
    page.locator("a.event-button", has_text="Replay").first.click()
    page.get_by_role("button", name="Make the plan").click()
    page.get_by_label("Reason").fill("New cards were bought")
    page.get_by_role("button", name="Start the replay").click()

    def is_processed() -> bool:
        page.goto(event)
        return "Processed" in page.locator(".event-head").inner_text()

    wait_until(is_processed, "the replayed event is processed", seconds=60)
    expect(page.locator(".event-card").filter(has_text="Replays")).to_contain_text(
        "New cards were bought"
    )
