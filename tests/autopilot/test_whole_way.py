"""From a customer's message to the mail that leaves: by a real model, real workers, a person."""

from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from pytest_django import Settings

from channels.autopilot import local_model, prices
from channels.autopilot.completions import Usage
from channels.autopilot.connecting import Entered, edit_endpoint
from channels.autopilot.deciding import approve_draft
from channels.autopilot.drafts import request_draft
from channels.autopilot.endpoints import endpoint_for
from channels.autopilot.models import Call, Draft, Expense, Mode, Run
from channels.autopilot.outcomes import Outcome
from channels.autopilot.payloads import AutopilotActionExecuted, AutopilotDraftCreated
from channels.autopilot.prices import Prices
from channels.models import Message, MessageStatus
from events.testing import assert_published
from salesflow.accounts.models import Tenant, User
from tests.autopilot.local import LocalServer
from tests.autopilot.stage import make_own_words, outbound, set_rule
from tests.channels.factories import make_inbound_message, make_reachable_lead
from tests.factories import make_user
from tests.waiting import wait_until

pytestmark = [pytest.mark.journey, pytest.mark.local_model]

PRICES = Prices(Decimal("0.15"), Decimal("0.6"), Decimal("0.075"))
# Seconds: so small a model on a busy machine; and for ten in which it can be stopped.
ANSWERED, SENT = 150, 60
# It talks without an end now and then: a person asks for another draft.
MOST_TRIES = 5


@pytest.fixture
def service_environment(
    service_environment: dict[str, str], local_server: LocalServer
) -> dict[str, str]:
    """Workers that ask the local model, as those of `make run AI=local` do."""
    return service_environment | {
        "SALESFLOW_AI_BASE_URL": local_server.url,
        "SALESFLOW_AI_API_KEY": local_server.key,
        "SALESFLOW_AI_MODEL": local_model.MODEL,
    }


@pytest.fixture
def ada(tenant: Tenant, local_server: LocalServer, settings: Settings) -> User:
    """A rep whose team has the local model, at a price, and approves what it drafts."""
    settings.AI_BASE_URL, settings.AI_API_KEY = local_server.url, local_server.key
    settings.AI_MODEL = local_model.MODEL
    endpoint = endpoint_for(tenant)
    assert endpoint
    edit_endpoint(endpoint, Entered("", "", "", prices=PRICES))
    set_rule(Mode.APPROVE)
    make_own_words()
    return make_user(tenant, name="Ada Rep")


def test_message_is_drafted_approved_and_sent(tenant: Tenant, ada: User, worker: Any) -> None:
    lead = make_reachable_lead(name="Grace Hopper")
    message = make_inbound_message(lead, body="Thanks for the call!", subject="Our call")
    draft = drafted(message, ada)
    assert outbound() == []
    assert_published(AutopilotDraftCreated, draft_id=draft.pk, run_id=draft.run_id, mode="approve")
    assert (draft.to_address, draft.subject) == (message.address, "Re: Our call")
    assert_told_and_paid(draft.run)
    approve_draft(draft.pk, revision=draft.revision, actor=ada)
    wait_until(lambda: bool(outbound()), "its message is queued", SENT)
    [sent] = outbound()
    wait_until(lambda: has_gone(sent), "its message has gone", SENT)
    assert (sent.author, sent.body, sent.in_reply_to) == (ada, draft.body, message)
    assert Draft.objects.get(pk=draft.pk).state == Draft.State.SENT


def drafted(message: Message, ada: User) -> Draft:
    """The draft that answers a message, once one is of use."""
    wait_until(lambda: Run.objects.filter(lead=message.lead).exists(), "it is asked for", SENT)
    run: Run | None = Run.objects.get()
    for _try in range(MOST_TRIES):
        assert run
        wait_until(partial(is_over, run), "the model has answered", ANSWERED)
        draft: Draft | None = Draft.objects.select_related("run").filter(run=run).first()
        if draft:
            return draft
        assert message.conversation
        run = request_draft(message.conversation, asked_by=ada)
    raise AssertionError([(run.outcome, run.output) for run in Run.objects.all()])


def is_over(run: Run) -> bool:
    return bool(Run.objects.get(pk=run.pk).state == Run.State.FINISHED)


def has_gone(message: Message) -> bool:
    return bool(Message.objects.get(pk=message.pk).status == MessageStatus.SENT)


def cost_of(call: Call) -> Decimal:
    usage = Usage(call.prompt_tokens, call.cached_tokens, call.completion_tokens)
    return prices.cost(usage, PRICES)


def assert_told_and_paid(run: Run) -> None:
    """The run says what it was, how long it took and what it cost; so does its event."""
    assert (run.outcome, run.model) == (Outcome.DRAFTED, local_model.MODEL)
    assert run.first_token_ms is not None
    assert run.latency_ms is not None
    # It streamed: the first word was there long before the last one.
    assert 0 < run.first_token_ms < run.latency_ms
    calls = list(run.calls.order_by("number"))
    assert not calls[-1].is_estimated
    assert 0 < run.cost == sum(cost_of(call) for call in calls)
    told = {"cost": run.cost, "latency_ms": run.latency_ms, "model": run.model}
    assert_published(
        AutopilotActionExecuted, run_id=run.pk, action_type="draft", outcome="drafted", **told
    )
    assert sum(Expense.objects.values_list("cost", flat=True)) >= run.cost
