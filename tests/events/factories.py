"""Makers of events."""

from uuid import UUID

from events.models import Event
from events.publishing import Draft, publish_many
from salesflow.accounts.ids import uuid7
from tests.events.payloads import ThingHappened


def make_events(count: int, thing_id: UUID | None = None) -> list[Event]:
    """So many pending events, numbered from 0, of the current tenant."""
    subject = thing_id or uuid7()
    return publish_many(
        Draft(ThingHappened(thing_id=subject, number=number)) for number in range(count)
    )


def make_event(number: int = 0) -> Event:
    """One pending event."""
    [event] = publish_many([Draft(ThingHappened(thing_id=uuid7(), number=number))])
    return event
