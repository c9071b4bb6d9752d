"""What a call to a model costs, in US dollars, exact to the last digit.

The prices come with the package `genai-prices` and are never fetched; those that somebody enters
for an endpoint come first. What was paid by is kept with each call, so that it can be calculated
again when prices have changed.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, localcontext
from importlib import metadata
from typing import TYPE_CHECKING

from channels.autopilot.completions import Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice, TieredPrices

MILLION, THOUSAND = Decimal(1_000_000), Decimal(1_000)
# Digits after the point of a price, in dollars per million tokens: the cost of a token has twelve.
# The package holds some prices as 0.18000000000000002, which nobody charges.
PLACES = 6
SMALLEST = Decimal(1).scaleb(-PLACES)
# Dollars per million tokens; nobody charges that much.
HIGHEST = Decimal(1_000_000)
ENTERED, UNKNOWN = "entered", "none"


def _is_price(price: Decimal) -> bool:
    if not price.is_finite() or not 0 <= price < HIGHEST:
        return False
    return price == price.quantize(SMALLEST)


@dataclass(frozen=True)
class Prices:
    """US dollars per million tokens.

    Attributes:
        cached_prompt: of what was read from a cache; None: the same as the rest of the prompt.
        thousand_calls: US dollars for a thousand calls, whatever their size.
        source: "entered", "none", or the package, its version, the vendor and the model.
    """

    prompt: Decimal
    completion: Decimal
    cached_prompt: Decimal | None = None
    thousand_calls: Decimal = Decimal(0)
    source: str = ENTERED

    def __post_init__(self) -> None:
        for price in (self.prompt, self.completion, self.cached_prompt, self.thousand_calls):
            if price is not None and not _is_price(price):
                raise ValueError(
                    f"{price} is no price: 0 or more, below a million, {PLACES} digits after the"
                    " point at most"
                )

    @property
    def is_known(self) -> bool:
        """Whether these are prices; else the cost is 0 because nobody knows it, not because it
        costs nothing.
        """
        return self.source != UNKNOWN


NO_PRICES = Prices(Decimal(0), Decimal(0), source=UNKNOWN)


def cost(usage: Usage, prices: Prices) -> Decimal:
    """US dollars for a call, never rounded: twelve digits after the point at most.

    Raises:
        ValueError: the numbers of tokens contradict each other.
    """
    if not 0 <= usage.cached_tokens <= usage.prompt_tokens or usage.completion_tokens < 0:
        raise ValueError(f"{usage} cannot be")
    cached_price = prices.prompt if prices.cached_prompt is None else prices.cached_prompt
    with localcontext(Context(prec=60, traps=[Inexact])):
        tokens = (
            (usage.prompt_tokens - usage.cached_tokens) * prices.prompt
            + usage.cached_tokens * cached_price
            + usage.completion_tokens * prices.completion
        )
        return tokens / MILLION + (prices.thousand_calls / THOUSAND if usage.prompt_tokens else 0)


def find_prices(
    model: str,
    base_url: str,
    at: datetime,
    *,
    prompt_tokens: int = 0,
    entered: Prices | None = None,
) -> Prices:
    """What a call is charged by: the prices that somebody has entered, else those of the package.

    The vendor is told by the endpoint's address. Where the address tells none, as with a gateway,
    the model's name alone does.

    Args:
        at: the time of the call, with its zone: some prices hold from a day on, or by night.
        prompt_tokens: some vendors charge more per token above a length.

    Returns:
        `NO_PRICES` where nobody knows them.
    """
    if entered is not None:
        return entered
    return _packaged(model, base_url, at, prompt_tokens) or NO_PRICES


def _packaged(model: str, base_url: str, at: datetime, prompt_tokens: int) -> Prices | None:
    # Half a megabyte of prices: only who asks for them loads them.
    from genai_prices import Usage as PackagedUsage
    from genai_prices import calc_price

    for url in (base_url, None):
        try:
            found = calc_price(
                PackagedUsage(input_tokens=prompt_tokens),
                model,
                provider_api_url=url,
                genai_request_timestamp=at,
            )
        except LookupError:
            continue
        source = f"genai-prices {metadata.version('genai-prices')}"
        return _of_package(
            found.model_price, prompt_tokens, f"{source} {found.provider.id}/{found.model.id}"
        )
    return None


def _of_package(listed: "ModelPrice", prompt_tokens: int, source: str) -> Prices | None:
    prompt, completion = listed.input_mtok, listed.output_mtok
    if prompt is None and completion is None:
        return None
    return Prices(
        _for_length(prompt, prompt_tokens) or Decimal(0),
        _for_length(completion, prompt_tokens) or Decimal(0),
        _for_length(listed.cache_read_mtok, prompt_tokens),
        _for_length(listed.requests_kcount, prompt_tokens) or Decimal(0),
        source,
    )


def _for_length(price: "Decimal | TieredPrices | None", prompt_tokens: int) -> Decimal | None:
    """The price for a prompt of that length: the package has one number, or steps."""
    if price is None or isinstance(price, Decimal):
        return price and _rounded(price)
    reached = [tier.price for tier in price.tiers if prompt_tokens > tier.start]
    return _rounded(reached[-1] if reached else price.base)


def _rounded(price: Decimal) -> Decimal:
    return price.quantize(SMALLEST, ROUND_HALF_EVEN)
