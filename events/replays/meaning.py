"""What a selection means to a replay: the events of which something can run again.

What is replayed is a delivery, so an event is meant as soon as a handler has given it up, though
others have still to run.
"""

from django.db.models import Exists, OuterRef, Q, QuerySet

from events.models import Delivery, DeliveryStatus, Event, EventStatus, Replay
from events.selections import Selection


def meant(replay: Replay, selection: Selection, events: QuerySet[Event]) -> QuerySet[Event]:
    """Those of a selection's events that a replay freezes.

    Args:
        events: as `selection.events` has them; returned as they are where all of them are meant.
    """
    if replay.kind == Replay.Kind.CORRECTION:
        # In the place of one that is still handled no other can be published.
        return events.filter(status=EventStatus.FAILED)
    if replay.again or names_failures(selection):
        return events
    return given_up(events, selection)


def names_failures(selection: Selection) -> bool:
    """Whether a selection says by itself what has ended, so that a list of it shows just that."""
    if selection.status:
        return selection.status != EventStatus.PENDING
    return bool(selection.group or selection.handler)


def given_up(events: QuerySet[Event], selection: Selection) -> QuerySet[Event]:
    """Those of a selection's events that a handler has given up, whatever others do.

    These have failed, or wait for another handler. Both are few and have indexes of their own,
    events_failed_… and events_waiting: so none of the many that are processed is looked at.
    """
    failed = Delivery.objects.filter(event_id=OuterRef("pk"), status=DeliveryStatus.FAILED)
    if selection.handler:
        return events.filter(Exists(failed.filter(handler=selection.handler)))
    waits = Q(Exists(failed), status=EventStatus.PENDING)
    return events.filter(Q(status=EventStatus.FAILED) | waits)
