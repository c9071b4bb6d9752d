"""Pruning: old settled events and finished replays go, batch by batch, with all that is theirs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from events.models import Event, EventStatus, Replay, ReplayItem
from salesflow.accounts.ids import first_uuid7_of

BATCH = 1000
BEGINNING = UUID(int=0)

# A pending event stays, whatever its age, and so does one that a replay or a worker holds. The id
# is time-ordered, so the primary key finds the old ones; the recorded time decides.
DELETE_EVENTS = """
    WITH old AS (
        SELECT id FROM events
        WHERE id > %(after)s AND id < %(before_id)s AND created_at < %(before)s
          AND status <> 'pending'
        ORDER BY id LIMIT %(batch)s FOR UPDATE SKIP LOCKED
    ), of_deliveries AS (
        DELETE FROM deliveries USING old WHERE deliveries.event_id = old.id RETURNING deliveries.id
    ), of_attempts AS (
        DELETE FROM attempts USING of_deliveries WHERE attempts.delivery_id = of_deliveries.id
    ), of_events AS (
        DELETE FROM events USING old WHERE events.id = old.id RETURNING events.id
    )
    SELECT count(*), max(id::text)::uuid FROM of_events
"""
DELETE_REPLAY_ITEMS = """
    DELETE FROM replay_items WHERE id IN (
        SELECT id FROM replay_items WHERE replay_id = %(replay)s ORDER BY id LIMIT %(batch)s
    )
"""


@dataclass
class Pruned:
    """How much was deleted, or would be."""

    events: int = 0
    replays: int = 0


def old_events(before: datetime) -> QuerySet[Event]:
    """The settled events of all tenants that were recorded before that time."""
    events = Event.unscoped.filter(id__lt=first_uuid7_of(before), created_at__lt=before)
    return events.exclude(status=EventStatus.PENDING)


def old_replays(before: datetime) -> QuerySet[Replay]:
    """The replays that finished before that time."""
    return Replay.objects.filter(status=Replay.Status.FINISHED, finished_at__lt=before)


def count_old(before: datetime) -> Pruned:
    """What `prune` would delete now."""
    return Pruned(old_events(before).count(), old_replays(before).count())


def prune(before: datetime, progress: Callable[[int], object] = int) -> Pruned:
    """Delete what was settled long ago; each batch is a transaction of its own.

    Args:
        before: events recorded, and replays finished, before this time go.
        progress: called with the number of events after each batch.
    """
    pruned = Pruned()
    after: UUID | None = BEGINNING
    while after is not None:
        count, after = _prune_events(after, before)
        pruned.events += count
        progress(count)
    for replay in old_replays(before):
        _prune_replay(replay)
        pruned.replays += 1
    return pruned


def _prune_events(after: UUID, before: datetime) -> tuple[int, UUID | None]:
    """Delete one batch; returns how many, and the last id, or None when there was none."""
    values: dict[str, Any] = {"after": after, "before_id": first_uuid7_of(before)}
    with connection.cursor() as cursor:
        cursor.execute(DELETE_EVENTS, {**values, "before": before, "batch": BATCH})
        count, last = cursor.fetchone()
    return count, last


def _prune_replay(replay: Replay) -> None:
    values: dict[str, Any] = {"replay": replay.id, "batch": BATCH}
    deleted = BATCH
    while deleted == BATCH:
        with connection.cursor() as cursor:
            cursor.execute(DELETE_REPLAY_ITEMS, values)
            deleted = cursor.rowcount
    with transaction.atomic():
        ReplayItem.objects.filter(replay=replay).delete()
        replay.delete()
