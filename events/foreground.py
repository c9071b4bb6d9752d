"""Replays in the foreground: a command carries its own replay out, with or without workers.

It calls the functions that workers call, so both may work on the same replay at once.
"""

import time
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db.models import QuerySet, Value
from django.db.models.functions import Now

from events import registry
from events.external import run_delivery
from events.models import Delivery, DeliveryStatus, Event, EventStatus, Replay, ReplayItem
from events.replaying import advance, progress_of
from events.settling import settle

# A retry that is due later than this is left to the workers.
PATIENCE = timedelta(seconds=30)
PAUSE = 0.2
Progress = Callable[[dict[str, int]], object]


def carry_out(replay: Replay, progress: Progress = dict) -> dict[str, int]:
    """Settle a replay's events until all have answered, or those left wait for a later retry.

    Handlers with external effects run too, if the replay includes them: each under its lease.

    Args:
        progress: called with the counts of `progress_of`, again and again.

    Returns:
        The counts in the end; what is “released” then is left to the workers.
    """
    advance(replay.id)
    while _unsettled(replay).filter(due_at__lte=Now() + Value(PATIENCE)).exists():
        if not _run_due(replay):
            time.sleep(PAUSE)
        progress(progress_of(replay))
    advance(replay.id)
    return progress_of(replay)


def _run_due(replay: Replay) -> int:
    """Run one batch of what is due now; returns how much that was."""
    due = _unsettled(replay).filter(due_at__lte=Now()).order_by("position")
    ids = list(due.values_list("id", flat=True)[: settings.EVENT_BATCH_SIZE])
    return settle(ids) + _run_external(replay)


def _run_external(replay: Replay) -> int:
    """Run deliveries to external handlers that settling has handed over; returns how many."""
    deliveries = Delivery.objects.filter(
        event_id__in=_unsettled(replay).values("id"),
        handler__in=[handler.name for handler in registry.all_handlers() if handler.is_external],
        replay_id=replay.id,
        status=DeliveryStatus.PENDING,
        next_attempt_at__lte=Now(),
    )
    ids = list(deliveries.values_list("pk", flat=True)[: settings.EVENT_BATCH_SIZE])
    return sum(run_delivery(delivery_id) for delivery_id in ids)


def _unsettled(replay: Replay) -> QuerySet[Event]:
    """The events that the replay has released and that have not answered."""
    released = ReplayItem.objects.filter(replay=replay, status=ReplayItem.Status.RELEASED)
    return Event.unscoped.filter(id__in=released.values("event_id"), status=EventStatus.PENDING)
