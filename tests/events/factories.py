"""Makers of events."""

from collections.abc import Sequence
from uuid import UUID

from django.db.models.functions import Now

from events.models import Delivery, Event, EventStatus, FailureGroup
from events.publishing import Draft, publish_many
from events.settling import settle
from events.testing import handler_of
from salesflow.accounts.ids import uuid7
from tests.events.payloads import ThingHappened
from tests.events.switches import Switch


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


def make_failed_event(number: int = 13, handlers: Sequence[str] = ("picky",)) -> Event:
    """One event that was given up at these handlers."""
    event = make_event(number)
    Event.unscoped.filter(pk=event.pk).update(
        status=EventStatus.FAILED, error_message=f"{handlers[0]}: bad", processed_at=Now()
    )
    Delivery.objects.bulk_create(
        Delivery(event=event, handler=name, status="failed", attempts=1, failures=1, error="bad")
        for name in handlers
    )
    return Event.unscoped.get(pk=event.pk)


def make_failure(count: int = 1, handler: str = "greet", error: str = "no good") -> FailureGroup:
    """The current tenant's failure group of so many events that fail at a handler."""
    switch = Switch()
    switch.error = ValueError(error)
    events = make_events(count)
    with handler_of("thing.happened", function=switch, name=handler):
        settle([event.id for event in events])
    group: FailureGroup = FailureGroup.objects.get(
        pk=events[-1].deliveries.values_list("group_id", flat=True).get()
    )
    return group
