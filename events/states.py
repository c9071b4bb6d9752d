"""The aggregate status of an event, from the statuses of its deliveries."""

from collections.abc import Iterable

from events.models import DeliveryStatus, EventStatus

UNFINISHED = {DeliveryStatus.PENDING, DeliveryStatus.RUNNING}


def aggregate_status(statuses: Iterable[str]) -> EventStatus:
    """Pending while a handler has still to run, else failed if one gave up, else processed."""
    seen = set(statuses)
    if seen & UNFINISHED:
        return EventStatus.PENDING
    return EventStatus.FAILED if DeliveryStatus.FAILED in seen else EventStatus.PROCESSED
