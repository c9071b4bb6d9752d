"""Those who lead a team at their settings, in a real browser."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from channels.models import Account, MessageTemplate
from salesflow.accounts.models import User
from tests.browser.conftest import follow_keys, log_in
from tests.channels.factories import make_reachable_lead
from tests.channels.template_factories import make_approved, make_template

pytestmark = pytest.mark.browser

SECRET = "hunter2-that-nobody-may-see"


@pytest.fixture
def manager(make_person: Callable[..., User]) -> User:
    """Somebody who leads the team."""
    return make_person(name="Grace Hopper", role="manager")


def test_an_account_is_connected_and_tried(page: Page, manager: User, worker: Any) -> None:
    log_in(page, manager)
    follow_keys(page, "g s", "**/settings/channels")
    expect(page.get_by_role("heading", level=1)).to_have_text("Channels")
    page.keyboard.press("n")
    page.get_by_role("region", name="E-mail").get_by_role("link", name="Sandbox").click()
    page.get_by_label("Name").fill("Second mailbox")
    page.get_by_label("E-mail address").fill("bounce@example.com")
    page.get_by_role("button", name="Connect").click()
    state = page.locator("#account-state")
    expect(state).to_contain_text("Not used yet")
    page.get_by_role("button", name="Send to myself").click()
    expect(state).to_contain_text("The mailbox bounce@example.com does not exist.", timeout=30_000)
    page.get_by_label("Send a test to").fill("ada@example.com")
    page.get_by_role("button", name="Send to myself").click()
    expect(state).to_contain_text("The message to ada@example.com was taken over.", timeout=30_000)
    expect(state).to_contain_text("Works")
    assert Account.objects.get(name="Second mailbox").is_default


def test_a_secret_leaves_the_page_for_ever(page: Page, manager: User) -> None:
    log_in(page, manager)
    page.goto(f"{reverse('channels-settings:connect')}?channel=email&transport=mail")
    page.get_by_label("Name", exact=False).first.fill("Sales")
    page.get_by_label("E-mail address").fill("sales@example.com")
    page.get_by_label("Outgoing server").fill("127.0.0.1")
    page.get_by_label("Password").first.fill(SECRET)
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_text("A value is stored").first).to_be_visible()
    assert SECRET not in page.content()
    values = page.eval_on_selector_all("input", "inputs => inputs.map(i => i.value)")
    assert SECRET not in values
    assert dict(Account.objects.get(name="Sales").secrets) == {"smtp_password": SECRET}


def test_a_template_is_previewed_while_it_is_typed(page: Page, manager: User) -> None:
    make_reachable_lead(name="Ada Lovelace", company="")
    log_in(page, manager)
    page.goto(reverse("channels-settings:new-template"))
    page.get_by_label("Text", exact=False).last.fill("Dear {{ first_name }} of {{ company }}")
    preview = page.locator("#preview")
    expect(preview).to_contain_text("Dear Ada of company")
    expect(preview).to_contain_text("It cannot be sent to Ada Lovelace")
    page.get_by_label("Text", exact=False).last.fill("Dear {{ first_name|friend }} {{ company")
    expect(preview).to_contain_text("two braces on either side")
    page.get_by_label("Text", exact=False).last.fill("Dear {{ first_name|friend }}")
    expect(preview).to_contain_text("So it reads for Ada Lovelace.")
    page.get_by_label("Name", exact=False).first.fill("First contact")
    page.get_by_role("button", name="Save template").click()
    expect(page.get_by_role("link", name=re.compile("First contact"))).to_be_visible()
    assert MessageTemplate.objects.get().body == "Dear {{ first_name|friend }}"


def test_an_opt_out_is_recorded_from_the_leads_page(page: Page, manager: User) -> None:
    lead = make_reachable_lead("ada@example.com", name="Ada Lovelace")
    log_in(page, manager)
    page.goto(f"/leads/{lead.pk}")
    page.get_by_role("link", name="May we write to them?").click()
    page.get_by_text("They do not want it").click()
    page.get_by_label("How they said it").fill("On the phone")
    page.get_by_role("button", name="Record that they opted out").click()
    expect(page.get_by_role("region", name="What was recorded")).to_contain_text("On the phone")
    page.goto(f"/leads/{lead.pk}")
    expect(page.locator("#consent-summary")).to_contain_text("E-mail: opted out")
    expect(page.locator("#timeline")).to_contain_text("Opted out")


def test_the_pages_fit_a_phone_and_a_desk(
    open_page: Callable[..., Page], manager: User, tmp_path: Any
) -> None:
    lead = make_reachable_lead("ada.with.a.very.long.address.indeed@subdomain.example.com")
    template = make_template(name="A rather long name of a template", body="Hello " * 60)
    make_approved(name="Approved")
    account = Account.objects.get(channel="email")
    addresses = [
        reverse("channels-settings:accounts"),
        reverse("channels-settings:connect"),
        f"{reverse('channels-settings:connect')}?channel=email&transport=mail",
        f"{reverse('channels-settings:connect')}?channel=whatsapp&transport=whatsapp",
        reverse("channels-settings:account", args=[account.pk]),
        reverse("channels-settings:templates"),
        reverse("channels-settings:template", args=[template.pk]),
        reverse("channels-consent:page", args=[lead.pk]),
    ]
    for width, theme in ((390, "dark"), (1360, "light")):
        window = open_page(viewport={"width": width, "height": 800}, color_scheme=theme)
        log_in(window, manager)
        for number, address in enumerate(addresses):
            window.goto(address)
            found = window.evaluate("document.documentElement.scrollWidth")
            assert found <= width, f"{address} is {found} wide"
            window.screenshot(path=tmp_path / f"{width}-{number}.png", full_page=True)
