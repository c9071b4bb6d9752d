"""A real model, asked as any other: what it says is poor, how it says it is what is tested."""

import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Literal

import pytest
from pydantic import BaseModel, SecretStr
from pytest_django import Settings

from channels.autopilot import local_model, prices
from channels.autopilot.budgets import standing
from channels.autopilot.client import Message, complete
from channels.autopilot.connecting import Entered, edit_endpoint
from channels.autopilot.endpoints import endpoint_for
from channels.autopilot.models import Run
from channels.autopilot.outcomes import AiError, Outcome
from channels.autopilot.payloads import AutopilotActionExecuted
from channels.autopilot.prices import Prices
from channels.autopilot.trying import request_check
from events.testing import assert_published, settle_events
from salesflow.accounts.models import Tenant
from tests.autopilot.factories import Scripted, doing, make_run
from tests.autopilot.local import LocalServer, locally_served, start

pytestmark = pytest.mark.local_model

DEADLINE = 120.0
PRICES = Prices(Decimal("0.15"), Decimal("0.6"), Decimal("0.075"))


def ask(text: str) -> list[Message]:
    return [
        Message(role="system", content="You are a helpful assistant."),
        Message(role="user", content=text),
    ]


class Colour(BaseModel):
    colour: Literal["red", "green", "blue"]
    count: int


class Reply(BaseModel):
    """What so small a model cannot miss, or go on about."""

    reply: Literal["yes", "no"]


class Letter(BaseModel):
    """In which it may go on for ever."""

    topic: Literal["thanks", "price", "appointment"]
    text: str


@pytest.fixture
def shared(local_server: LocalServer, settings: Settings) -> LocalServer:
    """The local model as that of all tenants, which is what `make run AI=local` makes of it."""
    settings.AI_BASE_URL, settings.AI_API_KEY = local_server.url, local_server.key
    settings.AI_MODEL = local_model.MODEL
    return local_server


@pytest.fixture
def action() -> Iterator[Scripted]:
    with doing(Scripted(Reply)) as action:
        yield action


def test_it_streams_and_counts_its_tokens(local_server: LocalServer) -> None:
    pieces: list[str] = []
    said = complete(
        local_server.endpoint,
        ask("Count from one to five."),
        max_tokens=200,
        deadline=DEADLINE,
        on_text=pieces.append,
    )
    assert "".join(pieces).strip() == said.text
    assert len(pieces) > 1
    assert said.finish_reason == "stop"
    assert not said.usage.is_estimated
    assert said.usage.completion_tokens >= len(pieces) - 1
    assert 0 <= said.first_token_ms <= said.latency_ms


def test_it_keeps_to_a_form(local_server: LocalServer) -> None:
    said = complete(
        local_server.endpoint,
        ask("Which colour is the sky, and how many skies are there? Answer in JSON."),
        schema=Colour,
        max_tokens=100,
        deadline=DEADLINE,
    )
    assert isinstance(said.parsed, Colour)
    assert said.takes.form == "json_schema"


def test_it_answers_on_one_line(local_server: LocalServer) -> None:
    """Whether it comes to an end or not: on several it seldom does."""
    pieces: list[str] = []
    for seed in range(6):
        with suppress(AiError):
            complete(
                replace(local_server.endpoint, options={**local_model.OPTIONS, "seed": seed}),
                ask("Thank a customer for their call. Answer in JSON, with a topic and a text."),
                schema=Letter,
                max_tokens=200,
                deadline=DEADLINE,
                on_text=pieces.append,
            )
    assert "topic" in "".join(pieces)
    assert "\n" not in "".join(pieces)


def test_what_it_has_read_before_is_cached_and_cheaper(local_server: LocalServer) -> None:
    question = ask("Say hello. " * 50)
    first, second = (
        complete(
            local_server.endpoint, question, schema=Reply, max_tokens=40, deadline=DEADLINE
        ).usage
        for _time in range(2)
    )
    assert second.prompt_tokens == first.prompt_tokens
    assert 0 < second.cached_tokens <= second.prompt_tokens
    uncached = Prices(PRICES.prompt, PRICES.completion, None)
    assert 0 < prices.cost(second, PRICES) < prices.cost(second, uncached)


@pytest.mark.parametrize(
    ("text", "most", "outcome"),
    [
        ("Count from one to a hundred.", 3, Outcome.TRUNCATED),
        ("word " * (2 * local_model.CONTEXT), 10, Outcome.TOO_LONG),
    ],
)
def test_what_it_cannot_do_is_said(
    local_server: LocalServer, text: str, most: int, outcome: Outcome
) -> None:
    with pytest.raises(AiError) as caught:
        complete(local_server.endpoint, ask(text), max_tokens=most, deadline=DEADLINE)
    assert (caught.value.outcome, caught.value.is_permanent) == (outcome, True)


def test_nobody_without_its_key_is_answered(local_server: LocalServer) -> None:
    stranger = replace(local_server.endpoint, key=SecretStr("another"))
    with pytest.raises(AiError) as caught:
        complete(stranger, ask("Hello"), max_tokens=5, deadline=DEADLINE)
    assert caught.value.outcome == Outcome.UNAUTHORIZED


def test_run_is_performed_paid_and_told(
    tenant: Tenant, shared: LocalServer, action: Scripted
) -> None:
    endpoint = endpoint_for(tenant)
    assert endpoint
    edit_endpoint(endpoint, Entered("", "", "", prices=PRICES))
    run = make_run()
    settle_events()
    run.refresh_from_db()
    assert (run.outcome, run.model) == (Outcome.SUMMARISED, local_model.MODEL)
    assert isinstance(action.applied[0].parsed, Reply)
    assert run.latency_ms
    assert 0 < run.cost == standing(tenant).spent
    assert run.output
    assert_published(
        AutopilotActionExecuted, cost=run.cost, latency_ms=run.latency_ms, estimated=False
    )


def test_it_can_be_tried_from_the_settings(tenant: Tenant, shared: LocalServer) -> None:
    endpoint = endpoint_for(tenant)
    assert endpoint
    request_check(endpoint)
    settle_events()
    run = Run.objects.get()
    assert (run.outcome, run.error) == (Outcome.ANSWERED, "")
    assert (run.cost, run.prices["source"]) == (0, "none")


# --- The process ----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_at_once(local_server: LocalServer, number: signal.Signals) -> None:
    with locally_served() as another:
        another.process.send_signal(number)
        assert another.process.wait(10) == 0


def test_port_that_is_taken_is_one_line(local_server: LocalServer) -> None:
    second = start(local_server.url, "key")
    _said, complaint = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "cannot be served on port" in complaint.splitlines()[-1]
    assert "Traceback" not in complaint


def test_it_is_not_served_to_everybody(local_server: LocalServer) -> None:
    careless = start(local_server.url, "")
    _said, complaint = careless.communicate(timeout=60)
    assert careless.returncode == 1
    assert "SALESFLOW_AI_API_KEY" in complaint
