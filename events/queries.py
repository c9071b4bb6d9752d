"""What reads events; every query is of the current tenant."""

from django.db.models import QuerySet

from events.models import Event, Replay
from salesflow.accounts.context import current_tenant


def type_was_published(event_type: str) -> bool:
    """Whether an event of that type was ever published, declared or not."""
    return bool(Event.objects.filter(type=event_type).exists())


def events_with_deliveries() -> QuerySet[Event]:
    """The events with what each handler did and tried, in three queries."""
    events: QuerySet[Event] = Event.objects.prefetch_related("deliveries__history")
    return events


def replays() -> QuerySet[Replay]:
    """The tenant's own replays; one that spans tenants is nobody's."""
    return Replay.objects.filter(tenant=current_tenant())
