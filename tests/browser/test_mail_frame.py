"""A mail that would break out, track and deceive, in a real browser: nothing of it happens."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Dialog, Page, expect

from channels.models import Message
from salesflow.accounts.models import User
from tests.browser.conftest import log_in
from tests.channels.factories import make_inbound_message
from tests.channels.test_cleaning import ATTACKS

pytestmark = pytest.mark.browser


@pytest.fixture
def message(live: str, make_person: Callable[..., User]) -> Message:
    """A mail with all attacks that we know, and some words."""
    attacks = "".join(ATTACKS)
    html = f"<h2>Good morning</h2>{attacks}<p><a href='https://example.org/'>Read on</a></p>"
    return make_inbound_message(html=html, body="Good morning")


def test_mail_full_of_attacks_shows_its_words_and_does_nothing(
    page: Page, message: Message, make_person: Callable[..., User]
) -> None:
    # That nothing leaves the server, and no script runs or is refused, is what `page` checks.
    dialogs: list[str] = []

    def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)
    log_in(page, make_person())
    page.goto("/leads")
    address = f"/mails/{message.pk}"
    page.evaluate(
        """address => {
            const frame = document.createElement('iframe');
            frame.name = 'mail'; frame.src = address;
            frame.setAttribute('sandbox', 'allow-popups allow-popups-to-escape-sandbox');
            document.querySelector('main').replaceChildren(frame);
        }""",
        address,
    )
    frame = page.frame_locator("iframe[name=mail]")
    expect(frame.get_by_role("heading", name="Good morning")).to_be_visible()
    expect(frame.locator("form, input, button, script, iframe, svg, video")).to_have_count(0)
    expect(frame.get_by_role("link", name="Read on")).to_have_attribute("target", "_blank")
    assert page.url.endswith("/leads")
    assert dialogs == []
    # The page has no origin: it can neither read our cookies nor reach the page around it.
    inner = next(each for each in page.frames if each.name == "mail")
    assert inner.evaluate("self.origin") == "null"


def test_mail_opened_by_itself_is_as_harmless(
    page: Page, message: Message, make_person: Callable[..., User]
) -> None:
    log_in(page, make_person())
    page.goto(f"/mails/{message.pk}")
    expect(page.get_by_role("heading", name="Good morning")).to_be_visible()
    assert page.evaluate("self.origin") == "null"
