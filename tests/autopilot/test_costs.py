"""What calls cost, held against a calculation that shares nothing with ours but the prices."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import product

import pytest
from django.utils import translation
from pytest_django import Settings

from channels.autopilot.budgets import Bill, reserve, settle, standing
from channels.autopilot.completions import Usage
from channels.autopilot.costs import costs_of, dollars, exact_dollars
from channels.autopilot.models import Budget, Run
from channels.autopilot.payloads import AutopilotActionExecuted
from channels.autopilot.performing import perform_run
from channels.autopilot.prices import Prices
from events.testing import published
from salesflow.accounts.models import Tenant
from tests.autopilot.endpoint import Server, whole
from tests.autopilot.factories import PRICES, Scripted, doing, make_endpoint, make_run

# Prompt, cached, completion: 1 cached token, all of them, none, odd numbers, large ones.
TOKENS = [(1, 1, 1), (1000, 400, 200), (7, 7, 3), (19_997, 1, 1), (12_345, 0, 6_789)]
PRICED = [
    ("0.15", "0.075", "0.6"),
    ("0.000001", "0.000003", "0.000007"),
    ("2.5", None, "10"),
    ("0", "0", "0.123457"),
]


@pytest.fixture(autouse=True)
def private(settings: Settings) -> None:
    settings.AI_PRIVATE_ADDRESSES = True
    settings.AI_DAILY_BUDGET = 1000.0


@pytest.fixture
def action() -> Iterator[Scripted]:
    with doing(Scripted()) as action:
        yield action


def by_hand(tokens: tuple[int, int, int], priced: tuple[str, str | None, str]) -> Fraction:
    """The cost in fractions, which round nothing."""
    asked, cached, written = tokens
    price, cached_price, written_price = priced
    sum_ = (asked - cached) * Fraction(price)
    sum_ += cached * Fraction(cached_price or price)
    return (sum_ + written * Fraction(written_price)) / 10**6


@pytest.mark.parametrize(("tokens", "priced"), list(product(TOKENS, PRICED)))
def test_cost_is_right_to_the_last_digit_wherever_it_is_kept(
    tenant: Tenant,
    server: Server,
    action: Scripted,
    tokens: tuple[int, int, int],
    priced: tuple[str, str | None, str],
) -> None:
    asked, cached, written = tokens
    price, cached_price, written_price = priced
    kept = None if cached_price is None else Decimal(cached_price)
    make_endpoint(server, prices=Prices(Decimal(price), Decimal(written_price), kept))
    usage = {
        "prompt_tokens": asked,
        "completion_tokens": written,
        "total_tokens": asked + written,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": written // 2},
    }
    server.then_answer(whole("Gern.", usage=usage))
    perform_run(make_run().pk)
    expected, run = by_hand(tokens, priced), Run.objects.get()
    assert Fraction(run.cost) == expected
    assert Fraction(run.calls.get().cost) == expected
    assert Fraction(Budget.objects.get().spent) == expected
    [event] = published(AutopilotActionExecuted)
    assert isinstance(event.data, AutopilotActionExecuted)
    assert Fraction(event.data.cost) == Fraction(event.payload["cost"]) == expected
    # What was paid by is kept: it can be calculated again.
    stored = (run.prices["prompt"], run.prices["cached_prompt"], run.prices["completion"])
    assert by_hand(tokens, stored) == expected


def test_example_of_the_protocol_is_24_hundred_thousandths() -> None:
    assert Bill("gpt-4o-mini", Usage(1000, 400, 200), PRICES).cost == Decimal("0.00024")


def test_smallest_costs_add_up_without_a_rest(tenant: Tenant) -> None:
    bill = Bill("gpt", Usage(1, 1, 0), Prices(Decimal(1), Decimal(1), Decimal("0.000001")))
    at = datetime(2026, 3, 3, tzinfo=UTC)
    for _call in range(100):
        reservation = reserve(tenant, Decimal("0.5"), at)
        assert reservation
        settle(reservation, "draft", bill)
    assert standing(tenant, at).spent == Decimal("0.0000000001")


def test_costs_are_added_up_by_day_action_and_model(tenant: Tenant) -> None:
    spent = [(2, "draft", "large", 3), (3, "draft", "small", 1), (3, "qualify", "small", 2)]
    for day, action, model, calls in spent:
        for _call in range(calls):
            reservation = reserve(tenant, Decimal(1), datetime(2026, 3, day, 12, tzinfo=UTC))
            assert reservation
            prices = Prices(Decimal(1 if model == "small" else 100), Decimal(1))
            settle(reservation, action, Bill(model, Usage(1_000_000), prices))
    found = costs_of(date(2026, 3, 3), 30)
    assert (found.total.calls, found.total.cost) == (6, Decimal(303))
    assert [(each.name, each.cost) for each in found.days] == [
        ("2026-03-03", Decimal(3)),
        ("2026-03-02", Decimal(300)),
    ]
    assert [(each.name, each.cost) for each in found.models] == [
        ("large", Decimal(300)),
        ("small", Decimal(3)),
    ]
    assert [(each.name, each.calls) for each in found.actions] == [
        ("draft a reply", 4),
        ("qualify a lead", 2),
    ]
    assert costs_of(date(2026, 3, 3), 1).total.calls == 3
    assert costs_of(date(2026, 3, 1), 30).total.calls == 0


@pytest.mark.parametrize(
    ("amount", "english", "german"),
    [
        ("0", "$0.00", "0,00"),
        ("0.00024", "$0.00024", "0,00024"),
        ("0.000246913", "$0.000247", "0,000247"),
        ("0.1", "$0.10", "0,10"),
        ("0.9999", "$1.00", "1,00"),
        ("1.005", "$1.00", "1,00"),
        ("1234567.891", "$1,234,567.89", "1.234.567,89"),
        ("100", "$100.00", "100,00"),
    ],
)
def test_amounts_show_what_matters(amount: str, english: str, german: str) -> None:
    assert dollars(Decimal(amount)) == english
    with translation.override("de"):
        assert dollars(Decimal(amount)).strip("$ \xa0") == german


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("0.075000", "$0.075"), ("2.5", "$2.50"), ("0.000001", "$0.000001"), ("100", "$100.00")],
)
def test_prices_show_every_digit(amount: str, shown: str) -> None:
    assert exact_dollars(Decimal(amount)) == shown
