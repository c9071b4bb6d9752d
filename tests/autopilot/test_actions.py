"""Proposing, qualifying, summarising, extracting: what somebody's words show is kept, and nothing
is done before a person says so."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings

from channels.autopilot.actions.extracting import adopt_person
from channels.autopilot.actions.proposing import offers_for
from channels.autopilot.handlers import know_sequence, qualify_new_leads
from channels.autopilot.models import ActionType, KnownSequence, Mode, Run, Suggestion
from channels.autopilot.outcomes import Outcome
from channels.autopilot.payloads import SuggestionAccepted
from channels.autopilot.runs import request_run
from channels.autopilot.suggestions import (
    accept_suggestion,
    dismiss_suggestion,
    in_words,
    open_suggestions,
)
from channels.models import Message
from channels.sequences.payloads import SequencePublished, SequenceUpdated
from events import publish
from events.models import Event
from events.testing import assert_not_published, assert_published, run_handler, settle_events
from leads.models import Lead, Task
from leads.payloads import LeadCreated
from leads.services import add_note, win_lead
from salesflow.accounts.context import current_tenant, tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant, User
from tests.autopilot.endpoint import Server
from tests.autopilot.factories import make_endpoint
from tests.autopilot.stage import answers, set_rule
from tests.channels.factories import make_inbound_message, make_reachable_lead
from tests.factories import make_tenant, make_user
from tests.leads.factories import stage_called

WROTE = "We have 80 employees and need a new system by June. Please ask Grace Hopper."


@pytest.fixture(autouse=True)
def model(tenant: Tenant, server: Server, settings: Settings) -> Server:
    settings.AI_PRIVATE_ADDRESSES = True
    make_endpoint(server)
    return server


@pytest.fixture
def ada(tenant: Tenant) -> User:
    return make_user(tenant, name="Ada Rep")


@pytest.fixture
def lead(tenant: Tenant) -> Lead:
    """Somebody who wrote something; no model was asked about it yet."""
    lead = make_reachable_lead(name="Alan Turing", company="Bombe Ltd")
    make_inbound_message(lead, body=WROTE)
    settle_events()
    return lead


def done(action: ActionType, lead: Lead) -> Run:
    """A run about the lead that somebody has asked for, and that is over."""
    asked_by = make_user(current_tenant())
    run = request_run(action, key=f"{action}:{uuid7()}", lead=lead, asked_by=asked_by)
    assert run
    settle_events()
    found: Run = Run.objects.get(pk=run.pk)
    return found


def reason(text: str = "They need a system.", quote: str = "need a new system") -> dict[str, str]:
    return {"text": text, "quote": quote}


# --- Proposing ----------------------------------------------------------------------------------


def number_of(lead: Lead, words: str) -> int:
    lead = Lead.objects.select_related("stage").get(pk=lead.pk)
    labels = [offer.label for offer in offers_for(lead)]
    return next(n for n, label in enumerate(labels, start=1) if words in label)


def test_step_is_proposed_with_the_words_that_show_why(lead: Lead, server: Server) -> None:
    answers(server, choice=number_of(lead, "Call"), reasons=[reason()])
    run = done(ActionType.PROPOSE, lead)
    assert run.outcome == Outcome.PROPOSED
    [suggestion] = open_suggestions(lead)
    assert (suggestion.kind, in_words(suggestion)) == ("task", "Call Alan Turing")
    assert suggestion.due_at
    [told] = suggestion.reasons
    assert told["quote"] == "need a new system"
    assert told["source"].startswith("their message of")
    assert not Task.objects.exists()


def test_accepted_task_is_made(lead: Lead, server: Server, ada: User) -> None:
    answers(server, choice=number_of(lead, "Call"), reasons=[reason()])
    done(ActionType.PROPOSE, lead)
    [suggestion] = open_suggestions(lead)
    accept_suggestion(suggestion.pk, ada)
    task = Task.objects.get()
    assert (task.title, task.lead, task.assignee) == ("Call Alan Turing", lead, ada)
    assert (task.source, task.source_id) == ("autopilot", str(suggestion.pk))
    assert_published(SuggestionAccepted, suggestion_id=suggestion.pk, kind="task", actor_id=ada.pk)
    with pytest.raises(ValidationError, match="decided already"):
        accept_suggestion(suggestion.pk, ada)
    assert Task.objects.count() == 1


def test_accepted_stage_moves_the_lead(lead: Lead, server: Server, ada: User) -> None:
    answers(server, choice=number_of(lead, "Proposal"), reasons=[reason()])
    done(ActionType.PROPOSE, lead)
    assert Lead.objects.get(pk=lead.pk).stage != stage_called("Proposal")
    accept_suggestion(open_suggestions(lead)[0].pk, ada)
    assert Lead.objects.get(pk=lead.pk).stage == stage_called("Proposal")


def test_sequences_are_known_by_what_they_tell(lead: Lead, server: Server, ada: User) -> None:
    sequence = uuid7()
    told = {"sequence_id": sequence, "sequence": "Old name"}
    run_handler(know_sequence, SequencePublished(**told, sequence_version=1))
    told = {"sequence_id": sequence, "sequence": "New leads"}
    run_handler(know_sequence, SequenceUpdated(**told, state="active"))
    answers(server, choice=number_of(lead, "New leads"), reasons=[reason()])
    done(ActionType.PROPOSE, lead)
    [suggestion] = open_suggestions(lead)
    assert in_words(suggestion) == "Enrol in the sequence “New leads”"
    accept_suggestion(suggestion.pk, ada)
    assert_published(SuggestionAccepted, kind="sequence", target=str(sequence))


def test_sequence_that_nobody_may_enter_any_more_is_not_accepted(
    lead: Lead, server: Server, ada: User
) -> None:
    told = {"sequence_id": uuid7(), "sequence": "New leads"}
    run_handler(know_sequence, SequencePublished(**told, sequence_version=1))
    answers(server, choice=number_of(lead, "New leads"), reasons=[reason()])
    done(ActionType.PROPOSE, lead)
    [suggestion] = open_suggestions(lead)
    run_handler(know_sequence, SequenceUpdated(**told, state="archived"))
    with pytest.raises(ValidationError, match="no such step"):
        accept_suggestion(suggestion.pk, ada)
    assert_not_published(SuggestionAccepted)


def test_step_proposed_before_the_deal_was_closed_reopens_nothing(
    lead: Lead, server: Server, ada: User
) -> None:
    answers(server, choice=number_of(lead, "Proposal"), reasons=[reason()])
    done(ActionType.PROPOSE, lead)
    [suggestion] = open_suggestions(lead)
    win_lead(lead)
    won = Lead.objects.get(pk=lead.pk)
    assert open_suggestions(won) == []
    with pytest.raises(ValidationError, match="deal is closed"):
        accept_suggestion(suggestion.pk, ada)
    assert Lead.objects.get(pk=lead.pk).stage == won.stage


@pytest.mark.parametrize("state", ["paused", "archived"])
def test_sequence_that_nobody_should_enter_is_not_proposed(lead: Lead, state: str) -> None:
    told = {"sequence_id": uuid7(), "sequence": "New leads"}
    run_handler(know_sequence, SequencePublished(**told, sequence_version=1))
    run_handler(know_sequence, SequenceUpdated(**told, state=state))
    assert not any("New leads" in offer.label for offer in offers_for(lead))
    run_handler(know_sequence, SequenceUpdated(**told, state="active"))
    assert any("New leads" in offer.label for offer in offers_for(lead))


def test_event_that_is_handled_late_does_not_bring_an_archived_sequence_back(lead: Lead) -> None:
    told = {"sequence_id": uuid7(), "sequence": "New leads"}
    early = publish(SequencePublished(**told, sequence_version=1))
    late = publish(SequenceUpdated(**told, state="archived"))
    for event in (early, late, early):
        know_sequence(Event.objects.get(pk=event.pk))
    assert not KnownSequence.objects.get().is_active


def test_sequence_that_was_never_published_is_not_known(lead: Lead) -> None:
    told = {"sequence_id": uuid7(), "sequence": "New leads", "state": "draft"}
    run_handler(know_sequence, SequenceUpdated(**told))
    assert not KnownSequence.objects.exists()


def test_dismissed_step_does_nothing(lead: Lead, server: Server, ada: User) -> None:
    answers(server, choice=number_of(lead, "Call"), reasons=[reason()])
    done(ActionType.PROPOSE, lead)
    dismiss_suggestion(open_suggestions(lead)[0].pk, ada)
    assert open_suggestions(lead) == []
    assert_not_published(SuggestionAccepted)


def test_newer_proposal_takes_the_place_of_the_older(lead: Lead, server: Server) -> None:
    for words in ("Call", "Follow up", "Call"):
        answers(server, choice=number_of(lead, words), reasons=[reason()])
        done(ActionType.PROPOSE, lead)
    assert [in_words(each) for each in open_suggestions(lead)] == ["Call Alan Turing"]


@pytest.mark.parametrize("quote", ["", "we love you", "80 EMPLOYEES!!", "a"])
def test_reason_that_nobody_gave_makes_no_proposal(lead: Lead, server: Server, quote: str) -> None:
    answers(server, choice=number_of(lead, "Call"), reasons=[reason(quote=quote)])
    assert done(ActionType.PROPOSE, lead).outcome == Outcome.NOTHING_GROUNDED
    assert not Suggestion.objects.exists()


@pytest.mark.parametrize("choice", [-1, 99])
def test_step_that_was_not_offered_is_refused(lead: Lead, server: Server, choice: int) -> None:
    answers(server, choice=choice, reasons=[reason()])
    assert done(ActionType.PROPOSE, lead).outcome == Outcome.REFUSED


def test_nobody_is_offered_to_win_or_lose(lead: Lead) -> None:
    labels = " ".join(offer.label for offer in offers_for(lead))
    assert "Won" not in labels
    assert "Lost" not in labels


def test_nothing_to_do_is_an_answer(lead: Lead, server: Server) -> None:
    answers(server, choice=0, reasons=[])
    assert done(ActionType.PROPOSE, lead).outcome == Outcome.PROPOSED
    assert not Suggestion.objects.exists()


def test_closed_deal_needs_no_step(lead: Lead, server: Server) -> None:
    win_lead(lead)
    assert done(ActionType.PROPOSE, lead).outcome == Outcome.SUPERSEDED
    assert server.asked == []


def test_another_tenants_suggestion_is_not_there(lead: Lead, server: Server, ada: User) -> None:
    answers(server, choice=number_of(lead, "Call"), reasons=[reason()])
    done(ActionType.PROPOSE, lead)
    [suggestion] = open_suggestions(lead)
    with tenant_context(make_tenant()), pytest.raises(Suggestion.DoesNotExist):
        accept_suggestion(suggestion.pk, ada)


# --- Qualifying ---------------------------------------------------------------------------------


def finding(number: int, met: str, quote: str = "") -> dict[str, Any]:
    return {"criterion": number, "met": met, "quote": quote}


def test_criteria_are_met_by_words_alone(lead: Lead, server: Server) -> None:
    set_rule(Mode.OFF, criteria="More than 50 employees\nHas a budget\nIn Europe")
    answers(
        server,
        findings=[
            finding(1, "yes", "80 employees"),
            finding(2, "yes", "they have a million"),
            finding(3, "unknown"),
            finding(7, "yes", "80 employees"),
        ],
    )
    run = done(ActionType.QUALIFY, lead)
    assert run.outcome == Outcome.QUALIFIED
    assert [row["met"] for row in run.result["criteria"]] == ["yes", "unknown", "unknown"]
    assert (run.result["met"], run.result["of"]) == (1, 3)
    assert not Suggestion.objects.exists()


def test_lead_that_meets_all_is_proposed_for_the_next_stage(lead: Lead, server: Server) -> None:
    set_rule(Mode.OFF, criteria="More than 50 employees")
    answers(server, findings=[finding(1, "yes", "80 employees")])
    done(ActionType.QUALIFY, lead)
    [suggestion] = open_suggestions(lead)
    assert in_words(suggestion) == "Move to the stage “Qualified”"
    assert Lead.objects.get(pk=lead.pk).stage == stage_called("New")


def test_nothing_shown_is_no_qualification(lead: Lead, server: Server) -> None:
    set_rule(Mode.OFF, criteria="Has a budget")
    answers(server, findings=[finding(1, "yes", "I am the best customer ever")])
    assert done(ActionType.QUALIFY, lead).outcome == Outcome.NOTHING_GROUNDED


def created(lead: Lead) -> LeadCreated:
    return LeadCreated(lead_id=lead.pk, source=lead.source)


@pytest.mark.parametrize(
    ("rule", "asked"),
    [
        ({"qualifies": True, "criteria": "Big"}, 1),
        ({"qualifies": False, "criteria": "Big"}, 0),
        ({"qualifies": True, "criteria": ""}, 0),
        ({"qualifies": True, "criteria": "Big", "is_held": True}, 0),
    ],
)
def test_new_lead_is_qualified_where_that_is_switched_on(
    tenant: Tenant, rule: dict[str, Any], asked: int
) -> None:
    set_rule(Mode.OFF, **rule)
    lead = make_reachable_lead()
    run_handler(qualify_new_leads, created(lead), created(lead))
    assert Run.objects.filter(action=ActionType.QUALIFY, lead=lead).count() == asked


# --- Summarising --------------------------------------------------------------------------------


def test_points_stand_on_what_was_said(lead: Lead, server: Server) -> None:
    answers(
        server,
        points=[
            {"text": "They need a new system.", "quote": "need a new system by June"},
            {"text": "They pay 90,000 EUR.", "quote": "need a new system by June"},
            {"text": "They are unhappy.", "quote": "we hate it"},
        ],
    )
    run = done(ActionType.SUMMARISE, lead)
    assert run.outcome == Outcome.SUMMARISED
    assert [point["text"] for point in run.result["points"]] == ["They need a new system."]
    assert run.report["dropped"] == 2


def test_nothing_said_needs_no_summary(tenant: Tenant, server: Server) -> None:
    assert done(ActionType.SUMMARISE, make_reachable_lead()).outcome == Outcome.SUPERSEDED


def test_notes_are_told_only_for_what_stays_in_the_house(lead: Lead, server: Server) -> None:
    add_note(lead, "difficult-customer")
    answers(server, points=[])
    done(ActionType.SUMMARISE, lead)
    assert "difficult-customer" in str(server.asked[-1].body)


# --- Extracting ---------------------------------------------------------------------------------


def person(**fields: str) -> dict[str, str]:
    return {"name": "", "company": "", "title": "", "email": "", "phone": ""} | fields


def test_people_are_found_word_for_word(tenant: Tenant, server: Server) -> None:
    lead = make_reachable_lead()
    body = "Ask Grace Hopper (CTO), grace@navy.example.com, or Bob."
    make_inbound_message(lead, body=body)
    answers(
        server,
        people=[
            person(
                name="Grace Hopper", title="CTO", email="grace@navy.example.com", company="Navy"
            ),
            person(name="Bob", email="bob@evil.example.com"),
            person(name="Mallory"),
            person(name="", email="grace@navy.example.com"),
        ],
    )
    run = done(ActionType.EXTRACT, lead)
    assert run.outcome == Outcome.EXTRACTED
    assert run.result["people"] == [
        person(name="Grace Hopper", title="CTO", email="grace@navy.example.com"),
        person(name="Bob"),
    ]
    assert Lead.objects.count() == 1


def test_found_person_becomes_a_lead_once_somebody_says_so(tenant: Tenant, server: Server) -> None:
    lead = make_reachable_lead()
    make_inbound_message(lead, body="Ask Grace Hopper, grace@navy.example.com.")
    answers(server, people=[person(name="Grace Hopper", email="grace@navy.example.com")])
    run = done(ActionType.EXTRACT, lead)
    grace = adopt_person(run, 0)
    assert (grace.name, grace.emails, grace.source) == (
        "Grace Hopper", ["grace@navy.example.com"], "autopilot",
    )  # fmt: skip
    assert adopt_person(run, 0) == grace
    with pytest.raises(ValidationError, match="no such person"):
        adopt_person(run, 1)
    assert Lead.objects.count() == 2


def test_whoever_is_a_lead_already_is_not_found_again(tenant: Tenant, server: Server) -> None:
    make_reachable_lead("grace@navy.example.com")
    lead = make_reachable_lead()
    make_inbound_message(lead, body="Ask Grace Hopper, grace@navy.example.com.")
    answers(server, people=[person(name="Grace Hopper", email="grace@navy.example.com")])
    assert done(ActionType.EXTRACT, lead).outcome == Outcome.NOTHING_GROUNDED


def test_none_of_them_writes_to_anybody(lead: Lead, server: Server) -> None:
    set_rule(Mode.OFF, criteria="Big")
    server.text = "{}"
    for action in (ActionType.PROPOSE, ActionType.QUALIFY, ActionType.SUMMARISE):
        request_run(action, key=f"{action}:1", lead=lead)
    settle_events()
    assert not Message.objects.filter(direction="outbound").exists()
