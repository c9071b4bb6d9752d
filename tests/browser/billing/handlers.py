"""Quotes each new lead a price, and welcomes it by a call of a service outside."""

import os
from decimal import Decimal
from typing import Any
from urllib.request import Request, urlopen

from events import EventType, publish, register_event_handler
from events.models import Event

from .payloads import PriceQuoted

EXCHANGE_RATES = {"EUR": Decimal("1"), "USD": Decimal("0.92")}


@register_event_handler(EventType.LEAD_CREATED, max_attempts=1)
def quote_price(event: Event) -> None:
    """Publish what the lead will pay."""
    lead: Any = event.data
    publish(PriceQuoted(lead_id=lead.lead_id, price=lead.value * rate_of(lead.currency)))


def rate_of(currency: str) -> Decimal:
    """What one of it is in euros."""
    if currency not in EXCHANGE_RATES:
        raise LookupError(f"No exchange rate for {currency}")
    return EXCHANGE_RATES[currency]


@register_event_handler(EventType.LEAD_CREATED, effects="external")
def welcome_lead(event: Event) -> None:
    """Have the service outside send a welcome."""
    headers = {"Idempotency-Key": event.idempotency_key}
    with urlopen(Request(os.environ["WELCOME_URL"], headers=headers)) as answer:
        answer.read()
