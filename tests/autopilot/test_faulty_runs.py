"""What a model's server can do wrong: each run ends in a stated outcome, and every call is paid."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from channels.autopilot.budgets import standing
from channels.autopilot.calls import MOST_CALLS, MOST_PAID
from channels.autopilot.endpoints import Settings as HowToAsk
from channels.autopilot.models import Endpoint, Run
from channels.autopilot.outcomes import Outcome
from channels.autopilot.payloads import AutopilotActionExecuted
from channels.autopilot.performing import perform_run
from channels.autopilot.recording import WAITS
from channels.models import Message
from events import Permanent, Postpone, Retry
from events.models import Event, EventStatus
from events.testing import assert_published, settle_events
from salesflow.accounts.models import Tenant
from tests.autopilot.endpoint import USAGE, Peer, Server, chunk, event, usage_chunk, whole
from tests.autopilot.factories import Answer, Scripted, doing, make_endpoint, make_run
from tests.autopilot.test_runs import COST

Fault = Callable[[Server], None]
PROCESSED, FAILED = EventStatus.PROCESSED, EventStatus.FAILED


@pytest.fixture(autouse=True)
def private(settings: Settings) -> None:
    settings.AI_PRIVATE_ADDRESSES = True


@pytest.fixture
def endpoint(tenant: Tenant, server: Server) -> Endpoint:
    return make_endpoint(server, settings=HowToAsk(deadline=5, silence=1))


@pytest.fixture
def action() -> Iterator[Scripted]:
    with doing(Scripted(Answer)) as action:
        yield action


def refusing(status: int, error: object = "no", **headers: str) -> Fault:
    return lambda server: server.then_refuse(status, error, **headers)


def answering(body: object, **more: Any) -> Fault:
    return lambda server: server.then_answer(body, **more)


def streaming(*events: object, done: bool = True) -> Fault:
    return lambda server: server.then_stream(*events, done=done)


def silent(server: Server) -> None:
    server.then(Peer.wait)


def breaking_off(server: Server) -> None:
    def step(peer: Peer) -> None:
        peer.begin_stream()
        peer.chunk(event(chunk('{"num')))

    server.then(step)


def moved(server: Server) -> None:
    server.then(lambda peer: peer.answer({}, 302, Location="http://169.254.169.254/"))


HTML = answering(b"<h1>502</h1>", status=502, Content_Type="text/html")
TWICE, ALWAYS = MOST_PAID, MOST_CALLS


@pytest.mark.parametrize(
    ("fault", "outcome", "calls", "status"),
    [
        pytest.param(refusing(429, Retry_After="7"), "rate_limited", ALWAYS, FAILED, id="429"),
        pytest.param(refusing(429, Retry_After="90000"), "rate_limited", 1, FAILED, id="429-long"),
        pytest.param(refusing(402), "rate_limited", 1, FAILED, id="402"),
        pytest.param(refusing(401), "unauthorized", 1, FAILED, id="401"),
        pytest.param(refusing(404), "failed", 1, FAILED, id="404"),
        pytest.param(refusing(503), "unavailable", ALWAYS, FAILED, id="503"),
        pytest.param(HTML, "unavailable", ALWAYS, FAILED, id="html"),
        pytest.param(moved, "failed", 1, FAILED, id="redirect"),
        pytest.param(silent, "timeout", TWICE, FAILED, id="silence"),
        pytest.param(breaking_off, "cut", TWICE, FAILED, id="broken-off"),
        pytest.param(streaming(chunk("{"), done=False), "cut", TWICE, FAILED, id="no-ending"),
        pytest.param(
            streaming(chunk("{"), {"error": {"message": "overloaded", "code": 529}}),
            "unavailable", TWICE, FAILED, id="error-within",
        ),
        pytest.param(
            streaming(chunk(""), chunk(finish="stop"), usage_chunk(USAGE)),
            "empty", TWICE, PROCESSED, id="empty",
        ),
        pytest.param(answering({"choices": [], "usage": USAGE}), "empty", TWICE, PROCESSED,
                     id="no-choices"),
        pytest.param(answering(whole("[1, 2")), "invalid", TWICE, PROCESSED, id="invalid-json"),
        pytest.param(answering(whole('{"number": "x"}')), "invalid", TWICE, PROCESSED,
                     id="another-form"),
        pytest.param(answering(whole('{"number": 1', finish="length")), "truncated", 1, PROCESSED,
                     id="too-long-an-answer"),
        pytest.param(answering(whole(None, refusal="I will not.")), "refused", 1, PROCESSED,
                     id="refused"),
        pytest.param(refusing(400, {"code": "context_length_exceeded"}), "too_long", 1, PROCESSED,
                     id="too-long-a-prompt"),
    ],
)  # fmt: skip
def test_fault_ends_in_its_outcome_after_so_many_calls(
    tenant: Tenant,
    server: Server,
    endpoint: Endpoint,
    action: Scripted,
    fault: Fault,
    outcome: str,
    calls: int,
    status: str,
) -> None:
    for _try in range(MOST_CALLS):
        fault(server)
    run = make_run()
    settle_events()
    run.refresh_from_db()
    assert (run.state, run.outcome, run.calls.count()) == (Run.State.FINISHED, outcome, calls)
    assert run.error
    assert len(server.asked) == calls
    assert not action.applied
    assert not Message.objects.exists()
    assert Event.objects.get(type="autopilot.run_requested").status == status
    told = assert_published(AutopilotActionExecuted, outcome=outcome)
    found = standing(tenant)
    costs = [call.cost for call in run.calls.all()]
    assert Decimal(told.payload["cost"]) == run.cost == found.spent == sum(costs)
    assert found.reserved == 0
    assert run.calls.filter(finished_at=None).count() == 0


def test_server_names_the_wait(server: Server, endpoint: Endpoint, action: Scripted) -> None:
    server.then_refuse(429, "slow down", Retry_After="7")
    run = make_run()
    with pytest.raises(Retry) as caught:
        perform_run(run.pk)
    assert caught.value.seconds == 7
    run.refresh_from_db()
    assert (run.state, run.outcome, run.cost) == (Run.State.WAITING, "", Decimal(0))


def test_waits_grow_where_nobody_names_them(
    server: Server, endpoint: Endpoint, action: Scripted
) -> None:
    run, waits = make_run(), []
    for _try in range(MOST_CALLS):
        server.then_refuse(503, "busy")
        with pytest.raises((Retry, Permanent)) as caught:
            perform_run(run.pk)
        waits.append(getattr(caught.value, "seconds", None))
    assert waits == [*WAITS, None]


def test_second_try_may_do_better_and_both_are_paid(
    tenant: Tenant, server: Server, endpoint: Endpoint, action: Scripted
) -> None:
    server.then_answer(whole("no JSON"))
    server.text = '{"number": 7}'
    run = make_run()
    settle_events()
    run.refresh_from_db()
    assert (run.outcome, run.error, run.cost) == (Outcome.SUMMARISED, "", 2 * COST)
    assert (run.prompt_tokens, run.completion_tokens) == (60, 10)
    assert [call.outcome for call in run.calls.order_by("number")] == ["invalid", ""]
    assert action.applied[0].parsed == Answer(number=7)
    told = assert_published(AutopilotActionExecuted, outcome="summarised", cost=2 * COST)
    assert told.payload["prompt_tokens"] == 60
    assert standing(tenant).spent == 2 * COST


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"prompt_tokens": -1, "completion_tokens": 5},
        {"prompt_tokens": "30", "completion_tokens": "5"},
        {**USAGE, "total_tokens": 3000},
        {**USAGE, "prompt_tokens_details": {"cached_tokens": 31}},
        {"prompt_tokens": 30, "completion_tokens": 0, "total_tokens": 30},
    ],
)
def test_wrong_usage_is_estimated_and_said_to_be(
    tenant: Tenant, server: Server, endpoint: Endpoint, action: Scripted, usage: object
) -> None:
    server.then_answer(whole('{"number": 1}', usage=usage))
    run = make_run()
    settle_events()
    run.refresh_from_db()
    assert (run.outcome, run.is_estimated) == (Outcome.SUMMARISED, True)
    assert Decimal(0) < run.cost == standing(tenant).spent
    assert_published(AutopilotActionExecuted, estimated=True, cost=run.cost)


@pytest.mark.parametrize(("status", "stops"), [(401, True), (402, True), (503, False)])
def test_endpoint_that_refuses_us_is_stopped(
    server: Server, endpoint: Endpoint, action: Scripted, status: int, stops: bool
) -> None:
    for _try in range(MOST_CALLS):
        server.then_refuse(status, "no")
    make_run()
    settle_events()
    endpoint.refresh_from_db()
    assert (endpoint.stopped_at is not None) == stops
    assert endpoint.last_error
    server.text = '{"number": 7}'
    waiting = make_run()
    settle_events()
    waiting.refresh_from_db()
    assert (waiting.state == Run.State.WAITING) == stops


def test_server_that_fails_again_and_again_is_left_alone(
    server: Server, endpoint: Endpoint, action: Scripted
) -> None:
    for _try in range(2 * MOST_CALLS):
        server.then_refuse(503, "down")
    make_run()
    settle_events()
    second = make_run()
    with pytest.raises(Retry):
        perform_run(second.pk)
    asked = len(server.asked)
    with pytest.raises(Postpone):
        perform_run(second.pk)
    second.refresh_from_db()
    assert (len(server.asked), second.calls.count(), second.state) == (asked, 1, "waiting")
    assert second.calls.get().finished_at


def test_faults_of_the_answers_leave_the_server_in_good_repute(
    server: Server, endpoint: Endpoint, action: Scripted
) -> None:
    for _try in range(8):
        server.then_answer(whole("no JSON"))
    for _run in range(4):
        make_run()
    settle_events()
    endpoint.refresh_from_db()
    assert (len(server.asked), endpoint.last_error, endpoint.stopped_at) == (8, "", None)
    server.text = '{"number": 7}'
    run = make_run()
    settle_events()
    run.refresh_from_db()
    assert run.outcome == Outcome.SUMMARISED
