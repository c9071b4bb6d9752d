"""What was said where the autopilot is off is told to no model, unless a person asks for it."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from channels.autopilot.actions.proposing import Choice, Proposing
from channels.autopilot.completions import Completion, Takes, Usage
from channels.autopilot.handlers import ask_for_drafts, qualify_new_leads
from channels.autopilot.models import ActionType, Endpoint, Mode, Run, Suggestion
from channels.autopilot.outcomes import Ended, Outcome
from channels.autopilot.performing import perform_run
from channels.autopilot.policies import off_with, set_mode
from channels.autopilot.runs import request_run
from channels.models import Channel
from events import Postpone
from events.testing import run_handler, settle_events
from leads.models import Lead
from leads.payloads import LeadCreated
from salesflow.accounts.models import Tenant, User
from tests.autopilot.endpoint import Server
from tests.autopilot.factories import make_endpoint
from tests.autopilot.stage import answers, received, set_rule
from tests.channels.factories import make_inbound_message, make_reachable_lead
from tests.channels.inbox_factories import make_whatsapp
from tests.factories import make_user

ASKED = [ActionType.PROPOSE, ActionType.QUALIFY, ActionType.SUMMARISE, ActionType.EXTRACT]


@pytest.fixture
def boss(tenant: Tenant) -> User:
    return make_user(tenant, name="Grace Lead")


@pytest.fixture
def lead(tenant: Tenant, server: Server, settings: Settings, boss: User) -> Lead:
    """Somebody who has written on WhatsApp, where a manager has switched it off."""
    settings.AI_PRIVATE_ADDRESSES = True
    make_endpoint(server)
    answers(server, choice=0, reasons=[])
    lead = make_reachable_lead(phone="+4930901820", name="Alan Turing")
    chat = make_whatsapp("whatsapp-words", lead=lead)
    settle_events()
    set_rule(drafts=False, proposes=True, qualifies=True, criteria="Has a budget")
    set_mode(chat.conversation, Mode.OFF, actor=boss, is_leading=True)
    return lead


def told(server: Server) -> str:
    assert server.asked
    return "".join(str(asked.body) for asked in server.asked)


def waiting(lead: Lead) -> Run:
    """The run that is to propose a step after a mail; nobody has performed it yet."""
    message = make_inbound_message(lead, body="mail-words")
    run_handler(ask_for_drafts, received(message))
    run: Run = Run.objects.get(key=f"propose:{message.pk}")
    return run


def ended(run: Run) -> tuple[str, str]:
    run.refresh_from_db()
    return run.outcome, run.error


# --- What an event sets off ---------------------------------------------------------------------


def test_step_is_proposed_without_what_was_said_where_it_is_off(lead: Lead, server: Server) -> None:
    make_inbound_message(lead, body="mail-words")
    settle_events()
    assert "mail-words" in told(server)
    assert "whatsapp-words" not in told(server)


def test_channel_that_is_off_is_not_told_of_either(
    tenant: Tenant, lead: Lead, server: Server, boss: User
) -> None:
    set_mode(lead.conversations.get(), "", actor=boss, is_leading=True)
    set_rule(Mode.OFF, channel=Channel.WHATSAPP)
    make_inbound_message(lead, body="mail-words")
    settle_events()
    assert "mail-words" in told(server)
    assert "whatsapp-words" not in told(server)


def test_channel_that_is_on_is_told_of(lead: Lead, server: Server, boss: User) -> None:
    set_mode(lead.conversations.get(), Mode.DRAFT, actor=boss, is_leading=True)
    make_inbound_message(lead, body="mail-words")
    settle_events()
    assert "mail-words" in told(server)
    assert "whatsapp-words" in told(server)


def test_new_lead_is_qualified_without_what_was_said_where_it_is_off(
    lead: Lead, server: Server
) -> None:
    make_inbound_message(lead, body="mail-words")
    run_handler(qualify_new_leads, LeadCreated(lead_id=lead.pk, source=lead.source))
    answers(server, findings=[])
    perform_run(Run.objects.get(action=ActionType.QUALIFY, lead=lead).pk)
    assert "mail-words" in told(server)
    assert "whatsapp-words" not in told(server)


@pytest.mark.parametrize("action", ASKED)
def test_no_action_that_nobody_asked_for_reads_it(
    lead: Lead, server: Server, action: ActionType
) -> None:
    make_inbound_message(lead, body="mail-words")
    make_whatsapp("later-words", lead=lead)
    server.text = "{}"
    run = request_run(action, key="one", lead=lead)
    assert run
    settle_events()
    prompt = str(Run.objects.get(pk=run.pk).messages)
    assert "mail-words" in prompt
    assert "whatsapp-words" not in prompt
    assert "later-words" not in prompt


def test_words_that_were_not_told_are_no_reason(lead: Lead, server: Server) -> None:
    reason = {"text": "They said so.", "quote": "whatsapp-words"}
    answers(server, choice=1, reasons=[reason])
    make_inbound_message(lead, body="mail-words")
    settle_events()
    assert Run.objects.get(action=ActionType.PROPOSE).outcome == Outcome.NOTHING_GROUNDED
    assert not Suggestion.objects.exists()


def test_what_is_off_takes_no_place_of_what_is_told(lead: Lead, server: Server) -> None:
    make_inbound_message(lead, body="mail-words")
    for _number in range(15):
        make_whatsapp("more-words", lead=lead)
    answers(server, findings=[])
    request_run(ActionType.QUALIFY, key="one", lead=lead)
    settle_events()
    assert "mail-words" in told(server)


def test_rules_of_all_conversations_are_read_at_once(
    lead: Lead, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    chat = lead.conversations.get()
    make_inbound_message(lead)
    with django_assert_num_queries(2):
        assert off_with(lead.pk) == {chat.pk}


# --- What a person asks for ---------------------------------------------------------------------


@pytest.mark.parametrize("action", ASKED)
def test_person_who_asks_has_all_of_it_read(
    lead: Lead, server: Server, boss: User, action: ActionType
) -> None:
    server.text = "{}"
    run = request_run(action, key="one", lead=lead, asked_by=boss)
    assert run
    settle_events()
    assert "whatsapp-words" in str(Run.objects.get(pk=run.pk).messages)


# --- What is switched off meanwhile -------------------------------------------------------------


@pytest.mark.parametrize(
    "rule", [{"mode": Mode.OFF}, {"mode": Mode.OFF, "channel": "email"}, {"is_held": True}]
)
def test_rule_that_says_off_ends_what_waits(
    lead: Lead, server: Server, rule: dict[str, Any]
) -> None:
    run = waiting(lead)
    Endpoint.objects.update(stopped_at=run.created_at)
    with pytest.raises(Postpone):
        perform_run(run.pk)
    set_rule(**rule)
    Endpoint.objects.update(stopped_at=None)
    perform_run(run.pk)
    assert ended(run)[0] == Outcome.OFF
    assert server.asked == []


def test_conversation_that_is_switched_off_ends_what_waits(
    lead: Lead, server: Server, boss: User
) -> None:
    run = waiting(lead)
    mails = lead.conversations.get(channel=Channel.EMAIL)
    set_mode(mails, Mode.OFF, actor=boss, is_leading=True)
    perform_run(run.pk)
    assert ended(run) == (Outcome.OFF, "The autopilot is off here.")
    assert server.asked == []


def test_answer_that_comes_after_it_was_switched_off_is_not_kept(lead: Lead) -> None:
    run, action = waiting(lead), Proposing()
    run.messages = list(action.build(run).messages)
    set_rule(Mode.OFF)
    choice = Choice(choice=1, reasons=[])
    answer = Completion(choice.model_dump_json(), "m", Usage(), Takes(), "stop", 1, 2, choice)
    with pytest.raises(Ended) as end:
        action.apply(run, answer)
    assert end.value.outcome == Outcome.OFF
    assert not Suggestion.objects.exists()
