"""The events that the autopilot publishes, typed."""

from decimal import Decimal
from uuid import UUID

from pydantic import Field

from events.payloads import Payload
from events.types import EventType


class AutopilotDraftCreated(Payload, type=EventType.AUTOPILOT_DRAFT_CREATED, subject="lead"):
    """A message was drafted for a person to send or refuse."""

    lead_id: UUID
    draft_id: UUID
    channel: str = Field(max_length=20)


class AutopilotActionExecuted(Payload, type=EventType.AUTOPILOT_ACTION_EXECUTED, subject="lead"):
    """A model was asked to do something and did it.

    The cost is in US dollars, as model vendors charge; the latency in milliseconds, from the
    request to the last token.
    """

    lead_id: UUID
    action_type: str = Field(max_length=50)
    model: str = Field(max_length=100)
    cost: Decimal = Field(ge=0, lt=1_000_000)
    latency_ms: int = Field(ge=0)
