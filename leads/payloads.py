"""The events that leads publish, typed. Old and new values are kept by name as well as by id, so
that a timeline reads the same after a stage was renamed or a colleague has left."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, JsonValue

from events.payloads import Changes, Payload
from events.types import EventType

if TYPE_CHECKING:
    from leads.models import Lead, Meeting, Mention, Note, Task


# The fields whose edits are worth an entry in a lead's history.
EDITED_FIELDS = (
    "name",
    "company",
    "title",
    "source",
    "value",
    "currency",
    "tags",
    "custom_fields",
    "external_id",
    "time_zone",
    "country",
    "created_at",
    "stage_entered_at",
    "closed_at",
    "lost_reason",
)
# Field → the field with which it changes when a lead moves; then the event of the move tells it.
MOVED_WITH = {"stage_entered_at": "stage", "closed_at": "outcome", "lost_reason": "outcome"}


class FieldChange(BaseModel):
    """What a field held before and after an edit, as JSON values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    old: JsonValue = None
    new: JsonValue = None


class LeadCreated(Payload, type=EventType.LEAD_CREATED, subject="lead"):
    """A lead came in, by hand, by API, by import or by capture."""

    lead_id: UUID
    source: str
    name: str = ""
    company: str = ""
    pipeline_id: UUID | None = None
    stage_id: UUID | None = None
    stage: str = ""
    stage_position: int = 0
    stage_entered_at: datetime | None = None
    outcome: str = "open"
    owner_id: int | None = None
    owner: str = ""
    value: Decimal | None = None
    currency: str = ""

    @classmethod
    def of(cls, instance: Lead, changes: Changes) -> Self:
        """The lead as it was created."""
        return cls(
            lead_id=instance.id,
            source=instance.source,
            name=instance.name,
            company=instance.company,
            pipeline_id=instance.stage.pipeline_id,
            stage_id=instance.stage_id,
            stage=instance.stage.name,
            stage_position=instance.stage.position,
            stage_entered_at=instance.stage_entered_at,
            outcome=instance.outcome,
            owner_id=instance.owner_id,
            owner=str(instance.owner) if instance.owner else "",
            value=instance.value,
            currency=instance.currency,
        )


class LeadUpdated(Payload, type=EventType.LEAD_UPDATED, subject="lead"):
    """Somebody edited what is known about a lead."""

    lead_id: UUID
    changes: dict[str, FieldChange]

    @classmethod
    def of(cls, instance: Lead, changes: Changes) -> Self | None:
        """The edited fields, each with its old and new value; None where a lead only moved."""
        edited = {
            field: FieldChange(old=_as_json(old), new=_as_json(new))
            for field, (old, new) in changes.items()
            if field in EDITED_FIELDS and MOVED_WITH.get(field) not in changes
        }
        return cls(lead_id=instance.id, changes=edited) if edited else None


class LeadStageChanged(Payload, type=EventType.LEAD_STAGE_CHANGED, subject="lead"):
    """A lead moved to another stage of a pipeline."""

    lead_id: UUID
    pipeline_id: UUID
    from_stage_id: UUID | None
    from_stage: str
    stage_id: UUID
    stage: str
    stage_position: int = 0
    outcome: str
    value: Decimal | None = None
    currency: str = ""

    @classmethod
    def of(cls, instance: Lead, changes: Changes) -> Self:
        """The stages left and entered."""
        before = instance.stage.sibling(changes["stage"][0])
        return cls(
            lead_id=instance.id,
            pipeline_id=instance.stage.pipeline_id,
            from_stage_id=before.id if before else None,
            from_stage=before.name if before else "",
            stage_id=instance.stage_id,
            stage=instance.stage.name,
            stage_position=instance.stage.position,
            outcome=instance.outcome,
            value=instance.value,
            currency=instance.currency,
        )


class LeadAssigned(Payload, type=EventType.LEAD_ASSIGNED, subject="lead"):
    """A lead went to another colleague, or to nobody."""

    lead_id: UUID
    from_owner_id: int | None
    owner_id: int | None
    owner: str = ""

    @classmethod
    def of(cls, instance: Lead, changes: Changes) -> Self:
        """The owners before and after."""
        return cls(
            lead_id=instance.id,
            from_owner_id=changes["owner"][0],
            owner_id=instance.owner_id,
            owner=str(instance.owner) if instance.owner else "",
        )


class LeadWon(Payload, type=EventType.LEAD_WON, subject="lead"):
    """A deal was closed with success."""

    lead_id: UUID
    stage_id: UUID
    stage: str
    owner_id: int | None = None
    value: Decimal | None = None
    currency: str = ""

    @classmethod
    def of(cls, instance: Lead, changes: Changes) -> Self:
        """The deal as it was won."""
        return cls(**_closed_deal(instance))


class LeadLost(Payload, type=EventType.LEAD_LOST, subject="lead"):
    """A deal was closed without success."""

    lead_id: UUID
    stage_id: UUID
    stage: str
    reason: str
    owner_id: int | None = None
    value: Decimal | None = None
    currency: str = ""

    @classmethod
    def of(cls, instance: Lead, changes: Changes) -> Self:
        """The deal as it was lost, and why."""
        return cls(reason=instance.lost_reason, **_closed_deal(instance))


class LeadMerged(Payload, type=EventType.LEAD_MERGED, subject="lead"):
    """Another lead turned out to be this one and went into it."""

    lead_id: UUID
    merged_lead_id: UUID
    merged_name: str


class LeadDeleted(Payload, type=EventType.LEAD_DELETED, subject="lead"):
    """A lead was deleted with everything that belonged to it."""

    lead_id: UUID
    source: str
    outcome: str


class NoteAdded(Payload, type=EventType.NOTE_ADDED, subject="lead"):
    """Somebody wrote a note on a lead."""

    lead_id: UUID
    note_id: UUID
    author_id: int | None
    body: str

    @classmethod
    def of(cls, instance: Note, changes: Changes) -> Self:
        """The note as it was written."""
        return cls(
            lead_id=instance.lead_id,
            note_id=instance.id,
            author_id=instance.author_id,
            body=instance.body,
        )


class ColleagueMentioned(Payload, type=EventType.COLLEAGUE_MENTIONED, subject="lead"):
    """A note on a lead is meant for a colleague."""

    lead_id: UUID
    note_id: UUID
    mention_id: int
    user_id: int

    @classmethod
    def of(cls, instance: Mention, changes: Changes) -> Self:
        """Who is meant, and by which note."""
        return cls(
            lead_id=instance.note.lead_id,
            note_id=instance.note_id,
            mention_id=instance.pk,
            user_id=instance.user_id,
        )


class TaskPayload(Payload):
    """What every event about a task says.

    Attributes:
        kind: "call", "email", "linkedin" or "todo".
        source: what has asked for it, such as "sequence"; empty: a person.
        source_id: what that calls it.
        assignee_id: who is to do it; None: whoever takes it.
    """

    lead_id: UUID
    task_id: UUID
    title: str
    kind: str
    source: str = ""
    source_id: str = ""
    assignee_id: int | None = None
    due_at: datetime | None = None

    @classmethod
    def of(cls, instance: Task, changes: Changes) -> Self:
        """The task as it is now."""
        return cls(
            lead_id=instance.lead_id,
            task_id=instance.id,
            title=instance.title,
            kind=instance.kind,
            source=instance.source,
            source_id=instance.source_id,
            assignee_id=instance.assignee_id,
            due_at=instance.due_at,
            **cls.details(instance),
        )

    @classmethod
    def details(cls, instance: Task) -> dict[str, Any]:
        """The fields that only this event has."""
        return {}


class TaskCreated(TaskPayload, type=EventType.TASK_CREATED, subject="lead"):
    """There is something to do about a lead."""

    assignee: str = ""

    @classmethod
    def details(cls, instance: Task) -> dict[str, Any]:
        """Who is to do it, by name."""
        return {"assignee": str(instance.assignee) if instance.assignee else ""}


class TaskAssigned(TaskPayload, type=EventType.TASK_ASSIGNED, subject="lead"):
    """A task went to another colleague, or to whoever takes it."""

    assignee: str = ""

    @classmethod
    def details(cls, instance: Task) -> dict[str, Any]:
        """Who is to do it, by name."""
        return {"assignee": str(instance.assignee) if instance.assignee else ""}


class TaskCompleted(TaskPayload, type=EventType.TASK_COMPLETED, subject="lead"):
    """Somebody has done what was to do about a lead."""


class TaskSkipped(TaskPayload, type=EventType.TASK_SKIPPED, subject="lead"):
    """Somebody has decided not to do it."""

    reason: str = ""

    @classmethod
    def details(cls, instance: Task) -> dict[str, Any]:
        """Why."""
        return {"reason": instance.reason}


class MeetingBooked(Payload, type=EventType.MEETING_BOOKED, subject="lead"):
    """A meeting with a lead was arranged.

    Attributes:
        source: which program told of it; empty: a person.
        booked_by_id: the colleague who has; None: the lead, or a program.
    """

    lead_id: UUID
    meeting_id: UUID
    title: str
    starts_at: datetime
    source: str = ""
    booked_by_id: int | None = None

    @classmethod
    def of(cls, instance: Meeting, changes: Changes) -> Self:
        """The meeting as it was booked."""
        return cls(
            lead_id=instance.lead_id,
            meeting_id=instance.id,
            title=instance.title,
            starts_at=instance.starts_at,
            source=instance.source,
            booked_by_id=instance.booked_by_id,
        )


def _closed_deal(lead: Lead) -> dict[str, Any]:
    """What a won and a lost deal both say."""
    return {
        "lead_id": lead.id,
        "stage_id": lead.stage_id,
        "stage": lead.stage.name,
        "owner_id": lead.owner_id,
        "value": lead.value,
        "currency": lead.currency,
    }


def _as_json(value: Any) -> JsonValue:
    """A field's value as the JSON that an event keeps."""
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    kept: JsonValue = value
    return kept
