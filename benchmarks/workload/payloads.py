"""What the workload's leads publish: the same fact, once for a batch handler, once for a single."""

from typing import Any, Self
from uuid import UUID

from events import Changes, Payload


class ProspectImported(Payload, type="prospect.imported", subject="prospect"):
    """A lead came with a file; its handler takes lists."""

    prospect_id: UUID
    source: str

    @classmethod
    def of(cls, instance: Any, changes: Changes) -> Self:
        """The payload of a new row."""
        return cls(prospect_id=instance.id, source=instance.source)


class ProspectEntered(Payload, type="prospect.entered", subject="prospect"):
    """A lead came by itself; its handler takes one event."""

    prospect_id: UUID
    source: str

    @classmethod
    def of(cls, instance: Any, changes: Changes) -> Self:
        """The payload of a new row."""
        return cls(prospect_id=instance.id, source=instance.source)
