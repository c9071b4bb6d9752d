"""A sequence built, published and used, in a real browser."""

import re
from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Dialog, Locator, Page, expect

from channels.sequences.documents import Document, Step
from channels.sequences.editing import removed, replaced
from channels.sequences.models import Enrolment, Sequence
from channels.sequences.versions import create_sequence, draft_of, edit_draft
from salesflow.accounts.models import User
from tests.browser.conftest import follow_keys, log_in
from tests.sequences.engine.factories import (
    branch,
    days,
    enrol_one,
    linkedin,
    mail,
    make_contact,
    make_sequence,
    task,
)
from tests.sequences.enrolling.test_documents import KNOWN

# What htmx is still asking for, or putting in its place.
UNDER_WAY = ".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added"

pytestmark = pytest.mark.browser


@pytest.fixture
def manager(make_person: Callable[..., User]) -> User:
    """Somebody who leads the team."""
    return make_person(name="Grace Hopper", role="manager")


def document_of(sequence: Sequence) -> Document:
    draft = draft_of(sequence)
    assert draft
    return Document.model_validate(draft.content)


def test_a_sequence_is_built_previewed_published_and_used(page: Page, manager: User) -> None:
    make_contact(name="Ada Lovelace", company="")
    log_in(page, manager)
    follow_keys(page, "g q", "**/sequences")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sequences")
    page.keyboard.press("n")
    page.get_by_label("Name").fill("Welcome")
    page.get_by_role("button", name="Write the steps").click()
    # A mail, with a variable that nobody knows.
    page.get_by_role("button", name="Message").click()
    page.get_by_label("Subject").fill("Hello {{ first_name }}")
    page.get_by_label("Text", exact=True).fill("How is {{ company }}?")
    page.get_by_role("button", name="Save step").click()
    preview = page.locator("#preview")
    expect(preview).to_contain_text("Hello Ada")
    expect(preview).to_contain_text("Nothing is known for “company”")
    # It gets a fallback, in place.
    page.get_by_role("link", name="Hello {{ first_name }}").click()
    page.get_by_label("Text", exact=True).fill("How is {{ company|your company }}?")
    page.get_by_role("button", name="Save step").click()
    expect(preview).not_to_contain_text("Nothing is known")
    # A wait behind it.
    page.get_by_label("Add a step here").last.click()
    page.locator(".menu[open]").get_by_role("button", name="Wait").click()
    page.get_by_label("How long").fill("3")
    page.get_by_role("button", name="Save step").click()
    expect(page.locator(".step-card").nth(1)).to_contain_text("Wait 3 working days")
    # A link that is not wired yet leads to a page of its own instead of a dialog.
    expect(page.locator(UNDER_WAY)).to_have_count(0)
    page.keyboard.press("p")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Version 1 of Welcome")
    dialog.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Version 1 of Welcome is in use.")).to_be_visible()
    expect(page.locator(".sequence-header")).to_contain_text("active")
    sequence = Sequence.objects.get()
    assert sequence.published
    assert [each["kind"] for each in sequence.published.content["steps"]] == ["message", "wait"]
    # A lead comes in.
    page.wait_for_load_state()
    page.keyboard.press("e")
    page.get_by_placeholder("Search name").fill("Ada")
    expect(page.locator("#enrol-survey")).to_contain_text("of 1 can start")
    page.get_by_role("button", name="Take them in").click()
    expect(page.get_by_role("row", name=re.compile("Ada Lovelace"))).to_be_visible()
    assert Enrolment.objects.get().lead.name == "Ada Lovelace"


def test_faults_are_told_where_they_are(page: Page, manager: User) -> None:
    sequence = create_sequence(
        "Welcome", document=Document(steps=(mail("Hi {{ fist_name }}"), task("")))
    )
    log_in(page, manager)
    page.goto(reverse("sequences:detail", args=[sequence.pk]))
    page.keyboard.press("p")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("2 things are missing")
    dialog.get_by_role("link", name=re.compile("Step 2")).click()
    expect(dialog).to_be_hidden()
    page.get_by_role("link", name="A task without a title").click()
    page.get_by_label("What is to be done").fill("Call them")
    page.get_by_role("button", name="Save step").click()
    expect(page.locator(".step-card").nth(1)).to_contain_text("Call them")
    expect(page.locator(".step-card").nth(1)).not_to_contain_text("no title")


def test_steps_are_moved_by_keyboard_into_a_branch(page: Page, manager: User) -> None:
    first = mail()
    sequence = create_sequence(
        "Welcome", document=Document(steps=(first, branch(KNOWN, [task()], [])))
    )
    log_in(page, manager)
    page.goto(reverse("sequences:detail", args=[sequence.pk]))
    button = page.locator(f"#down-{first.key}")
    button.focus()
    page.keyboard.press("Enter")
    inside = page.locator('[data-way="then"] .step-card').first
    expect(inside).to_have_id(f"step-{first.key}")
    # The focus stays, so that the next press moves it further.
    expect(button).to_be_focused()
    card = page.locator(f"#step-{first.key}")
    card.get_by_label("More about step").click()
    card.get_by_role("button", name="Move to the end").click()
    expect(page.locator(".step-card").last).to_have_id(f"step-{first.key}")
    # Where its button is gone, the next one of the step takes it.
    expect(page.locator(f"#up-{first.key}")).to_be_focused()
    expect(button).to_be_disabled()
    page.keyboard.press("Enter")
    expect(inside).not_to_have_id(f"step-{first.key}")
    expect(page.locator('[data-way="otherwise"] .step-card').first).to_have_id(f"step-{first.key}")
    [fork] = document_of(sequence).steps
    assert [step.kind for step in fork.otherwise.steps] == ["message"]  # type: ignore[union-attr]


def test_two_texts_are_written_and_one_goes(page: Page, manager: User) -> None:
    step = mail("First")
    sequence = create_sequence("Welcome", document=Document(steps=(step,)))
    log_in(page, manager)
    page.goto(reverse("sequences:detail", args=[sequence.pk]))
    page.get_by_role("link", name="Hi", exact=True).click()
    page.get_by_role("button", name="Try another text").click()
    expect(page.get_by_label("Text", exact=True)).to_have_count(2)
    page.get_by_label("Text", exact=True).last.fill("Second")
    page.get_by_role("button", name="Save step").click()
    expect(page.locator(".step-card").first).to_contain_text("2 variants")
    page.get_by_role("link", name="Hi", exact=True).click()
    page.get_by_role("button", name="Take variant A out").click()
    expect(page.get_by_label("Text", exact=True)).to_have_count(1)
    expect(page.get_by_label("Text", exact=True)).to_have_value("Second")
    page.get_by_role("button", name="Save step").click()
    expect(page.locator(".step-card.is-open")).to_have_count(0)
    expect(page.locator(".step-card").first).not_to_contain_text("variants")
    [written] = document_of(sequence).steps
    assert [each.label for each in written.variants] == ["B"]  # type: ignore[union-attr]


def open_builder(page: Page, *steps: Step) -> Sequence:
    """Show the builder of a sequence, with the forms of all its steps open."""
    sequence = create_sequence("Welcome", document=Document(steps=steps))
    page.goto(reverse("sequences:detail", args=[sequence.pk]))
    for step in steps:
        card_of(page, step).get_by_role("link").click()
        expect(card_of(page, step)).to_have_class(re.compile("is-open"))
    return sequence


def card_of(page: Page, step: Step) -> Locator:
    return page.locator(f"#step-{step.key}")


def text_of(page: Page, step: Step) -> Locator:
    return card_of(page, step).get_by_label("Text", exact=True)


def save_in(card: Locator) -> None:
    card.get_by_role("button", name="Save step").click()


def add_wait(page: Page) -> None:
    page.get_by_label("Add a step here").last.click()
    page.locator(".menu[open]").get_by_role("button", name="Wait").click()


def answer(page: Page, *, leaves: bool) -> list[str]:
    """Answer every question whether to leave; what was asked comes into the list."""
    asked: list[str] = []

    def note(dialog: Dialog) -> None:
        asked.append(dialog.message or dialog.type)
        if leaves:
            dialog.accept()
        else:
            dialog.dismiss()

    page.on("dialog", note)
    return asked


def test_text_outlives_changes_of_other_steps(page: Page, manager: User) -> None:
    first, second = mail("First", "One"), mail("Second", "Two")
    log_in(page, manager)
    sequence = open_builder(page, first, second)
    asked = answer(page, leaves=False)
    text_of(page, first).fill("A long text")
    text_of(page, second).fill("Another one")
    # Another step comes in, is saved, moved and taken out.
    add_wait(page)
    wait = page.locator('.step-card[data-kind="wait"]')
    save_in(wait)
    expect(wait).not_to_have_class(re.compile("is-open"))
    expect(text_of(page, first)).to_have_value("A long text")
    expect(text_of(page, second)).to_have_value("Another one")
    wait.get_by_role("button", name="up").click()
    expect(page.locator(".step-card").nth(1)).to_have_attribute("data-kind", "wait")
    wait.get_by_role("button", name="out").click()
    expect(wait).to_have_count(0)
    # One of the two is saved: so can the other be, as nobody else has changed anything.
    save_in(card_of(page, second))
    expect(card_of(page, second)).not_to_have_class(re.compile("is-open"))
    expect(text_of(page, first)).to_have_value("A long text")
    save_in(card_of(page, first))
    expect(page.locator(".step-card.is-open")).to_have_count(0)
    texts = [step.variants[0].body for step in document_of(sequence).steps]  # type: ignore[union-attr]
    assert texts == ["A long text", "Another one"]
    page.get_by_role("link", name="Sequences").first.click()
    page.wait_for_url("**/sequences")
    assert asked == []


def test_forms_that_were_changed_ask_before_they_are_left(page: Page, manager: User) -> None:
    first, second = mail("First", "One"), mail("Second", "Two")
    log_in(page, manager)
    open_builder(page, first, second)
    asked = answer(page, leaves=False)
    # As it was opened it closes unasked; so it does when what was typed is gone again.
    text_of(page, first).fill("{{ first_name|")
    text_of(page, second).fill("Typed")
    text_of(page, second).fill("Second")
    card_of(page, second).get_by_role("link", name="Close").click()
    expect(card_of(page, second)).not_to_have_class(re.compile("is-open"))
    assert asked == []
    # One that the server has seen, and not saved, asks as before.
    card_of(page, first).get_by_role("button", name="Try another text").click()
    expect(text_of(page, first)).to_have_count(2)
    card_of(page, first).get_by_role("link", name="Close").click()
    page.get_by_role("link", name="Settings").last.click()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Publish").click()
    page.get_by_role("dialog").get_by_role("button", name="Publish").click()
    expect(text_of(page, first).first).to_have_value("{{ first_name|")
    question = "What you have typed is not saved. Leave it?"
    assert asked == [question, "beforeunload", question]


def test_form_that_is_left_is_asked_about_once(page: Page, manager: User) -> None:
    first, second = mail("First", "One"), mail("Second", "Two")
    log_in(page, manager)
    sequence = open_builder(page, first, second)
    asked = answer(page, leaves=True)
    text_of(page, first).fill("Left")
    text_of(page, second).fill("Kept")
    card_of(page, first).get_by_role("link", name="Close").click()
    expect(card_of(page, first)).not_to_have_class(re.compile("is-open"))
    expect(text_of(page, second)).to_have_value("Kept")
    page.get_by_role("link", name="Publish").click()
    page.get_by_role("dialog").get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Version 1 of Welcome is in use.")).to_be_visible()
    assert asked == ["What you have typed is not saved. Leave it?"] * 2
    sequence.refresh_from_db()
    assert sequence.published
    assert [each["variants"][0]["body"] for each in sequence.published.content["steps"]] == [
        "First",
        "Second",
    ]


def test_text_outlives_what_others_change(page: Page, manager: User) -> None:
    first, second = mail("First", "One"), mail("Second", "Two")
    log_in(page, manager)
    sequence = open_builder(page, first, second)
    text_of(page, first).fill("Mine")
    text_of(page, second).fill("Also mine")
    theirs = mail("Theirs", "One").model_copy(update={"key": first.key})
    edit_draft(sequence, lambda document: removed(replaced(document, theirs), second.key))
    add_wait(page)
    expect(page.get_by_text("look at it again")).to_be_visible()
    # What has no step any more can still be copied.
    expect(text_of(page, second)).to_have_value("Also mine")
    # Theirs is overwritten only by who was told so.
    save_in(card_of(page, first))
    expect(card_of(page, first)).to_contain_text("Somebody changed this sequence")
    save_in(card_of(page, first))
    expect(card_of(page, first)).not_to_have_class(re.compile("is-open"))
    [written] = document_of(sequence).steps
    assert written.variants[0].body == "Mine"  # type: ignore[union-attr]
    expect(text_of(page, second)).to_have_value("Also mine")


def test_a_lead_is_started_paused_and_taken_out(page: Page, manager: User) -> None:
    lead, sequence = make_contact(name="Ada Lovelace"), make_sequence(mail())
    log_in(page, manager)
    page.goto(f"/leads/{lead.pk}")
    card = page.get_by_role("region", name="Sequences")
    card.get_by_role("button", name="Start it").click()
    expect(card).to_contain_text("active")
    expect(page.locator("#timeline")).to_contain_text("Came into the sequence")
    # What a change sets off renews the card once more, and would close its menu.
    expect(page.locator(UNDER_WAY)).to_have_count(0)
    card.get_by_label("Change Ada Lovelace").click()
    card.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("region", name="Sequences")).to_contain_text("paused by hand")
    assert Enrolment.objects.get(sequence=sequence).state == "paused"


def test_the_pages_fit_a_phone_and_a_desk(open_page: Callable[..., Page], manager: User) -> None:
    make_contact(name="Ada Lovelace with a rather long name", company="Analytical Engines")
    fork = branch(KNOWN, [task("Call {{ first_name }}"), days(2)], [linkedin()])
    sequence = make_sequence(mail("Dear {{ first_name }}"), days(3), fork, mail("More", ""))
    enrol_one(sequence)
    addresses = [
        reverse("sequences:list"),
        *(
            reverse(f"sequences:{name}", args=[sequence.pk])
            for name in ("detail", "people", "figures", "rules", "settings", "enrol")
        ),
        reverse("sequences:attention"),
        reverse("sequences-settings:calendars"),
        reverse("sequences-settings:new-calendar"),
    ]
    for width, theme in ((390, "dark"), (1360, "light")):
        window = open_page(viewport={"width": width, "height": 900}, color_scheme=theme)
        log_in(window, manager)
        for address in addresses:
            window.goto(address)
            found = window.evaluate("document.documentElement.scrollWidth")
            assert found <= width, f"{address} is {found} wide"
