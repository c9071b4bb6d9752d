"""A handler that an engineer mends in the middle of a test."""

from uuid import UUID

from events.models import Event


class Switch:
    """A handler that fails while it is off."""

    __name__ = "switch"

    def __init__(self) -> None:
        self.on = False
        self.error: Exception = RuntimeError("the switch is off")
        self._events: list[Event] = []

    def __call__(self, event: Event) -> None:
        if not self.on:
            raise self.error
        self._events.append(event)

    @property
    def handled(self) -> list[UUID]:
        """The ids of the events that it took."""
        return [event.id for event in self._events]

    @property
    def numbers(self) -> list[int]:
        """What those events say their numbers are."""
        return [event.payload["number"] for event in self._events]
