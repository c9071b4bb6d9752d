"""This engine's handlers: the one takes lists, the other one event, both write one row an event."""

from benchmarks.workload.models import Welcome
from benchmarks.workload.payloads import ProspectEntered, ProspectImported
from events import register_event_handler
from events.models import Event


@register_event_handler(ProspectImported.event_type, batch=True)
def welcome_imported(events: list[Event]) -> None:
    """Write a row for each."""
    Welcome.objects.bulk_create(Welcome.of(event) for event in events)


@register_event_handler(ProspectEntered.event_type)
def welcome_entered(event: Event) -> None:
    """Write a row."""
    Welcome.of(event).save(force_insert=True)
