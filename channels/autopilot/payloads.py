"""The events that the autopilot publishes, typed."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from pydantic import Field

from events.payloads import Payload
from events.types import EventType


class AutopilotRunRequested(Payload, type=EventType.AUTOPILOT_RUN_REQUESTED, subject="run"):
    """A model is to be asked; the run says what, and is asked for once whatever sets it off.

    Attributes:
        lead_id: None where no lead is there yet, as when leads are extracted from a text.
    """

    run_id: UUID
    action_type: str = Field(max_length=50)
    lead_id: UUID | None = None


class AutopilotDraftCreated(Payload, type=EventType.AUTOPILOT_DRAFT_CREATED, subject="lead"):
    """A message was drafted for a person to send or refuse."""

    lead_id: UUID
    draft_id: UUID
    channel: str = Field(max_length=20)
    run_id: UUID | None = None
    mode: str = ""


class AutopilotDraftDecided(Payload, type=EventType.AUTOPILOT_DRAFT_DECIDED, subject="lead"):
    """Somebody, or a rule, has decided about a draft.

    Attributes:
        decision: "approved", "dismissed", "superseded" or "expired".
        edited: the share of its words that were changed, from 0 to 1.
        seconds: from the draft to the decision.
        decided_by_id: None: a rule did.
    """

    lead_id: UUID
    draft_id: UUID
    decision: str
    edited: float = Field(default=0.0, ge=0, le=1)
    seconds: float = Field(default=0.0, ge=0)
    decided_by_id: int | None = None


class SuggestionAccepted(Payload, type=EventType.SUGGESTION_ACCEPTED, subject="lead"):
    """Somebody took what a model proposed; whose business it is does it.

    Attributes:
        kind: "task", "stage" or "sequence".
        target: a task's title, a stage's id, a sequence's id.
    """

    lead_id: UUID
    suggestion_id: UUID
    kind: str
    target: str
    due_at: datetime | None = None
    actor_id: int | None = None


class AutopilotActionExecuted(Payload, type=EventType.AUTOPILOT_ACTION_EXECUTED, subject="lead"):
    """A model was asked to do something and did it.

    The cost is in US dollars, as model vendors charge; the latency in milliseconds, from the
    request to the last token. A run that ended without an action is told, too: its money was spent.

    Attributes:
        lead_id: None where it was about no lead, as when an endpoint is tried.
        outcome: a `channels.autopilot.outcomes.Outcome`.
        estimated: the endpoint told no believable numbers of tokens.
    """

    lead_id: UUID | None = None
    action_type: str = Field(max_length=50)
    model: str = Field(max_length=100)
    cost: Decimal = Field(ge=0, lt=1_000_000)
    latency_ms: int = Field(ge=0)
    outcome: str = Field(default="", max_length=50)
    run_id: UUID | None = None
    conversation_id: UUID | None = None
    draft_id: UUID | None = None
    prompt_version: str = ""
    prompt_tokens: int = Field(default=0, ge=0)
    cached_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)
    estimated: bool = False
