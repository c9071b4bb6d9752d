"""The handling half for task queues: handler's row and event's status, in one transaction."""

from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from benchmarks.workload.models import Welcome
from events.models import Event, EventStatus


@transaction.atomic
def welcome_by_hand(event_id: UUID | str) -> None:
    """Do what this engine does for one event: handle it and mark it as processed."""
    event = Event.unscoped.get(pk=event_id)
    Welcome.of(event).save(force_insert=True)
    Event.unscoped.filter(pk=event_id).update(status=EventStatus.PROCESSED, processed_at=Now())
