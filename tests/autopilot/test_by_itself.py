"""What goes out without a person: our own words, within the limits, and nothing else."""

from datetime import time
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from channels.autopilot.deciding import stop_draft
from channels.autopilot.limits import Topic
from channels.autopilot.models import Draft, Mode
from channels.autopilot.payloads import AutopilotDraftDecided
from channels.autopilot.policies import hold
from channels.models import MessageStatus
from events.testing import assert_published, settle_events
from salesflow.accounts.models import Tenant
from tests.autopilot.endpoint import Server
from tests.autopilot.factories import make_endpoint
from tests.autopilot.stage import (
    THANKS,
    draft_to,
    let_go,
    make_own_words,
    outbound,
    says,
    set_rule,
    writes,
)
from tests.channels.factories import make_inbound_message, make_reachable_lead


@pytest.fixture(autouse=True)
def model(tenant: Tenant, server: Server, settings: Settings) -> Server:
    """The tenant has a model, which chooses what the team has written."""
    settings.AI_PRIVATE_ADDRESSES = True
    make_endpoint(server)
    make_own_words()
    says(server, f"Hello Ada,\n{THANKS}\nBest regards")
    return server


def test_own_words_go_out_after_a_while(tenant: Tenant) -> None:
    set_rule(Mode.AUTO)
    draft = draft_to(writes())
    assert (draft.state, draft.decided_by) == (Draft.State.APPROVED, None)
    assert draft.send_after
    assert draft.send_after > timezone.now()
    assert_published(AutopilotDraftDecided, decision="approved", decided_by_id=None)
    assert outbound() == []
    message = let_go(draft)
    assert message
    assert message.author is None
    settle_events()
    assert [each.status for each in outbound()] == [MessageStatus.SENT]


def test_somebody_can_stop_it(tenant: Tenant) -> None:
    set_rule(Mode.AUTO)
    draft = draft_to(writes())
    stop_draft(draft.pk)
    assert let_go(draft) is None
    assert outbound() == []


@pytest.mark.parametrize(
    "text",
    [
        "Hello Ada, we are happy to help you.",
        f"{THANKS} Your deal is won.",
        f"{THANKS} Yes.",
        "Hello we agree to everything,\n" + THANKS,
        THANKS + " Agreed!",
        "Best regards",
    ],
)
def test_other_words_wait_for_a_person(tenant: Tenant, server: Server, text: str) -> None:
    set_rule(Mode.AUTO)
    says(server, text)
    writes()
    assert not Draft.objects.filter(state=Draft.State.APPROVED).exists()


@pytest.mark.parametrize(
    "rule",
    [
        {"mode": Mode.APPROVE},
        {"mode": Mode.DRAFT},
        {"per_day": 0},
        {"topics": frozenset({Topic.QUESTION})},
        {"first_contact": False},
        {"opens": time(0), "closes": time(0, 0, 0, 1)},
        {"weekdays": frozenset()},
    ],
)
def test_each_limit_leaves_it_to_a_person(tenant: Tenant, rule: dict[str, Any]) -> None:
    set_rule(**{"mode": Mode.AUTO} | rule)
    draft = draft_to(writes())
    assert draft.state == Draft.State.PENDING
    assert not all(gate["open"] for gate in draft.run.report["gates"])


def test_count_of_the_day_holds_in_all_conversations_together(
    tenant: Tenant, server: Server
) -> None:
    says(server, THANKS)
    set_rule(Mode.AUTO, per_day=2)
    drafts = [draft_to(writes(lead=make_reachable_lead())) for _number in range(4)]
    states = [Draft.objects.get(pk=draft.pk).state for draft in drafts]
    assert states == ["approved", "approved", "pending", "pending"]


@pytest.mark.parametrize(
    "rule",
    [
        {"mode": Mode.APPROVE},
        {"mode": Mode.OFF},
        {"per_day": 0},
        {"opens": time(0), "closes": time(0, 0, 0, 1)},
        {"topics": frozenset({Topic.QUESTION})},
        {"first_contact": False},
    ],
)
def test_rule_that_was_changed_meanwhile_holds(tenant: Tenant, rule: dict[str, Any]) -> None:
    set_rule(Mode.AUTO)
    draft = draft_to(writes())
    set_rule(**{"mode": Mode.AUTO} | rule)
    assert let_go(draft) is None
    assert outbound() == []
    assert Draft.objects.get(pk=draft.pk).state == Draft.State.PENDING


def test_models_own_sentences_go_out_where_the_team_leaves_it_that(
    tenant: Tenant, server: Server
) -> None:
    says(server, "Hello, we are happy to help you. We will be in touch.")
    set_rule(Mode.AUTO, own_words=False)
    first, second = (draft_to(writes(lead=make_reachable_lead())) for _number in range(2))
    assert let_go(first)
    set_rule(Mode.AUTO)
    assert let_go(second) is None
    second.refresh_from_db()
    assert second.reason == "Not every sentence is one that your team has written."


def test_brake_stops_what_is_on_its_way(tenant: Tenant) -> None:
    set_rule(Mode.AUTO)
    draft = draft_to(writes())
    hold(is_held=True, actor=None)
    assert let_go(draft) is None
    assert outbound() == []


def test_newer_message_stops_what_is_on_its_way(tenant: Tenant) -> None:
    set_rule(Mode.AUTO)
    message = writes()
    draft = draft_to(message)
    make_inbound_message(message.lead, body="Wait")
    assert let_go(draft) is None
    assert outbound() == []


def test_what_it_said_itself_counts_as_nobodys_word(tenant: Tenant, server: Server) -> None:
    set_rule(Mode.AUTO, first_contact=False)
    lead = make_reachable_lead(name="Ada Lovelace")
    writes(lead=lead)
    set_rule(Mode.AUTO)
    let_go(draft_to(writes(lead=lead)))
    settle_events()
    assert len(outbound()) == 1
    # Nobody of the team has written yet, though something went out.
    set_rule(Mode.AUTO, first_contact=False)
    assert draft_to(writes("And now?", lead=lead)).state == Draft.State.PENDING
