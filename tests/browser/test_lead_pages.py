"""A rep at work, in a real browser: with the mouse, with the keyboard alone, and on a phone."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from leads.models import Lead, Outcome
from salesflow.accounts.models import Membership, User
from tests.browser.conftest import follow_keys, log_in
from tests.leads.factories import make_lead, stage_called

pytestmark = pytest.mark.browser


@pytest.fixture
def rep(make_person: Callable[..., User]) -> User:
    """A sales rep."""
    return make_person(name="Ada Lovelace")


def test_a_search_narrows_the_list_while_one_types(page: Page, rep: User) -> None:
    for name in ("Grace Hopper", "Alan Turing"):
        make_lead(name=name)
    log_in(page, rep)
    page.keyboard.press("/")
    page.keyboard.type("grace")
    expect(page.get_by_role("link", name="Alan Turing")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/leads\?sort=-updated_at&q=grace$"))
    page.get_by_role("link", name="Clear all").click()
    expect(page.get_by_role("link", name="Alan Turing")).to_be_visible()


def test_a_wrong_entry_is_said_at_its_field(page: Page, rep: User) -> None:
    log_in(page, rep)
    page.keyboard.press("n")
    page.get_by_label("Phone numbers").fill("12")
    page.get_by_role("button", name="Create lead").click()
    expect(page.get_by_role("alert")).to_contain_text("One thing needs your attention")
    page.get_by_role("alert").get_by_role("link", name="Phone numbers").click()
    expect(page.get_by_label("Phone numbers")).to_be_focused()
    expect(page.get_by_label("Phone numbers")).to_have_attribute("aria-invalid", "true")


def test_a_deal_is_lost_for_a_reason_in_a_dialog(page: Page, rep: User) -> None:
    lead = make_lead(name="Grace Hopper")
    log_in(page, rep)
    page.goto(f"/leads/{lead.pk}")
    page.get_by_role("link", name="Lost").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    dialog.get_by_label("Reason").fill("   ")
    dialog.get_by_role("button", name="Mark as lost").click()
    expect(dialog.get_by_label("Reason")).to_have_attribute("aria-invalid", "true")
    dialog.get_by_label("Reason").fill("Too expensive")
    dialog.get_by_role("button", name="Mark as lost").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#lead-header")).to_contain_text("Too expensive")
    expect(page.locator("#timeline")).to_contain_text("Deal lost")
    expect(page.get_by_role("status")).to_contain_text("was marked as lost")


def test_a_message_is_written_on_the_leads_page(page: Page, rep: User, worker: Any) -> None:
    lead = make_lead(name="Grace Hopper", emails=["grace@example.com"])
    log_in(page, rep)
    page.goto(f"/leads/{lead.pk}")
    page.get_by_role("tab", name="Message").click()
    page.get_by_label("Subject").fill("Compilers")
    page.get_by_placeholder("Write to Grace Hopper").fill("Shall we meet?")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status")).to_contain_text("on its way")
    expect(page.locator("#timeline")).to_contain_text("Message sent", timeout=30_000)
    expect(page.locator("#timeline")).to_contain_text("Shall we meet?")


def test_a_card_is_dragged_to_another_stage(open_page: Callable[..., Page], rep: User) -> None:
    page = open_page(viewport={"width": 1900, "height": 800})
    lead = make_lead(name="Grace Hopper", value=500)
    log_in(page, rep)
    page.get_by_role("link", name="Board").click()
    target = page.locator(f"[data-stage='{stage_called('Proposal').pk}']")
    page.get_by_role("article").drag_to(target)
    expect(target).to_contain_text("Grace Hopper")
    lead.refresh_from_db()
    assert lead.stage.name == "Proposal"
    won = page.locator(f"[data-stage='{stage_called('Won').pk}']")
    page.get_by_role("article").drag_to(won)
    page.get_by_role("dialog").get_by_role("button", name="Mark as won").click()
    expect(won).to_contain_text("Grace Hopper")


def test_everything_works_with_the_keyboard_alone(page: Page, rep: User) -> None:
    for name in ("Grace Hopper", "Alan Turing"):
        make_lead(name=name)
    log_in(page, rep)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("j")
    follow_keys(page, "Enter", "**/leads/*")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Grace Hopper")
    page.keyboard.press("c")
    page.keyboard.type("Met at the fair")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#timeline")).to_contain_text("Met at the fair")
    page.get_by_role("link", name="Won").press("Enter")
    page.get_by_role("button", name="Mark as won").press("Enter")
    expect(page.locator("#timeline")).to_contain_text("Deal won")
    assert Lead.objects.get(name="Grace Hopper").outcome == Outcome.WON


def test_pages_fit_a_phone(open_page: Callable[..., Page], rep: User) -> None:
    lead = make_lead(name="Grace Brewster Murray Hopper", company="Remington Rand Corporation")
    phone = open_page(viewport={"width": 375, "height": 720}, has_touch=True, is_mobile=True)
    log_in(phone, rep)
    for address in ("/leads", f"/leads/{lead.pk}", "/leads/new", "/leads/board", "/profile"):
        phone.goto(address)
        width = phone.evaluate("document.documentElement.scrollWidth")
        assert width <= 375, f"{address} is {width} wide"


def test_a_phones_navigation_has_all_entries_without_scrolling(
    open_page: Callable[..., Page], make_person: Callable[..., User]
) -> None:
    admin = make_person(name="Ada Lovelace", role=Membership.Role.ADMIN, is_staff=True)
    phone = open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    log_in(phone, admin)
    navigation = phone.get_by_role("navigation", name="Main")
    width = navigation.evaluate("row => [row.scrollWidth, row.clientWidth]")
    assert width[0] <= width[1] <= 390
    for cut in navigation.locator("span:visible").all():
        assert cut.evaluate("label => label.scrollWidth <= label.clientWidth"), cut.inner_text()
    for name in ("Board", "Funnel", "Admin", "Settings"):
        expect(navigation.get_by_role("link", name=name)).to_be_hidden()
        navigation.get_by_text("More", exact=True).click()
        expect(navigation.get_by_role("link", name=name)).to_be_in_viewport(ratio=1)
        phone.keyboard.press("Escape")
    navigation.get_by_text("More", exact=True).click()
    navigation.get_by_role("link", name="Settings").click()
    expect(phone.get_by_role("heading", level=1)).to_have_text("Channels")
    expect(navigation.locator("summary")).to_have_attribute("aria-current", "true")


def test_without_scripts_a_lead_goes_from_new_to_won(
    open_page: Callable[..., Page], rep: User
) -> None:
    plain = open_page(java_script_enabled=False)
    log_in(plain, rep)
    plain.get_by_role("link", name="New lead").first.click()
    plain.get_by_label("Name", exact=False).first.fill("Grace Hopper")
    plain.get_by_role("button", name="Create lead").click()
    plain.get_by_role("button", name="Qualified").click()
    plain.get_by_placeholder("What did you learn?").fill("Met at the fair")
    plain.get_by_role("button", name="Save note").click()
    plain.get_by_role("link", name="Won").click()
    plain.get_by_role("button", name="Mark as won").click()
    for shown in ("Deal won", "Met at the fair", "Stage changed"):
        expect(plain.locator("#timeline")).to_contain_text(shown)
