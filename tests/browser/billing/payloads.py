"""What billing publishes."""

from decimal import Decimal
from uuid import UUID

from events import Payload


class PriceQuoted(Payload, type="price.quoted", subject="lead"):
    """A price in euros, once for each lead."""

    lead_id: UUID
    price: Decimal
