"""What is left of the log when corrections stand for what they correct."""

from django.db.models import Exists, OuterRef, QuerySet

from events.models import Event


def without_corrected(events: QuerySet[Event]) -> QuerySet[Event]:
    """The events without those in whose place a correction was published: what happened, once.

    Reads events_by_corrected, which holds corrections alone.
    """
    corrections = Event.unscoped.filter(corrects_id=OuterRef("pk"))
    return events.filter(~Exists(corrections))
