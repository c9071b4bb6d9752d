"""What a call costs, to the last digit."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, getcontext, localcontext
from fractions import Fraction

import pytest
from genai_prices import Usage as PackagedUsage
from genai_prices import calc_price
from genai_prices.data import providers
from hypothesis import given
from hypothesis import strategies as st

from channels.autopilot.completions import NOTHING_USED, Usage
from channels.autopilot.prices import NO_PRICES, Prices, cost, find_prices

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OPENAI = "https://api.openai.com/v1"
MINI = Prices(Decimal("0.15"), Decimal("0.6"), Decimal("0.075"))


def independent(usage: Usage, prices: Prices) -> Fraction:
    """The same with fractions, which know no digits."""
    cached = prices.prompt if prices.cached_prompt is None else prices.cached_prompt
    dollars = (
        Fraction(usage.prompt_tokens - usage.cached_tokens) * Fraction(prices.prompt)
        + Fraction(usage.cached_tokens) * Fraction(cached)
        + Fraction(usage.completion_tokens) * Fraction(prices.completion)
    )
    calls = Fraction(prices.thousand_calls) / 1000 if usage.prompt_tokens else Fraction(0)
    return dollars / 1_000_000 + calls


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Usage(1000, 400, 200), "0.00024"),
        (Usage(1000, 0, 200), "0.00027"),
        (Usage(1000, 1000, 200), "0.000195"),
        (Usage(1, 1, 0), "0.000000075"),
        (Usage(1, 0, 0), "0.00000015"),
        (Usage(1, 0, 1, 1), "0.00000075"),
        (Usage(1000, 1, 333, 300), "0.000349725"),
        (NOTHING_USED, "0"),
        (Usage(10_000_000, 9_999_999, 10_000_000), "6.750000075"),
    ],
)
def test_cost_is_exact(usage: Usage, expected: str) -> None:
    assert cost(usage, MINI) == Decimal(expected)


def test_cached_tokens_without_a_price_of_their_own_cost_the_same() -> None:
    prices = replace(MINI, cached_prompt=None)
    assert cost(Usage(1000, 1000, 0), prices) == cost(Usage(1000, 0, 0), prices)
    free = replace(MINI, cached_prompt=Decimal(0))
    assert cost(Usage(1000, 1000, 0), free) == 0


def test_call_itself_may_cost_something() -> None:
    prices = replace(MINI, thousand_calls=Decimal("5.005"))
    assert cost(Usage(1, 0, 0), prices) == Decimal("0.00500515")
    assert cost(NOTHING_USED, prices) == 0


tokens = st.integers(0, 10_000_000)
dollars = st.decimals(0, 999_999, places=6)


@given(tokens, tokens, tokens, dollars, dollars, st.none() | dollars, dollars)
def test_cost_equals_a_calculation_with_fractions(
    prompt: int, part: int, completion: int, first: Decimal, second: Decimal,
    third: Decimal | None, calls: Decimal,
) -> None:  # fmt: skip
    usage = Usage(prompt, min(prompt, part), completion)
    prices = Prices(first, second, third, calls)
    assert Fraction(cost(usage, prices)) == independent(usage, prices)
    # Twelve digits after the point, as the database keeps them.
    assert cost(usage, prices) == cost(usage, prices).quantize(Decimal("1e-12"))


def test_cost_does_not_depend_on_the_settings_of_the_thread() -> None:
    with localcontext() as context:
        context.prec = 3
        assert cost(Usage(1234567, 0, 0), MINI) == Decimal("0.18518505")
    assert getcontext().prec == 28


@pytest.mark.parametrize(
    "usage", [Usage(5, 6, 0), Usage(5, -1, 0), Usage(5, 0, -1), Usage(-1, 0, 0)]
)
def test_usage_that_cannot_be_has_no_cost(usage: Usage) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        cost(usage, MINI)


@pytest.mark.parametrize("price", ["-0.1", "NaN", "Infinity", "0.0000001", "1000000"])
def test_price_that_cannot_be_is_refused(price: str) -> None:
    for name in ("prompt", "completion", "cached_prompt", "thousand_calls"):
        with pytest.raises(ValueError, match="no price"):
            replace(MINI, **{name: Decimal(price)})  # type: ignore[arg-type]


# --- The package's prices ------------------------------------------------------------------------


def test_prices_come_from_the_package_by_the_vendors_address() -> None:
    found = find_prices("gpt-4o-mini", OPENAI, AT)
    assert (found.prompt, found.completion, found.cached_prompt) == (
        Decimal("0.15"), Decimal("0.6"), Decimal("0.075"))  # fmt: skip
    assert found.source.startswith("genai-prices ")
    assert found.source.endswith(" openai/gpt-4o-mini")
    assert cost(Usage(1000, 400, 200), found) == Decimal("0.00024")


def test_gateways_are_told_by_the_models_name() -> None:
    found = find_prices("gpt-4o-mini", "http://127.0.0.1:4000/v1", AT)
    assert found.prompt == Decimal("0.15")


@pytest.mark.parametrize("url", [OPENAI, "http://127.0.0.1:8080/v1", ""])
def test_unknown_price_is_not_passed_off_as_free(url: str) -> None:
    found = find_prices("smollm2-135m-of-ours", url, AT)
    assert found == NO_PRICES
    assert not found.is_known
    assert cost(Usage(1000, 0, 1000), found) == 0


def test_entered_prices_come_first() -> None:
    entered = Prices(Decimal(1), Decimal(2))
    assert find_prices("gpt-4o-mini", OPENAI, AT, entered=entered) is entered
    free = Prices(Decimal(0), Decimal(0))
    assert find_prices("gpt-4o-mini", OPENAI, AT, entered=free).is_known


MODELS = [
    ("https://api.openai.com/v1", "gpt-4o-mini"),
    ("https://api.openai.com/v1", "gpt-4o"),
    ("https://api.openai.com/v1", "gpt-4.1-nano"),
    ("https://api.openai.com/v1", "gpt-5"),
    ("https://api.openai.com/v1", "o3-mini"),
    ("https://api.groq.com/openai/v1", "llama-3.1-8b-instant"),
    ("https://api.mistral.ai/v1", "mistral-small-latest"),
    ("https://api.deepseek.com/v1", "deepseek-chat"),
    ("https://api.x.ai/v1", "grok-3-mini"),
    ("https://generativelanguage.googleapis.com/v1beta/openai", "gemini-2.5-pro"),
    ("https://generativelanguage.googleapis.com/v1beta/openai", "gemini-2.5-flash"),
]


@pytest.mark.parametrize(("url", "model"), MODELS)
@pytest.mark.parametrize(
    "usage", [Usage(1000, 400, 200), Usage(1, 1, 1), Usage(250_000, 100_000, 3), Usage(7, 0, 0)]
)
def test_cost_is_what_the_package_calculates(url: str, model: str, usage: Usage) -> None:
    theirs = calc_price(
        PackagedUsage(
            input_tokens=usage.prompt_tokens,
            cache_read_tokens=usage.cached_tokens,
            output_tokens=usage.completion_tokens,
        ),
        model,
        provider_api_url=url,
        genai_request_timestamp=AT,
    )
    ours = find_prices(model, url, AT, prompt_tokens=usage.prompt_tokens)
    assert ours.is_known
    assert cost(usage, ours) == theirs.total_price


def test_every_model_of_the_package_has_prices_that_can_be_calculated_with() -> None:
    for vendor in providers:
        for model in vendor.models:
            for length in (1, 300_000):
                found = find_prices(model.id, "", AT, prompt_tokens=length)
                spent = cost(Usage(length, 1, 1), found)
                assert spent == spent.quantize(Decimal("1e-12")), model.id


def test_long_prompts_cost_more_where_the_vendor_says_so() -> None:
    url = "https://generativelanguage.googleapis.com/v1beta/openai"
    short = find_prices("gemini-2.5-pro", url, AT, prompt_tokens=200_000)
    long = find_prices("gemini-2.5-pro", url, AT, prompt_tokens=200_001)
    assert short.prompt < long.prompt
    assert short.completion < long.completion


def test_prices_are_loaded_by_who_asks_and_never_fetched() -> None:
    code = """
import socket, sys
def refuse(*_args, **_more):
    raise AssertionError("nothing is to be fetched")
from datetime import datetime, UTC
from channels.autopilot.prices import find_prices
assert "genai_prices" not in sys.modules
socket.socket.connect = socket.getaddrinfo = refuse
assert find_prices("gpt-4o-mini", "https://api.openai.com/v1", datetime.now(UTC)).is_known
import threading
assert threading.active_count() == 1
"""
    subprocess.run([sys.executable, "-c", code], check=True)
