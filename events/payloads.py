"""Typed payloads: what an event of a type says, checked when it is published and read."""

import enum
from typing import Annotated, Any, ClassVar, Self, get_args, get_origin
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel, ConfigDict

Changes = dict[str, tuple[Any, Any]]
"""Watched field → (old, new); a foreign key is given by its id. Empty when the row is new."""

_payload_types: dict[str, type["Payload"]] = {}


class Mark(enum.Enum):
    """What the console may do with a field: `iban: Annotated[str, MASKED]`.

    A masked field is neither shown nor edited there, a read-only one is shown. Marks are set on
    the payload's own fields, and hold for all that is in them.
    """

    MASKED = "masked"
    READ_ONLY = "read-only"


MASKED, READ_ONLY = Mark.MASKED, Mark.READ_ONLY


class Payload(BaseModel):
    """Base of all payloads.

    A subclass names its event type and what the event is about; `subject="lead"` says that the
    field `lead_id` holds the subject's id:

        class LeadCreated(Payload, type=EventType.LEAD_CREATED, subject="lead"):
            lead_id: UUID
            source: str

    Unknown keys are refused. Changing the meaning of a field wants a new `version`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    event_type: ClassVar[str] = ""
    version: ClassVar[int] = 1
    subject: ClassVar[str] = ""

    def __init_subclass__(
        cls, *, type: str = "", subject: str = "", version: int = 1, **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        cls.event_type, cls.subject, cls.version = str(type), subject, version

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        if cls.event_type:
            _register(cls)

    @classmethod
    def of(cls, instance: Any, changes: Changes) -> Self | None:
        """The payload that `instance` publishes when it was created or changed; None: nothing.

        Args:
            instance: the row after the save.
            changes: what the save changed, see `Changes`.
        """
        raise NotImplementedError(f"{cls.__name__}.of must say how a row becomes a payload.")

    def subject_id(self) -> UUID | None:
        """The id of what the event is about, if it is about something."""
        return getattr(self, f"{self.subject}_id") if self.subject else None

    @classmethod
    def masked_fields(cls) -> frozenset[str]:
        """The fields whose values the console does not show."""
        return _marked(cls, MASKED)

    @classmethod
    def fixed_fields(cls) -> frozenset[str]:
        """The fields that no correction changes: the marked ones, and what the event is about."""
        subject = {f"{cls.subject}_id"} if cls.subject else set()
        return _marked(cls, MASKED) | _marked(cls, READ_ONLY) | subject


def _marked(model: type[BaseModel], mark: Mark) -> frozenset[str]:
    return frozenset(name for name, field in model.model_fields.items() if mark in field.metadata)


def _register(payload_type: type[Payload]) -> None:
    known = _payload_types.setdefault(payload_type.event_type, payload_type)
    if known is not payload_type:
        raise ImproperlyConfigured(
            f"Two payloads claim the event type “{payload_type.event_type}”: "
            f"{known.__module__}.{known.__name__} and "
            f"{payload_type.__module__}.{payload_type.__name__}."
        )
    if payload_type.subject and f"{payload_type.subject}_id" not in payload_type.model_fields:
        raise ImproperlyConfigured(
            f"{payload_type.__name__} is about a {payload_type.subject} "
            f"but has no field {payload_type.subject}_id."
        )
    for name, field in payload_type.model_fields.items():
        if _is_marked_within(field.annotation):
            raise ImproperlyConfigured(
                f"{payload_type.__name__}.{name} is marked within its type, where nobody heeds it: "
                "mark the whole field, as in Annotated[str | None, MASKED]."
            )


def _is_marked_within(annotation: Any) -> bool:
    """Whether a part of a field's type is marked, or a field of a model that it holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return bool(_marked(annotation, MASKED) | _marked(annotation, READ_ONLY))
    if get_origin(annotation) is Annotated and any(
        isinstance(note, Mark) for note in annotation.__metadata__
    ):
        return True
    return any(_is_marked_within(part) for part in get_args(annotation))


def payload_types() -> dict[str, type[Payload]]:
    """Event type → payload class, of all types that installed apps declare."""
    return dict(_payload_types)


def payload_type(event_type: str) -> type[Payload]:
    """The payload class of `event_type`.

    Raises:
        KeyError: no installed app declares that type.
    """
    return _payload_types[event_type]
