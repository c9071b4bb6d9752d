"""The builder: steps are put in, written, moved, taken out and published."""

from typing import Any
from uuid import UUID

import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from channels.models import Account, AccountTrial, Message
from channels.sequences.conditions import Operator, Signal
from channels.sequences.documents import BranchStep, Did, Document, Says, Step, Wait
from channels.sequences.models import Sequence
from channels.sequences.versions import create_sequence, draft_of, edit_draft
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import User
from tests.channels.mail.factories import make_mail_account
from tests.channels.template_factories import make_approved, make_template
from tests.factories import make_tenant
from tests.leads.factories import stage_called
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
from tests.web import HTMX, Browser, page_of

KNOWN = Says(name="company", operator=Operator.KNOWN)


def make_draft(*steps: Step, name: str = "Welcome", **settings: Any) -> Sequence:
    """A sequence that was never published."""
    return create_sequence(name, document=Document(steps=steps, **settings))


def url(name: str, sequence: Sequence, *args: Any) -> str:
    return reverse(f"sequences:{name}", args=[sequence.pk, *args])


def document_of(sequence: Sequence) -> Document:
    draft = draft_of(sequence)
    assert draft
    return Document.model_validate(draft.content)


def revision_of(sequence: Sequence) -> int:
    draft = draft_of(sequence)
    return draft.revision if draft else 0


def kinds(sequence: Sequence) -> list[str]:
    return [step.kind for step in document_of(sequence).steps]


def save(browser: Browser, sequence: Sequence, step: Step, **given: Any) -> Any:
    """Send the form of a step."""
    data = {"revision": revision_of(sequence), "act": "save", **given}
    return browser.post(url("step", sequence, step.key), data, headers=HTMX)


def texts(*variants: dict[str, str]) -> dict[str, str]:
    """The texts of a step, as its form sends them."""
    given = {"variant-TOTAL_FORMS": str(len(variants)), "variant-INITIAL_FORMS": "0"}
    for number, variant in enumerate(variants):
        filled = {"label": "ABC"[number], "weight": "1", "vendor": "", **variant}
        given |= {f"variant-{number}-{name}": value for name, value in filled.items()}
    return given


def test_new_sequence_begins_with_a_name_and_no_steps(browser: Browser) -> None:
    response = browser.post(reverse("sequences:create"), {"name": "Welcome"})
    sequence = Sequence.objects.get()
    assert response.headers["Location"] == url("detail", sequence)
    page = page_of(browser.get(url("detail", sequence)))
    assert "What comes first?" in page.text
    assert "nobody can come in" in page.text
    refused = browser.post(reverse("sequences:create"), {"name": " "})
    assert refused.status_code == 422
    page_of(refused)


@pytest.mark.parametrize("kind", ["message", "wait", "task", "linkedin", "branch"])
def test_step_comes_in_with_its_form_open(browser: Browser, kind: str) -> None:
    sequence = make_draft()
    data = {"kind": kind, "revision": revision_of(sequence)}
    response = browser.post(url("add-step", sequence), data, headers=HTMX)
    page = page_of(response)
    assert response.headers["HX-Retarget"] == "#builder"
    assert kinds(sequence) == [kind]
    assert "Save step" in page.text
    assert {"publish-slot", "builder"} <= {attrs.get("id") for _tag, attrs in page.elements}
    # Without scripts the page shows it.
    browser.post(url("add-step", sequence), {**data, "revision": revision_of(sequence)})
    assert kinds(sequence) == [kind, kind]


def test_step_comes_in_where_its_plus_stands(browser: Browser) -> None:
    first, fork = mail(), branch(KNOWN, [task("Inside")], [])
    sequence = make_draft(first, fork)
    for place in ({"after": first.key}, {"into": f"{fork.key}:otherwise"}, {}):
        data = {"kind": "wait", "revision": revision_of(sequence), **place}
        assert browser.post(url("add-step", sequence), data, headers=HTMX).status_code == 200
    document = document_of(sequence)
    assert [step.kind for step in document.steps] == ["wait", "message", "wait", "branch"]
    inside = document.steps[3]
    assert isinstance(inside, BranchStep)
    assert [step.kind for step in inside.otherwise.steps] == ["wait"]


def test_step_that_cannot_come_in_is_said(browser: Browser) -> None:
    sequence = make_draft(mail())
    assert browser.post(url("add-step", sequence), {"kind": "fax"}).status_code == 404
    gone = {"kind": "wait", "after": str(UUID(int=9))}
    response = browser.post(url("add-step", sequence), gone, headers=HTMX)
    assert response.status_code == 422
    assert "taken this step out" in page_of(response).text
    assert kinds(sequence) == ["message"]


def test_mail_is_written(browser: Browser) -> None:
    step = mail("Old")
    sequence = make_draft(step)
    form = page_of(browser.get(url("step", sequence, step.key), headers=HTMX))
    assert "Old" in form.text
    given = texts({"subject": "Hello", "body": "Dear {{ first_name }}\n"})
    response = save(browser, sequence, step, channel="email", **given)
    assert response.status_code == 200
    assert "builder-changed" in response.headers["HX-Trigger"]
    [written] = document_of(sequence).steps
    [variant] = written.variants  # type: ignore[union-attr]
    assert (variant.subject, variant.body, variant.label) == (
        *("Hello", "Dear {{ first_name }}\n"),
        "A",
    )
    assert written.key == step.key


def test_texts_are_tried_against_each_other(browser: Browser) -> None:
    step = mail("First")
    sequence = make_draft(step)
    given = {"channel": "email", **texts({"subject": "Hi", "body": "First"})}
    form = page_of(save(browser, sequence, step, **given, act="add"))
    fields = [each.get("name") for each in form.all("textarea")]
    assert fields == ["variant-0-body", "variant-1-body"]
    # Nothing was saved yet.
    assert len(document_of(sequence).steps[0].variants) == 1  # type: ignore[union-attr]
    two = texts({"subject": "Hi", "body": "First"}, {"subject": "Hey", "body": "B", "weight": "3"})
    save(browser, sequence, step, channel="email", **two)
    variants = document_of(sequence).steps[0].variants  # type: ignore[union-attr]
    assert [(each.label, each.body, each.weight) for each in variants] == [
        ("A", "First", 1),
        ("B", "B", 3),
    ]
    left = page_of(save(browser, sequence, step, channel="email", **two, act="drop:0"))
    assert [each.get("value") for each in left.all("input") if "label" in each["name"]] == ["B"]


def test_template_is_copied_into_a_text(browser: Browser) -> None:
    template = make_template(subject="Welcome", body="Welcome, {{ first_name }}", channel="email")
    step = mail("Old")
    sequence = make_draft(step)
    given = {"channel": "email", "from_template": template.pk, **texts({"body": "Old"})}
    form = page_of(save(browser, sequence, step, **given, act="fill:0"))
    assert "Welcome, {{ first_name }}" in form.text
    assert "Welcome" in [each.get("value") for each in form.all("input")]


def test_approved_template_goes_as_that(browser: Browser) -> None:
    template = make_approved(body="Hello {{ first_name }}")
    step = mail()
    sequence = make_draft(step)
    given = {"channel": "whatsapp", "from_template": template.pk, **texts({"body": ""})}
    form = page_of(save(browser, sequence, step, **given, act="fill:0"))
    [vendor] = [each["value"] for each in form.all("input") if each["name"] == "variant-0-vendor"]
    assert vendor == "hello en_US"
    save(browser, sequence, step, channel="whatsapp", **texts({"body": "Hi", "vendor": vendor}))
    [written] = document_of(sequence).steps
    assert written.channel == "whatsapp"  # type: ignore[union-attr]
    vendor_template = written.variants[0].template  # type: ignore[union-attr]
    assert vendor_template
    assert (vendor_template.name, vendor_template.language) == ("hello", "en_US")


def test_text_of_an_approved_template_is_written_anew_only_when_that_is_wanted(
    browser: Browser,
) -> None:
    step = mail()
    sequence = make_draft(step)
    given = texts({"body": "Hello", "subject": "Hi", "vendor": "hello en_US"})
    form = page_of(save(browser, sequence, step, channel="whatsapp", **given, act="add"))
    assert "readonly" in form.all("textarea")[0]
    form = page_of(save(browser, sequence, step, channel="whatsapp", **given, act="free:0"))
    assert "readonly" not in form.all("textarea")[0]
    # An e-mail has no approved template, and nothing else a subject.
    for channel, template, subject in (("email", False, "Hi"), ("whatsapp", True, "")):
        save(browser, sequence, step, channel=channel, **given)
        [variant] = document_of(sequence).steps[0].variants  # type: ignore[union-attr]
        assert (bool(variant.template), variant.subject) == (template, subject)


def test_other_kinds_are_written(browser: Browser) -> None:
    wait, call, note = days(1), task("Old"), linkedin("Old")
    sequence = make_draft(wait, call, note)
    save(browser, sequence, wait, amount="5", unit="days:")
    save(
        browser,
        sequence,
        call,
        title="Call",
        task_kind="call",
        due_amount="2",
        due_unit="hours:working",
    )
    save(browser, sequence, note, **texts({"body": "Hello"}))
    first, second, third = document_of(sequence).steps
    assert first.wait == Wait(amount=5, is_working=False)  # type: ignore[union-attr]
    assert (second.title, second.is_waited_for) == ("Call", False)  # type: ignore[union-attr]
    assert second.due == Wait(amount=2, unit="hours")  # type: ignore[union-attr]
    assert third.variants[0].body == "Hello"  # type: ignore[union-attr]


def test_branch_asks_of_a_field_or_of_what_they_did(browser: Browser) -> None:
    message, fork = mail(), branch(KNOWN, [task("Inside")], [])
    sequence = make_draft(message, fork)
    shared = {"within_amount": "2", "within_unit": "days:working", "otherwise_ends": "on"}
    says = {"question": "says", "name": "title", "operator": "contains", "value": "CEO"}
    save(browser, sequence, fork, **says, **shared)
    written = document_of(sequence).steps[1]
    assert isinstance(written, BranchStep)
    assert written.condition == Says(name="title", operator=Operator.CONTAINS, value="CEO")
    assert (written.within, written.then.ends, written.otherwise.ends) == (
        *(Wait(amount=2), False),
        True,
    )
    assert [step.kind for step in written.then.steps] == ["task"]
    save(browser, sequence, fork, question="clicked", asked=str(message.key), **shared)
    written = document_of(sequence).steps[1]
    assert isinstance(written, BranchStep)
    assert written.condition == Did(signal=Signal.CLICKED, step=message.key)


def test_branch_asks_where_the_lead_stands(browser: Browser) -> None:
    fork, stage = branch(KNOWN, [task("Inside")], []), stage_called("Proposal")
    make_contact(source="fair")
    sequence = make_draft(fork)
    for given, name, value, words in (
        ({"question": "stage", "stage": stage.pk}, "stage", str(stage.pk), "stage is “Proposal”"),
        ({"question": "source", "source": "fair"}, "source", "fair", "source is “fair”"),
        ({"question": "tag", "value": "vip"}, "tag", "vip", "tag is “vip”"),
    ):
        save(browser, sequence, fork, **given, operator="is", within_unit="days:")
        [written] = document_of(sequence).steps
        assert written.condition == Says(name=name, value=value)  # type: ignore[union-attr]
        assert words in page_of(browser.get(url("detail", sequence))).text
        form = page_of(browser.get(url("step", sequence, fork.key)))
        assert next(each["value"] for each in form.all("option") if "selected" in each) == name


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"question": "stage", "operator": "is"}, "stage"),
        ({"question": "stage", "operator": "contains"}, "operator"),
        ({"question": "source", "operator": "is", "source": "nowhere"}, "source"),
        ({"question": "tag", "operator": "is"}, "value"),
        ({"question": "says", "operator": "is", "value": "x"}, "name"),
        ({"question": "says", "name": "title", "operator": "is"}, "value"),
        ({"question": "sings"}, "question"),
        ({"question": "clicked", "asked": "nonsense"}, "asked"),
        ({"question": "clicked", "within_amount": "-1"}, "within_amount"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    browser: Browser, given: dict[str, str], field: str
) -> None:
    fork = branch(KNOWN, [task()], [])
    sequence = make_draft(fork)
    response = save(browser, sequence, fork, **{"within_unit": "days:", **given})
    assert response.status_code == 422
    assert field in response.context["opened"]["form"].errors
    assert response.headers["HX-Retarget"] == f"#step-{fork.key}"
    page_of(response)
    assert document_of(sequence).steps == (fork,)


def test_wait_that_is_too_long_is_refused(browser: Browser) -> None:
    step = days(1)
    sequence = make_draft(step)
    response = save(browser, sequence, step, amount="401", unit="days:")
    assert response.status_code == 422
    assert "400 days" in page_of(response).text


def test_second_editor_sees_what_they_typed_and_may_overwrite(browser: Browser) -> None:
    step = days(1)
    sequence = make_draft(step)
    stale = revision_of(sequence)
    edit_draft(sequence, lambda document: document)
    given = {"amount": "5", "unit": "days:", "revision": stale}
    response = save(browser, sequence, step, **given)
    assert response.status_code == 422
    page = page_of(response)
    assert "Somebody changed this sequence" in page.text
    shown = {each["name"]: each.get("value") for each in page.all("input") if "name" in each}
    assert shown["amount"] == "5"
    assert shown["revision"] == str(revision_of(sequence))
    save(browser, sequence, step, **{**given, "revision": shown["revision"]})
    assert document_of(sequence).steps[0].wait.amount == 5  # type: ignore[union-attr]


def test_steps_move_and_go(browser: Browser) -> None:
    first, second = mail(), task()
    sequence = make_draft(first, second)

    def press(step: Step, verb: str, **data: Any) -> Any:
        given = {"revision": revision_of(sequence), **data}
        return browser.post(url("step-verb", sequence, step.key, verb), given, headers=HTMX)

    press(first, "down")
    assert kinds(sequence) == ["task", "message"]
    press(first, "up")
    assert kinds(sequence) == ["message", "task"]
    press(first, "to-end")
    assert kinds(sequence) == ["task", "message"]
    press(first, "to-start")
    assert kinds(sequence) == ["message", "task"]
    page_of(press(second, "remove"))
    assert kinds(sequence) == ["message"]
    assert press(second, "remove").status_code == 404
    assert press(first, "sing").status_code == 404
    stale = press(first, "remove", revision=0)
    assert "look at it again" in page_of(stale).text
    assert kinds(sequence) == ["message"]


def test_published_sequence_is_edited_as_a_draft(browser: Browser) -> None:
    step = mail("Old")
    sequence = make_sequence(step)
    page = page_of(browser.get(url("detail", sequence)))
    assert "not published yet" not in page.text
    given = texts({"subject": "Hi", "body": "New"})
    save(browser, sequence, step, channel="email", **given, revision="0")
    page = page_of(browser.get(url("detail", sequence)))
    assert "You see version 2" in page.text
    browser.post(url("discard", sequence))
    assert draft_of(sequence) is None


def test_faults_stand_at_their_steps_and_keep_it_from_being_published(browser: Browser) -> None:
    good, bad = mail(), mail("Hello {{ fist_name }}")
    sequence = make_draft(good, bad)
    assert "no variable “fist_name”" in page_of(browser.get(url("detail", sequence))).text
    asked = page_of(browser.get(url("publish", sequence), headers=HTMX))
    assert "One thing is missing" in asked.text
    assert any(f"#step-{bad.key}" in each.get("href", "") for each in asked.all("a"))
    refused = browser.post(url("publish", sequence), headers=HTMX)
    assert refused.status_code == 422
    page_of(refused)
    assert Sequence.objects.get().state == "draft"


def test_publishing_says_who_finishes_on_what(browser: Browser) -> None:
    sequence = make_sequence(mail("Old"))
    enrol_one(sequence)
    edit_draft(sequence, lambda d: d.model_copy(update={"steps": (mail("New"),)}))
    asked = page_of(browser.get(url("publish", sequence), headers=HTMX))
    assert "1 leads under way finish" in asked.text
    assert "Take along the 1" in asked.text
    response = browser.post(
        url("publish", sequence), {"revision": 1, "takes_along": "on"}, headers=HTMX
    )
    assert response.headers["HX-Redirect"] == url("detail", sequence)
    sequence.refresh_from_db()
    assert sequence.published
    assert sequence.published.number == 2
    assert sequence.enrolments.get().version_id == sequence.published_id


def test_publishing_a_stale_revision_is_said(browser: Browser) -> None:
    sequence = make_draft(mail())
    edit_draft(sequence, lambda document: document)
    response = browser.post(url("publish", sequence), {"revision": 1}, headers=HTMX)
    assert response.status_code == 422
    assert "in the meantime" in page_of(response).text


def test_dialogs_are_pages_without_scripts(browser: Browser) -> None:
    sequence = make_sequence(mail())
    for name in ("publish", "clone"):
        page_of(browser.get(url(name, sequence)))
    step = mail()
    draft = make_draft(step, name="Draft")
    page_of(browser.get(url("step", draft, step.key)))
    assert browser.post(url("publish", draft)).headers["Location"] == url("detail", draft)


def test_clone_is_made_under_another_name(browser: Browser) -> None:
    sequence = make_sequence(mail())
    taken = browser.post(url("clone", sequence), {"name": sequence.name}, headers=HTMX)
    assert taken.status_code == 422
    assert "of this name" in page_of(taken).text
    browser.post(url("clone", sequence), {"name": "Twin"}, headers=HTMX)
    assert Sequence.objects.get(name="Twin").state == "draft"


def test_verbs_turn_a_sequence(browser: Browser) -> None:
    sequence = make_sequence(mail())
    states = []
    for verb in ("pause", "resume", "archive", "restore"):
        browser.post(url("verb", sequence, verb))
        sequence.refresh_from_db()
        states.append(sequence.state)
        page_of(browser.get(url("detail", sequence)))
    assert states == ["paused", "active", "archived", "active"]
    assert browser.post(url("verb", sequence, "sing")).status_code == 404


def test_draft_that_nobody_needs_goes(browser: Browser) -> None:
    sequence = make_draft(mail())
    assert browser.post(url("discard", sequence)).headers["Location"] == reverse("sequences:list")
    assert not Sequence.objects.exists()


def test_preview_tells_what_would_happen_and_what_is_missing(browser: Browser) -> None:
    make_contact(name="Ada Lovelace")
    sequence = make_draft(mail("Dear {{ first_name }} of {{ company }}"), days(2), mail("More", ""))
    response = browser.get(url("preview", sequence), headers=HTMX)
    page = page_of(response)
    assert "Dear Ada of company" in page.text
    assert "Nothing is known for “company”" in page.text
    assert "Wait 2 working days" in page.text
    assert {"value", "missing"} <= {mark["class"] for mark in page.all("mark")}
    page_of(browser.get(url("preview", sequence)))


def test_preview_says_what_it_cannot_read(browser: Browser) -> None:
    lead = make_contact()
    sequence = make_draft(mail("Dear {{ first_name"))
    page = page_of(browser.get(f"{url('preview', sequence)}?lead={lead.pk}", headers=HTMX))
    assert "two braces" in page.text
    empty = make_draft(name="Empty")
    assert "no steps yet" in page_of(browser.get(url("preview", empty), headers=HTMX)).text


def test_preview_tells_nothing_of_another_teams_lead(browser: Browser) -> None:
    with tenant_context(make_tenant()):
        theirs = make_contact(name="Secret Agent")
    make_contact(name="Ada Lovelace")
    sequence = make_draft(mail())
    response = browser.get(f"{url('preview', sequence)}?lead={theirs.pk}", headers=HTMX)
    assert b"Secret" not in response.content


def test_mail_is_tried_on_oneself(browser: Browser, manager: User) -> None:
    account, lead = make_mail_account(), make_contact(company="Engines")
    first, second = mail("Hi {{ company }}"), mail("More, {{ first_name }}", subject="")
    sequence = make_draft(first, days(1), second)
    page = page_of(browser.get(url("preview", sequence) + f"?lead={lead.pk}"))
    assert page.text.count("Send it to me as a test") == 2
    for step, subject, body in (
        (first, "[Test] Hi", "Hi Engines"),
        (second, "[Test] Re: Hi", "More, Ada"),
    ):
        asked = browser.post(url("try-step", sequence, step.key), {"lead": lead.pk}, headers=HTMX)
        assert f"on its way to {manager.email}" in page_of(asked).text
        trial = AccountTrial.objects.latest("pk")
        assert (trial.account, trial.address) == (account, manager.email)
        assert (trial.subject, trial.body) == (subject, body)
        AccountTrial.objects.all().delete()
    assert not Message.objects.exists()


def test_mail_that_cannot_be_tried_is_said(browser: Browser, rep: Browser) -> None:
    step = mail("Hi {{ company }}")
    sequence, lead = make_draft(step, task()), make_contact(company="")
    path = url("try-step", sequence, step.key)

    def said(path: str) -> str:
        refused = browser.post(path, {"lead": lead.pk}, headers=HTMX)
        assert refused.status_code == 422
        return page_of(refused).text

    Account.objects.update(is_active=False, is_default=False)
    assert "No account is connected" in said(path)
    make_mail_account()
    assert "Nothing is known for “company”" in said(path)
    assert "would not get this mail" in said(
        url("try-step", sequence, document_of(sequence).steps[1].key)
    )
    assert rep.post(path, {"lead": lead.pk}).status_code == 403
    assert browser.post(path, {"lead": sequence.pk}).status_code == 404
    assert not AccountTrial.objects.exists()


def test_settings_go_into_the_draft(browser: Browser) -> None:
    sequence = make_sequence(mail())
    page_of(browser.get(url("settings", sequence)))
    given = {
        "revision": "0",
        "name": "Renamed",
        "gap": "120",
        "thread": "each",
        "account_cap": "40",
        "sender_cap": "",
        "re_enrol_after": "30",
        "decide_at": "100",
        "on_reply": "on",
        "on_company_reply": "on",
    }
    assert browser.post(url("settings", sequence), given).status_code == 302
    document = document_of(sequence)
    assert (document.gap, document.thread, document.account_cap) == (120, "each", 40)
    assert (document.sender_cap, document.re_enrol_after) == (None, 30)
    assert document.rules.model_dump() == {
        "on_reply": True,
        "on_meeting": False,
        "on_company_reply": True,
    }
    sequence.refresh_from_db()
    assert sequence.name == "Renamed"
    stale = browser.post(url("settings", sequence), {**given, "gap": "1"})
    assert stale.status_code == 422
    assert "in the meantime" in page_of(stale).text


def test_rep_reads_and_changes_nothing(rep: Browser) -> None:
    step = mail()
    sequence = make_draft(step)
    page = page_of(rep.get(url("detail", sequence)))
    assert "Save step" not in page.text
    assert not [each for each in page.all("form") if "/steps" in each.get("action", "")]
    for name, args in (
        ("add-step", ()),
        ("step", (step.key,)),
        ("step-verb", (step.key, "remove")),
        ("publish", ()),
        ("clone", ()),
        ("discard", ()),
        ("verb", ("archive",)),
        ("settings", ()),
        ("add-rule", ()),
    ):
        assert rep.post(url(name, sequence, *args), {"kind": "wait"}).status_code == 403
    assert rep.post(reverse("sequences:create"), {"name": "Mine"}).status_code == 403
    assert document_of(sequence).steps == (step,)


def test_page_takes_the_same_queries_for_many_steps(
    browser: Browser, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    sequence = make_draft(*(task(f"{number}") for number in range(30)))
    with django_assert_max_num_queries(14):
        browser.get(url("detail", sequence))
