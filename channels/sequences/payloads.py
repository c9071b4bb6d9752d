"""The events that sequences publish, typed."""

from uuid import UUID

from pydantic import Field

from events.payloads import Payload
from events.types import EventType


class SequenceEnrolled(Payload, type=EventType.SEQUENCE_ENROLLED, subject="lead"):
    """A lead came into a sequence."""

    lead_id: UUID
    sequence_id: UUID
    sequence: str = ""


class SequenceStepExecuted(Payload, type=EventType.SEQUENCE_STEP_EXECUTED, subject="lead"):
    """A step of a sequence was executed; the first one is number 1."""

    lead_id: UUID
    sequence_id: UUID
    sequence: str = ""
    step: int = Field(ge=1, le=1000)
    channel: str = Field(max_length=20)
    message_id: UUID | None = None


class SequenceFinished(Payload, type=EventType.SEQUENCE_FINISHED, subject="lead"):
    """A lead's way through a sequence ended, by itself or because of a reply, a bounce, …"""

    lead_id: UUID
    sequence_id: UUID
    sequence: str = ""
    reason: str = Field(max_length=50)
    steps: int = Field(default=0, ge=0)
