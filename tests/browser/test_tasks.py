"""A rep's tasks, settled with the keyboard alone, in a real browser."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from leads.models import Task
from leads.services import add_task
from salesflow.accounts.models import User
from tests.browser.conftest import follow_keys, log_in
from tests.leads.factories import make_lead

pytestmark = pytest.mark.browser


@pytest.fixture
def rep(make_person: Callable[..., User]) -> User:
    """A sales rep."""
    return make_person(name="Ada Lovelace")


def test_a_list_of_tasks_is_worked_off_by_keys(page: Page, rep: User) -> None:
    due = timezone.now() - timedelta(days=1)
    names = ("First", "Second", "Third", "Fourth")
    for number, title in enumerate(names):
        at = due + timedelta(minutes=number)
        add_task(make_lead(name=f"Lead {title}"), title=title, due_at=at, assignee=rep)
    log_in(page, rep)
    follow_keys(page, "g t", "**/tasks")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="First", exact=True)).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("d")
    expect(page.get_by_role("link", name="Second", exact=True)).to_have_count(0)
    # What comes after it has taken its place, and the focus.
    expect(page.get_by_role("link", name="Third", exact=True)).to_be_focused()
    page.keyboard.press("s")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Why not?")).to_be_focused()
    page.keyboard.type("They moved")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("link", name="Fourth", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Lead Fourth")).to_be_visible()
    states = dict(Task.objects.values_list("title", "state"))
    assert states == {"First": "open", "Second": "done", "Third": "skipped", "Fourth": "open"}


def test_a_task_is_added_and_done_on_the_leads_page(page: Page, rep: User) -> None:
    lead = make_lead(name="Grace Hopper")
    log_in(page, rep)
    page.goto(f"/leads/{lead.pk}")
    page.keyboard.press("t")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("What is to be done?")).to_be_focused()
    page.keyboard.type("Send the offer")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Done: Send the offer").click()
    expect(page.locator("#lead-sidebar")).to_contain_text("Nothing is to be done.")
    expect(page.locator("#timeline")).to_contain_text("Task done")
