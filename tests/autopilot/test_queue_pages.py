"""The pages of the autopilot: the queue and its decisions, the rules, the log, a lead's panel."""

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from channels.autopilot.deciding import approve_draft, dismiss_draft, edit_draft, stop_draft
from channels.autopilot.endpoints import stop_endpoint
from channels.autopilot.models import ActionType, Draft, Endpoint, Mode, Policy, Run, Suggestion
from channels.autopilot.policies import rule_of, rule_of_tenant
from channels.autopilot.runs import request_run
from events.testing import settle_events
from leads.models import Lead
from leads.services import win_lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Membership, Tenant, User
from tests.autopilot.endpoint import Server
from tests.autopilot.factories import make_endpoint
from tests.autopilot.rows import make_draft
from tests.autopilot.stage import answers, draft_to, outbound, says, set_rule, writes
from tests.channels.factories import make_inbound_message, make_reachable_lead
from tests.channels.inbox_factories import make_whatsapp
from tests.channels.template_factories import make_template
from tests.factories import make_tenant, make_user
from tests.web import HTMX, Browser, browser_of, page_of

PANE = {**HTMX, "HX-Target": "draft"}
TEXT = "Hello Ada, thank you for your message. We will get back to you."


@pytest.fixture
def rep(tenant: Tenant) -> User:
    return make_user(tenant, name="Ada Rep")


@pytest.fixture
def browser(rep: User) -> Browser:
    return browser_of(rep)


@pytest.fixture
def manager(tenant: Tenant) -> Browser:
    return browser_of(make_user(tenant, Membership.Role.MANAGER, name="Grace Lead"))


@pytest.fixture
def draft(tenant: Tenant, server: Server, settings: Settings) -> Draft:
    settings.AI_PRIVATE_ADDRESSES = True
    make_endpoint(server)
    says(server, TEXT)
    set_rule(Mode.APPROVE)
    return draft_to(writes("Thanks for the <b>call</b>!", subject="Our call"))


def url(name: str, *args: Any) -> str:
    return reverse(f"autopilot:{name}", args=args)


def now_of(draft: Draft) -> Draft:
    found: Draft = Draft.objects.get(pk=draft.pk)
    return found


def stopped_by_u(browser: Browser) -> list[str]:
    """Where the key leads: the form around the button that has it."""
    tags = page_of(browser.get(url("queue"))).elements
    keys = [at for at, (_tag, given) in enumerate(tags) if given.get("data-shortcut") == "u"]
    return [
        next(given["action"] for tag, given in reversed(tags[:at]) if tag == "form") for at in keys
    ]


# --- The queue ----------------------------------------------------------------------------------


def test_empty_queue_says_so_and_how_to_get_a_model(browser: Browser, manager: Browser) -> None:
    page = page_of(browser.get(url("queue")))
    assert "Nothing waits for you" in page.text
    assert "make run AI=local" in page.text
    assert "Connect a model" not in page.text
    assert "Connect a model" in page_of(manager.get(url("queue"))).text


def test_draft_stands_with_its_destination_and_what_it_answers(
    browser: Browser, draft: Draft
) -> None:
    for headers in ({}, PANE):
        page = page_of(browser.get(url("draft", draft.pk), headers=headers))
        for told in (draft.to_address, "Re: Our call", TEXT, "Thanks for the <b>call</b>!"):
            assert told in page.text
    assert now_of(draft).seen_at


def test_claims_cuts_and_changes_are_shown(
    browser: Browser, draft: Draft, server: Server, rep: User
) -> None:
    make_template(name="Prices", body="The starter package costs 500 EUR.")
    says(server, "It is 500 EUR. It was 900 EUR. You said 300 EUR. We will call you.", "price")
    other = draft_to(writes("I have 300 EUR.", lead=make_reachable_lead()))
    page = page_of(browser.get(url("draft", other.pk)))
    trusts = [mark["data-trust"] for mark in page.all("mark")]
    assert trusts == ["ours", "theirs"]
    assert len(page.all("del")) == 1
    assert "It was 900 EUR." in page.text
    edit_draft(other.pk, revision=1, body="It is 500 EUR. We will write to you.", actor=rep)
    page = page_of(browser.get(url("draft", other.pk)))
    assert page.all("ins")
    assert "edited by Ada Rep" in page.text


def test_queue_costs_the_same_for_many(
    browser: Browser, draft: Draft, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(30) as one:
        browser.get(url("queue"))
    for _number in range(5):
        writes()
    with django_assert_max_num_queries(len(one)):
        page = page_of(browser.get(url("queue")))
    assert len([link for link in page.all("a") if "inbox-link" in link.get("class", "")]) == 6


def test_news_are_told_without_moving_anything(browser: Browser, draft: Draft) -> None:
    assert browser.get(url("news") + "?seen=1", headers=HTMX).status_code == 204
    writes()
    response = browser.get(url("news") + "?seen=1", headers=HTMX)
    assert "2 wait now" in page_of(response).text


# --- Decisions ----------------------------------------------------------------------------------


def test_approving_shows_the_next_one(browser: Browser, draft: Draft, rep: User) -> None:
    other = draft_to(writes(lead=make_reachable_lead(name="Ada Next")))
    response = browser.post(url("approve", draft.pk), {"revision": "1"}, headers=PANE)
    assert response.status_code == 200
    assert response["HX-Push-Url"] == url("draft", other.pk)
    page = page_of(response)
    assert "Ada Next" in page.text
    assert "Approved. It goes out in ten seconds" in page.text
    assert (now_of(draft).state, now_of(draft).decided_by) == (Draft.State.APPROVED, rep)
    # The list beside it says what can be stopped.
    assert url("stop", draft.pk) in response.content.decode()


def test_u_stops_what_one_has_approved_last_oneself(
    browser: Browser, draft: Draft, tenant: Tenant
) -> None:
    first, last, others = (make_draft(make_inbound_message()) for _number in range(3))
    browser.post(url("approve", first.pk), {"revision": "1"})
    browser.post(url("approve", last.pk), {"revision": "1"})
    # One of a colleague goes before, one later.
    approve_draft(others.pk, revision=1, actor=make_user(tenant))
    approve_draft(draft.pk, revision=1, actor=make_user(tenant))
    Draft.objects.filter(pk=others.pk).update(send_after=timezone.now())
    assert stopped_by_u(browser) == [url("stop", last.pk)]
    stop_draft(last.pk)
    assert stopped_by_u(browser) == [url("stop", first.pk)]
    stop_draft(first.pk)
    assert stopped_by_u(browser) == []


def test_queue_of_a_channel_goes_on_with_that_channel(browser: Browser, draft: Draft) -> None:
    """The oldest draft is a mail, and none of those that are looked through."""
    leads = (make_reachable_lead(phone=f"+493090182{number}") for number in (1, 2))
    one, two = (make_draft(make_whatsapp(lead=lead)) for lead in leads)
    only = "?channel=whatsapp"
    page = page_of(browser.get(url("draft", one.pk) + only, headers=PANE))
    addresses = {form["hx-post"] for form in page.all("form")}
    assert addresses == {form["action"] for form in page.all("form")}
    assert url("approve", one.pk) + only in addresses
    assert all(address.endswith(only) for address in addresses)
    response = browser.post(url("approve", one.pk) + only, {"revision": "1"}, headers=PANE)
    assert response["HX-Push-Url"] == url("draft", two.pk) + only
    response = browser.post(url("dismiss", two.pk) + only, {"revision": "1"}, headers=PANE)
    assert response["HX-Push-Url"] == url("queue") + only


def test_stale_approval_is_refused_in_its_place(browser: Browser, draft: Draft, rep: User) -> None:
    edit_draft(draft.pk, revision=1, body="Better words.", actor=rep)
    response = browser.post(url("approve", draft.pk), {"revision": "1"}, headers=PANE)
    assert response.status_code == 422
    page = page_of(response)
    assert "Somebody has changed it since you read it." in page.text
    assert "Better words." in page.text
    assert now_of(draft).state == Draft.State.PENDING
    for nonsense in ("", "x", "-1", "1" * 30):
        browser.post(url("approve", draft.pk), {"revision": nonsense}, headers=PANE)
    assert now_of(draft).state == Draft.State.PENDING


def test_newer_message_refuses_the_approval(browser: Browser, draft: Draft) -> None:
    make_inbound_message(draft.lead, body="Forget it")
    response = browser.post(url("approve", draft.pk), {"revision": "1"}, headers=PANE)
    assert response.status_code == 422
    assert "They have written again since." in page_of(response).text


def test_without_scripts_the_buttons_lead_on(browser: Browser, draft: Draft) -> None:
    response = browser.post(url("approve", draft.pk), {"revision": "1"})
    assert (response.status_code, response["Location"]) == (302, url("queue"))
    response = browser.post(url("stop", draft.pk))
    assert response["Location"] == url("draft", draft.pk)
    response = browser.post(url("approve", draft.pk), {"revision": "9"}, follow=True)
    assert "Somebody has changed it" in page_of(response).text


def test_editor_saves_and_approves(browser: Browser, draft: Draft, rep: User) -> None:
    given = {"revision": "1", "subject": "Re: Yours", "body": "In my words."}
    response = browser.post(url("edit", draft.pk), given, headers=PANE)
    assert "In my words." in page_of(response).text
    found = now_of(draft)
    assert (found.revision, found.subject, found.edited_by) == (2, "Re: Yours", rep)
    again = {**given, "revision": "2", "then": "approve"}
    browser.post(url("edit", draft.pk), again, headers=PANE)
    assert (now_of(draft).state, now_of(draft).revision) == (Draft.State.APPROVED, 3)


@pytest.mark.parametrize("change", [{"body": ""}, {"subject": "a\nb"}, {"revision": "x"}])
def test_wrong_edit_is_said(browser: Browser, draft: Draft, change: dict[str, str]) -> None:
    given = {"revision": "1", "subject": "", "body": "x"} | change
    response = browser.post(url("edit", draft.pk), given, headers=PANE)
    assert response.status_code == 422
    page_of(response)
    assert now_of(draft).revision == 1


def test_what_was_typed_stays_when_a_colleague_was_faster(browser: Browser, draft: Draft) -> None:
    edit_draft(draft.pk, revision=1, body="Of a colleague.", actor=None)
    given = {"revision": "1", "subject": "Mine", "body": "Half an hour's work."}
    page = page_of(browser.post(url("edit", draft.pk), given, headers=PANE))
    assert "Somebody has changed it since you read it." in page.text
    assert "Of a colleague." in page.text
    assert "Half an hour's work." in page.text
    assert now_of(draft).body == "Of a colleague."


def test_dismissing_takes_a_reason(browser: Browser, draft: Draft) -> None:
    browser.post(url("dismiss", draft.pk), {"reason": "tone", "revision": "1"}, headers=PANE)
    assert (now_of(draft).state, now_of(draft).reason) == ("dismissed", "Not how we write")


def test_another_draft_can_be_asked_for(browser: Browser, draft: Draft, server: Server) -> None:
    response = browser.post(url("redraft", draft.pk), headers=PANE)
    assert "Another draft is asked for" in page_of(response).text
    response = browser.post(url("redraft", draft.pk), headers=PANE)
    assert response.status_code == 422
    settle_events()
    assert now_of(draft).state == Draft.State.SUPERSEDED


def test_mode_of_a_conversation_is_set_where_it_is_read(
    browser: Browser, manager: Browser, draft: Draft
) -> None:
    browser.post(url("mode", draft.pk), {"mode": "off"}, headers=PANE)
    assert rule_of(draft.conversation).mode == Mode.OFF
    response = browser.post(url("mode", draft.pk), {"mode": "auto"}, headers=PANE)
    assert response.status_code == 422
    assert rule_of(draft.conversation).mode == Mode.OFF
    manager.post(url("mode", draft.pk), {"mode": "auto"}, headers=PANE)
    assert rule_of(draft.conversation).mode == Mode.AUTO
    response = browser.post(url("mode", draft.pk), {"mode": ""}, headers=PANE)
    assert response.status_code == 422
    page = page_of(response)
    assert "Only managers and admins may take back" in page.text
    assert "as the rules say" not in page.text
    assert "at most by itself, within limits" in page.text
    manager.post(url("mode", draft.pk), {"mode": ""}, headers=PANE)
    assert rule_of(draft.conversation).origin == "tenant"


def test_in_draft_mode_there_is_no_button_to_approve(browser: Browser, draft: Draft) -> None:
    set_rule(Mode.DRAFT)
    response = browser.get(url("draft", draft.pk), headers=PANE)
    assert url("approve", draft.pk) not in response.content.decode()
    response = browser.post(url("approve", draft.pk), {"revision": "1"}, headers=PANE)
    assert response.status_code == 422


@pytest.mark.parametrize("verb", ["approve", "edit", "dismiss", "stop", "redraft", "mode"])
def test_another_tenants_draft_is_not_found(draft: Draft, verb: str) -> None:
    other = make_tenant()
    with tenant_context(other):
        stranger = browser_of(make_user(other))
    given = {"revision": "1", "body": "x", "mode": "off"}
    assert stranger.post(url(verb, draft.pk), given).status_code == 404
    assert stranger.get(url("draft", draft.pk)).status_code == 404
    assert (now_of(draft).state, now_of(draft).revision) == ("pending", 1)


# --- Rules --------------------------------------------------------------------------------------

RULE = {
    "mode": "auto",
    "weekdays": ["0", "1"],
    "opens": "08:00",
    "closes": "18:00",
    "per_day": "7",
    "topics": ["thanks", "question"],
    "least_confidence": "80",
    "own_words": "on",
    "hold_seconds": "60",
    "good_for_hours": "24",
}


def test_rule_is_written_and_read_again(manager: Browser, tenant: Tenant) -> None:
    given = {**RULE, "drafts": "on", "qualifies": "on", "criteria": "Big\n\n In Europe "}
    assert manager.post(url("rules"), given).status_code == 302
    rule = rule_of_tenant()
    assert (rule.mode, rule.limits.per_day, rule.limits.least_confidence) == ("auto", 7, 0.8)
    assert rule.limits.own_words
    assert rule.criteria == ("Big", "In Europe")
    assert (rule.actions.qualifies, rule.actions.proposes) == (True, False)
    page = page_of(manager.get(url("rules")))
    checked = [each.get("value") for each in page.all("input") if "checked" in each]
    assert {"auto", "0", "1", "thanks", "question"} <= set(checked)
    assert manager.post(url("channel-rule", "email"), {**RULE, "mode": "draft"}).status_code == 302
    assert rule_of_tenant("email").mode == "draft"
    assert rule_of_tenant("email").criteria == ("Big", "In Europe")
    manager.post(url("forget-rule", "email"))
    assert rule_of_tenant("email").mode == "auto"


@pytest.mark.parametrize(
    "change",
    [
        {"mode": "always"},
        {"closes": "07:00"},
        {"topics": ["price"]},
        {"per_day": "-1"},
        {"hold_seconds": "1"},
        {"least_confidence": "101"},
        {"weekdays": ["9"]},
        {"criteria": "x" * 300},
    ],
)
def test_wrong_rule_is_said_at_its_field(manager: Browser, change: dict[str, Any]) -> None:
    response = manager.post(url("rules"), {**RULE, **change})
    assert response.status_code == 422
    [name] = change
    assert name in response.context["form"].errors
    page_of(response)
    assert not Policy.objects.exists()


def test_brake_is_pulled_and_seen(manager: Browser, browser: Browser, draft: Draft) -> None:
    manager.post(url("hold"), {"held": "1"})
    assert rule_of_tenant().actions.is_held
    assert "The autopilot is held" in page_of(browser.get(url("queue"))).text
    manager.post(url("hold"), {"held": "0"})
    assert not rule_of_tenant().actions.is_held


@pytest.mark.parametrize("name", ["rules", "hold"])
def test_reps_change_no_rules(browser: Browser, name: str) -> None:
    assert browser.post(url(name), RULE).status_code == 403
    assert not Policy.objects.exists()


def test_unknown_channel_has_no_rule(manager: Browser) -> None:
    assert manager.get(url("channel-rule", "fax")).status_code == 404
    assert manager.post(url("forget-rule", "fax")).status_code == 404


# --- The log ------------------------------------------------------------------------------------


def test_run_shows_what_it_cost_and_its_prompt_to_who_leads(
    browser: Browser, manager: Browser, draft: Draft
) -> None:
    assert "Draft a reply" in page_of(browser.get(url("runs"))).text
    assert "Nothing was asked yet" in page_of(browser.get(url("runs") + "?outcome=failed")).text
    page = page_of(browser.get(url("run", draft.run_id)))
    assert "0.00000675" in page.text
    assert "BEGIN " not in page.text
    assert "BEGIN " in page_of(manager.get(url("run", draft.run_id))).text


def test_another_tenants_run_is_not_found(draft: Draft) -> None:
    other = make_tenant()
    with tenant_context(other):
        stranger = browser_of(make_user(other))
    assert stranger.get(url("run", draft.run_id)).status_code == 404


# --- In the thread and on a lead's page -----------------------------------------------------------


def test_thread_leads_to_the_draft_or_asks_for_one(
    browser: Browser, draft: Draft, server: Server, rep: User
) -> None:
    line = url("conversation", draft.conversation_id)
    thread = reverse("inbox:conversation", args=[draft.conversation_id])
    assert line in browser.get(thread).content.decode()
    assert "A drafted reply waits for you" in page_of(browser.get(line, headers=HTMX)).text
    dismiss_draft(draft.pk, actor=rep)
    assert "Draft a reply" in page_of(browser.get(line, headers=HTMX)).text
    response = browser.post(line, headers=HTMX)
    assert "drafting a reply" in page_of(response).text
    settle_events()
    assert "waits for you" in page_of(browser.get(line, headers=HTMX)).text
    set_rule(Mode.OFF)
    Draft.objects.all().delete()
    assert page_of(browser.get(line, headers=HTMX)).text.strip() == ""
    response = browser.post(line, headers=HTMX)
    assert "off in this conversation" in page_of(response).text


def test_thread_says_why_nothing_is_drafted_for_a_closed_deal(
    browser: Browser, draft: Draft
) -> None:
    win_lead(draft.lead)
    settle_events()
    line = url("conversation", draft.conversation_id)
    text = page_of(browser.get(line, headers=HTMX)).text
    assert "The deal is closed: no reply is drafted." in text
    assert "Draft a reply" not in text
    assert "deal is closed" in page_of(browser.post(line, headers=HTMX)).text


def test_thread_says_that_a_draft_waits_for_its_endpoint(browser: Browser, draft: Draft) -> None:
    stop_endpoint(Endpoint.objects.get(), "Wrong key.")
    line = url("conversation", draft.conversation_id)
    dismiss_draft(draft.pk, actor=None)
    response = browser.post(line, headers=HTMX)
    assert "its endpoint is stopped" in page_of(response).text
    # It is not looked at every two seconds until then.
    assert "every" not in response.content.decode()
    assert "load delay" not in response.content.decode()


def test_lead_has_a_panel_that_asks_and_proposes(
    browser: Browser, draft: Draft, server: Server, rep: User
) -> None:
    lead = draft.lead
    panel = url("lead", lead.pk)
    assert panel in browser.get(reverse("leads:detail", args=[lead.pk])).content.decode()
    assert "A drafted reply waits" in page_of(browser.get(panel, headers=HTMX)).text
    answers(server, choice=2, reasons=[{"text": "They called.", "quote": "Thanks for the"}])
    response = browser.post(panel, {"action": "propose"}, headers=HTMX)
    assert "propose the next step …" in page_of(response).text
    browser.post(panel, {"action": "propose"}, headers=HTMX)
    assert Run.objects.filter(action=ActionType.PROPOSE).count() == 1
    settle_events()
    page = page_of(browser.get(panel, headers=HTMX))
    assert "Call Ada Lovelace" in page.text
    suggestion = Suggestion.objects.get()
    response = browser.post(url("suggestion", suggestion.pk, "accept"), headers=HTMX)
    assert "lead-changed" in response["HX-Trigger"]
    assert lead.tasks.get().title == "Call Ada Lovelace"
    assert browser.post(url("suggestion", suggestion.pk, "accept")).status_code == 302
    assert browser.post(url("suggestion", suggestion.pk, "eat")).status_code == 404


def test_panel_asks_for_nothing_else(browser: Browser, draft: Draft) -> None:
    for action in ("draft", "check", "", "rm -rf"):
        response = browser.post(url("lead", draft.lead_id), {"action": action}, headers=HTMX)
        assert response.status_code == 404


def test_found_person_is_made_a_lead(
    browser: Browser, draft: Draft, server: Server, rep: User
) -> None:
    make_inbound_message(draft.lead, body="Ask Grace Hopper, grace@navy.example.com.")
    person = {"name": "Grace Hopper", "company": "", "title": "", "phone": ""}
    answers(server, people=[{**person, "email": "grace@navy.example.com"}])
    run = request_run(ActionType.EXTRACT, key="x", lead=draft.lead, asked_by=rep)
    assert run
    set_rule(Mode.OFF)
    settle_events()
    assert "Grace Hopper" in page_of(browser.get(url("run", run.pk))).text
    response = browser.post(url("adopt", run.pk, 0))
    grace = Lead.objects.get(name="Grace Hopper")
    assert response["Location"] == reverse("leads:detail", args=[grace.pk])
    assert browser.post(url("adopt", run.pk, 5), follow=True).status_code == 200


def test_nothing_was_sent_by_looking(browser: Browser, draft: Draft) -> None:
    for name in ("queue", "runs", "news"):
        browser.get(url(name))
    browser.get(url("draft", draft.pk))
    settle_events()
    assert outbound() == []
    assert now_of(draft).state == "pending"


def test_decisions_read_on_the_timeline(browser: Browser, draft: Draft, rep: User) -> None:
    approve_draft(draft.pk, revision=1, actor=rep)
    page = page_of(browser.get(reverse("leads:detail", args=[draft.lead_id])))
    assert "The autopilot drafted a reply" in page.text
    assert "Drafted reply approved" in page.text
