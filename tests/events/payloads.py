"""Events that only these tests publish."""

from uuid import UUID

from events import Payload


class ThingHappened(Payload, type="thing.happened", subject="thing"):
    """Something about a thing."""

    thing_id: UUID
    number: int = 0


class OtherHappened(Payload, type="other.happened"):
    """Something about nothing."""

    number: int = 0
