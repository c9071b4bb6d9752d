"""Runs: asked for once, performed once, ended once, and told with what they cost."""

from collections.abc import Iterator
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import transaction
from pytest_django import Settings

from channels.autopilot.budgets import set_limit, standing
from channels.autopilot.endpoints import stop_endpoint
from channels.autopilot.models import ActionType, Call, Endpoint, Expense, Run
from channels.autopilot.outcomes import Ended, Outcome
from channels.autopilot.payloads import AutopilotActionExecuted, AutopilotRunRequested
from channels.autopilot.performing import perform_run
from channels.autopilot.runs import request_run
from channels.models import Message
from events import Permanent, Postpone
from events.models import Event, EventStatus
from events.testing import assert_not_published, assert_published, published, settle_events
from salesflow.accounts.models import Tenant
from tests.autopilot.endpoint import MODEL, USAGE, Server, messages
from tests.autopilot.factories import Scripted, doing, make_endpoint, make_run
from tests.channels.factories import make_reachable_lead
from tests.factories import make_user

# (20 · 0.15 + 10 · 0.075 + 5 · 0.6) / 10⁶, as the endpoint of the tests tells its tokens.
COST = Decimal("0.00000675")


@pytest.fixture(autouse=True)
def private(settings: Settings) -> None:
    settings.AI_PRIVATE_ADDRESSES = True


@pytest.fixture
def endpoint(tenant: Tenant, server: Server) -> Endpoint:
    return make_endpoint(server)


@pytest.fixture
def action() -> Iterator[Scripted]:
    with doing(Scripted()) as action:
        yield action


def performed(run: Run) -> Run:
    """The run once all its tries are over."""
    settle_events()
    found: Run = Run.objects.get(pk=run.pk)
    return found


# --- Asking for it --------------------------------------------------------------------------------


def test_request_is_made_with_its_event_and_only_once(tenant: Tenant) -> None:
    lead, user = make_reachable_lead(), make_user(tenant)
    run = request_run(ActionType.QUALIFY, key="qualify:1", lead=lead, asked_by=user)
    assert run
    told = (run.action, run.lead, run.asked_by, run.state, run.outcome)
    assert told == (ActionType.QUALIFY, lead, user, Run.State.WAITING, "")
    assert_published(AutopilotRunRequested, run_id=run.pk, lead_id=lead.pk, action_type="qualify")
    assert request_run(ActionType.QUALIFY, key="qualify:1", lead=lead) is None
    assert len(published(AutopilotRunRequested)) == Run.objects.count() == 1


def test_request_that_is_undone_leaves_nothing(tenant: Tenant) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        request_run(ActionType.QUALIFY, key="qualify:1", lead=make_reachable_lead())
        raise RuntimeError
    assert_not_published(AutopilotRunRequested)
    assert not Run.objects.exists()


# --- Performing it --------------------------------------------------------------------------------


def test_answer_is_paid_applied_and_told(
    tenant: Tenant, server: Server, endpoint: Endpoint, action: Scripted
) -> None:
    run = performed(make_run())
    assert (run.state, run.outcome, run.error) == (Run.State.FINISHED, Outcome.SUMMARISED, "")
    assert (run.output, run.model, run.endpoint) == (server.text, MODEL, endpoint)
    assert (run.prompt_name, run.prompt_version, run.messages) == ("test", "1", messages())
    assert (run.prompt_tokens, run.cached_tokens, run.completion_tokens) == (30, 10, 5)
    assert (run.cost, run.is_estimated, run.prices["source"]) == (COST, False, "entered")
    assert run.latency_ms is not None
    assert run.first_token_ms is not None
    assert run.first_token_ms <= run.latency_ms
    assert run.started_at
    assert run.finished_at
    call = run.calls.get()
    assert (call.number, call.cost, call.outcome, call.is_estimated) == (1, COST, "", False)
    assert [each.text for each in action.applied] == [server.text]
    assert len(server.asked) == 1
    found = standing(tenant)
    assert (found.spent, found.reserved) == (COST, Decimal(0))
    event = assert_published(
        AutopilotActionExecuted,
        run_id=run.pk,
        lead_id=run.lead_id,
        action_type="summarise",
        model=MODEL,
        cost=COST,
        latency_ms=run.latency_ms,
        outcome="summarised",
        prompt_version="1",
        prompt_tokens=30,
        cached_tokens=10,
        completion_tokens=5,
        estimated=False,
    )
    assert event.payload["cost"] == "0.000006750000"
    endpoint.refresh_from_db()
    assert endpoint.takes["form"] == "json_schema"


def test_run_that_has_ended_is_not_performed_again(
    server: Server, endpoint: Endpoint, action: Scripted
) -> None:
    run = performed(make_run())
    perform_run(run.pk)
    assert (len(server.asked), len(action.applied)) == (1, 1)
    assert_published(AutopilotActionExecuted)


def test_run_of_a_deleted_lead_is_nothing_to_do(
    server: Server, endpoint: Endpoint, action: Scripted
) -> None:
    run = make_run()
    assert run.lead
    run.lead.delete()
    settle_events()
    perform_run(uuid4())
    assert server.asked == []


def test_run_without_a_lead_is_told_too(
    tenant: Tenant, server: Server, endpoint: Endpoint, action: Scripted
) -> None:
    run = request_run(ActionType.SUMMARISE, key="no lead")
    assert run
    assert performed(run).outcome == Outcome.SUMMARISED
    event = assert_published(AutopilotActionExecuted, run_id=run.pk, lead_id=None, cost=COST)
    event.refresh_from_db()
    assert (event.subject_id, event.status) == (None, EventStatus.PROCESSED)
    assert standing(tenant).spent == COST


def test_first_price_that_counts_is_that_of_the_length_and_day(
    tenant: Tenant, server: Server, action: Scripted
) -> None:
    make_endpoint(server, prices=None)
    run = performed(make_run())
    assert run.cost == COST
    assert run.prices["source"].startswith("genai-prices")
    assert run.prices["source"].endswith(f"/{MODEL}")


def test_call_without_a_known_price_is_said_to_be_one(
    tenant: Tenant, server: Server, action: Scripted
) -> None:
    make_endpoint(server, prices=None, model="nobody-knows-this-one")
    run = performed(make_run())
    assert (run.cost, run.prices["source"]) == (Decimal(0), "none")
    assert Expense.objects.get().unpriced_calls == 1


# --- Not performing it ----------------------------------------------------------------------------


def test_without_a_model_nothing_pretends_to_be_one(tenant: Tenant, action: Scripted) -> None:
    run = performed(make_run())
    assert (run.outcome, run.error) == (Outcome.OFF, "No model is connected.")
    assert_published(AutopilotActionExecuted, outcome="off", cost=0, model="")
    assert not Call.objects.exists()


def test_budget_that_is_spent_asks_nothing_and_says_so(
    tenant: Tenant, server: Server, endpoint: Endpoint, action: Scripted
) -> None:
    set_limit(tenant, Decimal("0.00"))
    run = performed(make_run())
    assert run.outcome == Outcome.BUDGET
    assert run.error == "The budget of the day does not allow it."
    assert (server.asked, Call.objects.count(), standing(tenant).reserved) == ([], 0, Decimal(0))
    assert_published(AutopilotActionExecuted, outcome="budget", cost=0, model=MODEL)
    assert Event.objects.get(type="autopilot.run_requested").status == EventStatus.PROCESSED


def test_nobody_needs_it_any_more(server: Server, endpoint: Endpoint, action: Scripted) -> None:
    def overtaken(run: Run) -> None:
        raise Ended(Outcome.SUPERSEDED, "They have written again.")

    action.on_build = overtaken
    run = performed(make_run())
    assert (run.outcome, run.error) == (Outcome.SUPERSEDED, "They have written again.")
    assert server.asked == []
    assert_published(AutopilotActionExecuted, outcome="superseded", cost=0)


def test_answer_that_nobody_needs_any_more_is_paid(
    tenant: Tenant, server: Server, endpoint: Endpoint, action: Scripted
) -> None:
    def overtaken(run: Run) -> None:
        run.report = {"kept": True}
        raise Ended(Outcome.SUPERSEDED, "They have written meanwhile.")

    action.on_apply = overtaken
    run = performed(make_run())
    assert (run.outcome, run.cost) == (Outcome.SUPERSEDED, COST)
    assert run.report == {"kept": True}
    assert standing(tenant).spent == COST


def test_stopped_endpoint_is_waited_for_without_a_try(
    server: Server, endpoint: Endpoint, action: Scripted
) -> None:
    stop_endpoint(endpoint, "no money left")
    run = make_run()
    with pytest.raises(Postpone, match="no money left"):
        perform_run(run.pk)
    assert performed(run).state == Run.State.WAITING
    assert (server.asked, Call.objects.count()) == ([], 0)
    Endpoint.objects.update(stopped_at=None)
    assert performed(run).outcome == Outcome.SUMMARISED


# --- Errors of our own ----------------------------------------------------------------------------


def test_action_that_breaks_before_the_call_ends_the_run(
    server: Server, endpoint: Endpoint, action: Scripted
) -> None:
    def broken(run: Run) -> None:
        raise KeyError("a slip")

    action.on_build = broken
    run = make_run()
    with pytest.raises(Permanent) as caught:
        perform_run(run.pk)
    assert isinstance(caught.value.__cause__, KeyError)
    run.refresh_from_db()
    assert (run.outcome, run.error) == (Outcome.FAILED, "The action broke: KeyError")
    assert server.asked == []


def test_action_that_breaks_after_the_call_leaves_nothing_and_is_paid(
    tenant: Tenant, server: Server, endpoint: Endpoint, action: Scripted
) -> None:
    def broken(run: Run) -> None:
        make_reachable_lead(name="half written")
        run.result = {"half": object()}
        raise TypeError("a slip")

    action.on_apply = broken
    run = performed(make_run())
    assert (run.outcome, run.error) == (Outcome.FAILED, "The action broke: TypeError")
    assert (run.result, run.cost, standing(tenant).reserved) == ({}, COST, Decimal(0))
    assert run.lead
    assert type(run.lead).objects.count() == 1
    assert Event.objects.get(type="autopilot.run_requested").status == EventStatus.FAILED
    assert_published(AutopilotActionExecuted, outcome="failed", cost=COST)


def test_replay_performs_a_run_anew_and_tells_only_what_is_new(
    tenant: Tenant, server: Server, endpoint: Endpoint, action: Scripted
) -> None:
    def broken(run: Run) -> None:
        raise TypeError("a slip")

    action.on_apply = broken
    run = performed(make_run())
    action.on_apply = lambda run: None
    perform_run(run.pk)
    run.refresh_from_db()
    assert (run.outcome, run.error, run.cost) == (Outcome.SUMMARISED, "", 2 * COST)
    assert [call.number for call in run.calls.order_by("number")] == [1, 2]
    told = [event.payload for event in published(AutopilotActionExecuted)]
    assert [(each["outcome"], Decimal(each["cost"])) for each in told] == [
        ("failed", COST),
        ("summarised", COST),
    ]
    assert standing(tenant).spent == 2 * COST


def test_nothing_is_ever_sent_by_a_run(
    server: Server, endpoint: Endpoint, action: Scripted
) -> None:
    performed(make_run())
    assert not Message.objects.exists()
    assert [asked.path for asked in server.asked] == ["/v1/chat/completions"]
    assert "tools" not in server.asked[0].body
    assert USAGE["prompt_tokens"] == 30
