"""Deciding about drafts in a real browser: by keyboard, against a colleague, until it is sent."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, expect

from channels.autopilot.deciding import edit_draft
from channels.autopilot.models import Draft, Mode
from channels.models import Message, MessageStatus
from salesflow.accounts.models import Tenant, User
from tests.autopilot.rows import make_draft
from tests.autopilot.stage import outbound, set_rule
from tests.browser.conftest import ARTIFACTS, follow_keys, log_in
from tests.channels.factories import make_inbound_message, make_reachable_lead
from tests.waiting import wait_until

pytestmark = pytest.mark.browser

TEXT = "Hello Grace, the starter package costs 500 EUR. A colleague will call you."
# A hold of ten seconds, and what a busy machine takes.
SENT = 60


@pytest.fixture
def ada(make_person: Callable[..., User]) -> User:
    """A sales rep."""
    return make_person(name="Ada Lovelace")


@pytest.fixture
def drafts(ada: User, tenant: Tenant) -> list[Draft]:
    """Three drafts that wait, the oldest first."""
    set_rule(Mode.APPROVE)
    found = []
    for name in ("Grace Hopper", "Alan Turing", "Joan Clarke"):
        lead = make_reachable_lead(name=name, company="Bletchley Ltd")
        message = make_inbound_message(lead, subject="Prices", body=f"What does it cost? {name}")
        found.append(make_draft(message, body=TEXT, original_body=TEXT))
    claim = {"kind": "amount", "said": "500 EUR", "trust": "ours", "source": "text “Prices”"}
    found[0].run.report = {"cut": ["It is the cheapest at 1 EUR."], "claims": [claim]}
    found[0].run.save()
    return found


def pane(page: Page) -> Any:
    """The open draft."""
    return page.locator("#draft")


def state_of(draft: Draft) -> str:
    return str(Draft.objects.values_list("state", flat=True).get(pk=draft.pk))


def note_focus_of_each_swap(page: Page) -> None:
    """What has the focus once an answer stands in the page, before anything else happens."""
    page.evaluate(
        """() => document.addEventListener("htmx:afterSwap", () => {
            document.body.dataset.focused = document.activeElement.tagName;
        })"""
    )


def has_gone(message: Message) -> bool:
    return bool(Message.objects.get(pk=message.pk).status == MessageStatus.SENT)


def open_queue(page: Page, user: User) -> None:
    log_in(page, user)
    follow_keys(page, "g d", "**/autopilot")
    expect(page.get_by_role("heading", name="Autopilot")).to_be_visible()


def test_drafts_are_decided_about_with_the_keyboard_alone(
    page: Page, ada: User, drafts: list[Draft], worker: Any
) -> None:
    open_queue(page, ada)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(pane(page)).to_contain_text("What does it cost? Grace Hopper")
    expect(pane(page)).to_contain_text(drafts[0].to_address)
    expect(pane(page).locator("mark")).to_have_text("500 EUR")
    expect(pane(page).locator("del")).to_have_text("It is the cheapest at 1 EUR.")
    page.screenshot(path=ARTIFACTS / "approval-queue.png")
    page.keyboard.press("a")
    # The next one opens by itself.
    expect(pane(page)).to_contain_text("What does it cost? Alan Turing")
    expect(page.locator("#waiting-count")).to_have_text("2")
    assert state_of(drafts[0]) == "approved"
    page.keyboard.press("u")
    expect(pane(page)).to_contain_text("What does it cost? Grace Hopper")
    assert state_of(drafts[0]) == "pending"
    page.keyboard.press("e")
    expect(page.locator("#id_body")).to_be_focused()
    page.keyboard.press("Control+End")
    page.keyboard.type(" Best, Ada")
    note_focus_of_each_swap(page)
    page.keyboard.press("Control+Enter")
    expect(pane(page)).to_contain_text("What does it cost? Alan Turing")
    # A key pressed at once decides about the next draft: it is not typed into its closed editor.
    assert page.evaluate("document.body.dataset.focused") == "BODY"
    page.keyboard.press("d")
    page.keyboard.press("3")
    expect(pane(page)).to_contain_text("What does it cost? Joan Clarke")
    found = Draft.objects.get(pk=drafts[1].pk)
    assert (found.state, found.reason) == ("dismissed", "No answer is needed")
    wait_until(lambda: state_of(drafts[0]) == "sent", "the draft is sent", SENT)
    sent = Message.objects.get(direction="outbound")
    assert (sent.author, sent.body) == (ada, f"{TEXT} Best, Ada")
    wait_until(lambda: has_gone(sent), "its message has gone", SENT)
    assert state_of(drafts[2]) == "pending"


def test_colleague_who_was_faster_is_shown(page: Page, ada: User, drafts: list[Draft]) -> None:
    log_in(page, ada)
    page.goto(f"/autopilot/drafts/{drafts[0].pk}")
    edit_draft(drafts[0].pk, revision=1, body="Hello Grace, I will call you.", actor=None)
    page.keyboard.press("a")
    expect(pane(page)).to_contain_text("Somebody has changed it since you read it.")
    expect(pane(page)).to_contain_text("I will call you.")
    assert state_of(drafts[0]) == "pending"
    page.keyboard.press("a")
    expect(pane(page)).to_contain_text("What does it cost? Alan Turing")
    assert state_of(drafts[0]) == "approved"


def test_key_that_is_held_or_tapped_twice_approves_one(
    page: Page, ada: User, drafts: list[Draft]
) -> None:
    log_in(page, ada)
    page.goto(f"/autopilot/drafts/{drafts[0].pk}")
    page.keyboard.down("a")
    page.keyboard.down("a")
    expect(pane(page)).to_contain_text("What does it cost? Alan Turing")
    # Still held, and then tapped: nobody reads as fast.
    page.keyboard.down("a")
    page.keyboard.up("a")
    page.keyboard.press("a")
    assert [state_of(draft) for draft in drafts] == ["approved", "pending", "pending"]
    # Whoever has looked at it decides by the same key.
    page.wait_for_function(
        "shown => performance.now() > shown + 600", arg=page.evaluate("performance.now()")
    )
    page.keyboard.press("a")
    expect(pane(page)).to_contain_text("What does it cost? Joan Clarke")
    assert [state_of(draft) for draft in drafts] == ["approved", "approved", "pending"]
    # And takes back what they have decided last, whichever goes first.
    page.keyboard.press("u")
    expect(pane(page)).to_contain_text("What does it cost? Alan Turing")
    assert [state_of(draft) for draft in drafts] == ["approved", "pending", "pending"]


def test_message_that_comes_in_keeps_the_draft_back(
    page: Page, ada: User, drafts: list[Draft]
) -> None:
    log_in(page, ada)
    page.goto(f"/autopilot/drafts/{drafts[0].pk}")
    make_inbound_message(drafts[0].lead, body="Forget it.")
    page.keyboard.press("a")
    expect(pane(page)).to_contain_text("They have written again since.")
    assert outbound() == []


def test_what_was_typed_is_not_lost_unasked(page: Page, ada: User, drafts: list[Draft]) -> None:
    log_in(page, ada)
    page.goto(f"/autopilot/drafts/{drafts[0].pk}")
    page.keyboard.press("e")
    expect(page.locator("#id_body")).to_be_focused()
    page.keyboard.press("Control+End")
    page.keyboard.type("Half a sent")
    asked: list[str] = []

    def refuse(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.once("dialog", refuse)
    page.locator(".inbox-link").nth(1).click()
    assert "not saved" in asked[0]
    expect(page.locator("#id_body")).to_have_value(f"{TEXT}Half a sent")
    assert not page.locator("html.busy").count()
    page.once("dialog", lambda dialog: dialog.accept())
    page.locator(".inbox-link").nth(1).click()
    expect(pane(page)).to_contain_text("What does it cost? Alan Turing")


def test_new_drafts_are_told_and_move_nothing(page: Page, ada: User, drafts: list[Draft]) -> None:
    open_queue(page, ada)
    lead = make_reachable_lead(name="Mary Lee")
    make_draft(make_inbound_message(lead, body="Me too"))
    expect(page.locator("#pilot-news")).to_contain_text("4 wait now", timeout=15_000)
    assert page.locator("#draft-list > li").count() == 3
    page.locator("#pilot-news a").click()
    expect(page.locator("#draft-list > li")).to_have_count(4)


@pytest.mark.parametrize("language", ["de", "en"])
def test_queue_fits_a_phone(
    open_page: Callable[..., Page], ada: User, drafts: list[Draft], language: str
) -> None:
    User.objects.filter(pk=ada.pk).update(language=language)
    page = open_page(viewport={"width": 390, "height": 844})
    log_in(page, ada)
    page.goto("/autopilot")
    expect(page.locator("#draft-list")).to_be_visible()
    page.locator(".inbox-link").first.click()
    expect(page.locator(".draft-verbs .button.primary")).to_be_visible()
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0
    # All that can be decided stands in one line.
    buttons = page.locator(".draft-verbs .actions .button:visible")
    tops = buttons.evaluate_all("all => all.map(each => each.getBoundingClientRect().top)")
    assert len(tops) == 4
    assert max(tops) - min(tops) < 2
    page.screenshot(path=ARTIFACTS / f"approval-queue-phone-{language}.png")
