"""The events that sequences publish, typed."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from events.payloads import Payload
from events.types import EventType

# Somebody wanted the lead to come in, and it did not; because the sequence is archived.
NOT_ENROLLED, ARCHIVED = "not_enrolled", "archived"


class SequencePublished(Payload, type=EventType.SEQUENCE_PUBLISHED, subject="sequence"):
    """A version was published: whoever is enrolled from now on starts on it.

    Attributes:
        state: "active", or "paused": then they wait.
    """

    sequence_id: UUID
    sequence: str
    sequence_version: int
    state: str = "active"


class SequenceUpdated(Payload, type=EventType.SEQUENCE_UPDATED, subject="sequence"):
    """A sequence got another name, or was paused, resumed, archived or put to use again.

    Attributes:
        state: "draft", "active", "paused" or "archived".
    """

    sequence_id: UUID
    sequence: str
    state: str


class EnrolmentPayload(Payload):
    """What every event about a lead in a sequence says.

    Attributes:
        sequence_version: the number of the version that it is on; 0 where that was not told.
    """

    lead_id: UUID
    sequence_id: UUID
    sequence: str = ""
    enrolment_id: UUID | None = None
    sequence_version: int = Field(default=0, ge=0)


class SequenceEnrolled(EnrolmentPayload, type=EventType.SEQUENCE_ENROLLED, subject="lead"):
    """A lead came into a sequence.

    Attributes:
        source: "hand", "bulk", "rule", "api" or "autopilot".
    """

    source: str = ""


class SequenceStepExecuted(EnrolmentPayload, type=EventType.SEQUENCE_STEP_EXECUTED, subject="lead"):
    """A step of a sequence was executed; the first one is number 1.

    Attributes:
        channel: of a message; empty for a wait, a task, a branch.
        step_key: the same in all versions.
        kind: "message", "wait", "task", "linkedin" or "branch".
        outcome: "queued", "prepared", "task", "rested" or "turned".
        branch: whether its condition held; None for other steps.
    """

    step: int = Field(ge=1, le=1000)
    channel: str = Field(default="", max_length=20)
    message_id: UUID | None = None
    task_id: UUID | None = None
    step_key: UUID | None = None
    kind: str = ""
    variant: str = ""
    outcome: str = ""
    branch: bool | None = None


class SequencePaused(EnrolmentPayload, type=EventType.SEQUENCE_PAUSED, subject="lead"):
    """A lead's way through a sequence stands still.

    Attributes:
        reason: "away" or "by_hand".
        until: None: until somebody lets it go on.
    """

    reason: str
    until: datetime | None = None


class SequenceResumed(EnrolmentPayload, type=EventType.SEQUENCE_RESUMED, subject="lead"):
    """A lead's way through a sequence goes on."""


class SequenceBlocked(EnrolmentPayload, type=EventType.SEQUENCE_BLOCKED, subject="lead"):
    """A step cannot be executed until somebody changes something, or nobody came in who was to.

    Attributes:
        reason: a `channels.sequences.decisions.Obstacle`, or `NOT_ENROLLED`; then there is no
            enrolment.
        names: of what it is about, such as the variables that are missing; of `NOT_ENROLLED`
            `ARCHIVED`, or a `channels.sequences.refusing.Refusal`.
    """

    reason: str
    names: list[str] = Field(default_factory=list)


class SequenceFinished(EnrolmentPayload, type=EventType.SEQUENCE_FINISHED, subject="lead"):
    """A lead's way through a sequence ended, by itself or because of a reply, a bounce, …"""

    reason: str = Field(max_length=50)
    steps: int = Field(default=0, ge=0)
