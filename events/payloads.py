"""Typed payloads: what an event of a type says, checked when it is published and read."""

from typing import Any, ClassVar, Self
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel, ConfigDict

Changes = dict[str, tuple[Any, Any]]
"""Watched field → (old, new); a foreign key is given by its id. Empty when the row is new."""

_payload_types: dict[str, type["Payload"]] = {}


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


def payload_types() -> dict[str, type[Payload]]:
    """Event type → payload class, of all types that installed apps declare."""
    return dict(_payload_types)


def payload_type(event_type: str) -> type[Payload]:
    """The payload class of `event_type`.

    Raises:
        KeyError: no installed app declares that type.
    """
    return _payload_types[event_type]
