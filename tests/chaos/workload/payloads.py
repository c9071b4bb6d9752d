"""What parcels publish: one event type for each way of handling."""

from typing import Any, Self
from uuid import UUID

from events import Changes, Payload


class ParcelPayload(Payload):
    """What every parcel's event says."""

    parcel_id: UUID
    series_id: UUID
    fate: str
    number: int

    @classmethod
    def of(cls, instance: Any, changes: Changes) -> Self:
        """The payload of a parcel that was created."""
        return cls(
            parcel_id=instance.id,
            series_id=instance.series_id,
            fate=instance.fate,
            number=instance.number,
        )


class ParcelCounted(ParcelPayload, type="parcel.counted", subject="series"):
    """Taken by two database handlers, one in batches and one alone."""


class ParcelEchoed(ParcelPayload, type="parcel.echoed", subject="series"):
    """Published by a handler of a counted parcel."""


class ParcelCalled(ParcelPayload, type="parcel.called", subject="series"):
    """Taken by a handler whose effect is outside the database."""


class ParcelQueued(ParcelPayload, type="parcel.queued", subject="series"):
    """Taken in the order of its series."""
