"""Files in the composer, in a real browser: they stay chosen until the message has gone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from channels.models import Attachment, Message
from leads.models import Lead
from salesflow.accounts.models import User
from tests.browser.conftest import log_in
from tests.channels.factories import make_inbound_message, make_reachable_lead
from tests.channels.inbox_factories import make_conversation

pytestmark = pytest.mark.browser

LIVE = 10_000


@pytest.fixture
def ada(make_person: Callable[..., User]) -> User:
    """A sales rep."""
    return make_person(name="Ada Lovelace")


@pytest.fixture
def grace(live: str) -> Lead:
    """Somebody who writes."""
    return make_reachable_lead("grace@example.com", phone="+4930901820", name="Grace Hopper")


@pytest.fixture
def offer(tmp_path: Path) -> Path:
    """A file."""
    path = tmp_path / "Angebot März.pdf"
    path.write_bytes(b"%PDF-1.7 " + b"x" * 5000)
    return path


def send(page: Page, name: str = "Send") -> None:
    """Press a button of the composer."""
    page.get_by_role("button", name=name, exact=True).click()


def entries_of(page: Page) -> Any:
    """What was written."""
    return page.locator("#thread-entries")


def test_a_file_stays_chosen_until_the_message_has_gone(
    page: Page, ada: User, grace: Lead, offer: Path
) -> None:
    row = make_conversation(grace)
    log_in(page, ada)
    page.goto(f"/inbox/{row.pk}")
    page.locator("#message-files").set_input_files(offer)
    expect(page.locator("#chosen-files")).to_have_text(offer.name)
    send(page)
    expect(page.get_by_role("alert")).to_contain_text("Write something.")
    expect(page.locator("#chosen-files")).to_have_text(offer.name)
    expect(page.locator("[data-files-left]")).to_have_count(0)
    for name in ("WhatsApp", "E-mail"):
        page.locator(".switch").get_by_role("button", name=name).click()
        expect(page.locator(f".switch [aria-pressed=true]:has-text('{name}')")).to_be_visible()
    expect(page.locator("#chosen-files")).to_have_text(offer.name)
    page.locator("#message-body").fill("Here it is")
    make_inbound_message(grace, body="Never mind!")
    send(page)
    expect(page.get_by_role("alert")).to_contain_text("Nothing was sent yet")
    expect(page.locator("#chosen-files")).to_have_text(offer.name)
    send(page, "Send anyway")
    expect(entries_of(page)).to_contain_text("Here it is", timeout=LIVE)
    expect(entries_of(page).get_by_role("link", name=offer.name)).to_be_visible()
    expect(page.locator("#chosen-files")).to_be_empty()
    assert page.locator("#message-files").evaluate("field => field.files.length") == 0
    message = Message.objects.get(direction="outbound")
    [file] = Attachment.objects.filter(message=message)
    assert bytes(file.content.data) == offer.read_bytes()
    with page.expect_download() as saved:
        entries_of(page).get_by_role("link", name=offer.name).click()
    assert saved.value.suggested_filename == offer.name


def test_what_was_chosen_for_one_goes_to_nobody_else(
    page: Page, ada: User, grace: Lead, offer: Path
) -> None:
    make_conversation(make_reachable_lead(name="Alan Turing"))
    row = make_conversation(grace)
    log_in(page, ada)
    page.goto(f"/inbox/{row.pk}")
    page.locator("#message-files").set_input_files(offer)
    send(page)
    expect(page.get_by_role("alert")).to_contain_text("Write something.")
    page.locator(".inbox-link", has_text="Alan Turing").click()
    expect(page.locator("#thread-header")).to_contain_text("Alan Turing")
    send(page)
    expect(page.get_by_role("alert")).to_contain_text("Write something.")
    expect(page.locator("#chosen-files")).to_be_empty()


def test_what_is_too_large_is_said_before_it_is_sent(
    page: Page, ada: User, grace: Lead, tmp_path: Path
) -> None:
    large = tmp_path / "film.mp4"
    with large.open("wb") as file:
        file.truncate(16 * 1024 * 1024)
    row = make_conversation(grace)
    log_in(page, ada)
    page.goto(f"/inbox/{row.pk}")
    page.locator("#message-body").fill("See the film")
    page.locator("#message-files").set_input_files(large)
    expect(page.locator("#files-limits")).to_have_attribute("data-tone", "bad")
    send(page)
    expect(page.locator("#message-body")).to_have_value("See the film")
    assert not Message.objects.filter(direction="outbound").exists()
    page.locator("#message-files").set_input_files([])
    send(page)
    expect(entries_of(page)).to_contain_text("See the film", timeout=LIVE)
