"""Settles the demo's events at once, so that its numbers are there before any worker is."""

from collections.abc import Callable

from django.conf import settings

from events import registry
from events.external import run_delivery
from events.models import Delivery, DeliveryStatus, Event, EventStatus
from events.settling import settle

# Events that handlers publish are settled in the next round; nothing here goes deeper.
MOST_ROUNDS = 5


def settle_pending_events(progress: Callable[[int], object]) -> None:
    """Settle the current tenant's events in this process, as a worker would.

    What its handler wants to try again later is left to the worker.

    Args:
        progress: told how many events have been settled since the last call.
    """
    for _round in range(MOST_ROUNDS):
        pending = Event.objects.filter(status=EventStatus.PENDING)
        untouched = pending.filter(deliveries__isnull=True).order_by("position")
        event_ids = list(untouched.values_list("id", flat=True))
        if not event_ids:
            return
        for at in range(0, len(event_ids), settings.EVENT_BATCH_SIZE):
            batch = event_ids[at : at + settings.EVENT_BATCH_SIZE]
            settle(batch)
            progress(len(batch))
        _run_external_deliveries()


def _run_external_deliveries() -> None:
    external = [handler.name for handler in registry.all_handlers() if handler.is_external]
    waiting = Delivery.objects.filter(
        event__in=Event.objects.filter(status=EventStatus.PENDING),
        status=DeliveryStatus.PENDING,
        handler__in=external,
    )
    for delivery_id in waiting.order_by("pk").values_list("pk", flat=True):
        # One whose next try is not due yet is left alone.
        run_delivery(delivery_id)
