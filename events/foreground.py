"""Replays in the foreground: a command carries its own replay out, with or without workers.

It calls the functions that workers call, so both may work on the same replay at once.
"""

import time
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db.models import QuerySet, Value
from django.db.models.functions import Now

from events import breakers, registry
from events.external import run_delivery
from events.models import Delivery, DeliveryStatus, Event, EventStatus, Replay, ReplayItem
from events.pauses import paused_handlers
from events.replays import advance, progress_of
from events.replays.running import is_held_back_by_pace
from events.settling import settle

# A retry that is due later than this is left to the workers.
PATIENCE = timedelta(seconds=30)
PAUSE = 0.2
Progress = Callable[[dict[str, int]], object]


def carry_out(replay: Replay, progress: Progress = dict) -> dict[str, int]:
    """Settle a replay's events until all have answered, or those left wait for a later retry.

    It also ends when the replay is paused, or stops by itself.

    Handlers with external effects run too, if the replay includes them: each under its lease.

    Args:
        progress: called with the counts of `progress_of`, again and again.

    Returns:
        The counts in the end; what is “released” then is left to the workers.
    """
    advance(replay.id)
    while (ran := _run_due(replay)) or _has_more_soon(replay) or is_held_back_by_pace(replay.id):
        if not ran:
            time.sleep(PAUSE)
        progress(progress_of(replay))
        advance(replay.id)
    return progress_of(replay)


def _run_due(replay: Replay) -> int:
    """Run one batch of what is due now; returns how much that was."""
    due = _unsettled(replay).filter(due_at__lte=Now()).order_by("position")
    ids = list(due.values_list("id", flat=True)[: settings.EVENT_BATCH_SIZE])
    calls = _calls(replay).filter(next_attempt_at__lte=Now())
    call_ids = list(calls.values_list("pk", flat=True)[: settings.EVENT_BATCH_SIZE])
    return settle(ids) + sum(run_delivery(delivery_id) for delivery_id in call_ids)


def _has_more_soon(replay: Replay) -> bool:
    """Whether a retry is near enough to wait for."""
    soon = Now() + Value(PATIENCE)
    events, calls = _unsettled(replay), _calls(replay)
    return (
        events.filter(due_at__lte=soon).exists() or calls.filter(next_attempt_at__lte=soon).exists()
    )


def _calls(replay: Replay) -> QuerySet[Delivery]:
    """The replay's deliveries to external handlers that settling has handed over.

    Those to a service that is left alone for now, or paused, are left to the workers.
    """
    handlers = {handler.name for handler in registry.all_handlers() if handler.is_external}
    return Delivery.objects.filter(
        event_id__in=_unsettled(replay).values("id"),
        handler__in=handlers - breakers.refused(handlers) - paused_handlers(),
        replay_id=replay.id,
        status=DeliveryStatus.PENDING,
    )


def _unsettled(replay: Replay) -> QuerySet[Event]:
    """The events that the replay has released and that have not answered."""
    released = ReplayItem.objects.filter(replay=replay, status=ReplayItem.Status.RELEASED)
    return Event.unscoped.filter(id__in=released.values("event_id"), status=EventStatus.PENDING)
