"""Pruning: what was settled long ago goes, batch by batch, with all that is theirs.

A batch holds its rows for some milliseconds, so that it may run beside everything else; why the
tables have no partitions to drop instead is told in docs/architecture.md.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import CharField, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Cast

from events.failures.triage import TARGET
from events.models import (
    AuditLine,
    Delivery,
    DeliveryStatus,
    Event,
    EventStatus,
    FailureCount,
    FailureGroup,
    Replay,
    ReplayItem,
)
from events.nudging import broker
from salesflow.accounts.ids import first_uuid7_of

BATCH = 1000
# Replays are many where programs replay single events.
BATCH_OF_REPLAYS = 100
# Seconds for which the scheduled pruning keeps a worker from settling events.
SLICE = 1.0
BEGINNING, END = UUID(int=0), UUID(int=(1 << 128) - 1)

# A pending event stays, whatever its age, and so does one that a replay or a worker holds, or whose
# failure holds back later events of its subject. The id is time-ordered, so the primary key finds
# the old ones; the recorded time decides.
DELETE_EVENTS = """
    WITH old AS (
        SELECT id FROM events
        WHERE id > %(after)s AND id < %(before_id)s AND created_at < %(before)s
          AND status <> 'pending'
          AND NOT (status = 'failed' AND EXISTS (
            SELECT FROM events AS later
            WHERE later.subject_id = events.subject_id AND later.status = 'pending'
          ))
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
# A replay whose items are not all gone is taken again by the next batch.
DELETE_REPLAY_ITEMS = """
    WITH old AS (
        SELECT id FROM replays
        WHERE status IN ('finished', 'cancelled', 'stopped')
          AND pruned_at IS NULL AND finished_at < %(before)s
        ORDER BY finished_at LIMIT %(replays)s FOR NO KEY UPDATE SKIP LOCKED
    ), of_items AS (
        DELETE FROM replay_items WHERE id IN (
            SELECT items.id FROM old JOIN replay_items AS items ON items.replay_id = old.id
            LIMIT %(batch)s
        ) RETURNING id
    ), of_replays AS (
        UPDATE replays SET pruned_at = statement_timestamp() FROM old
        WHERE replays.id = old.id AND (SELECT count(*) FROM of_items) < %(batch)s
        RETURNING replays.id
    )
    SELECT (SELECT count(*) FROM of_items), (SELECT count(*) FROM of_replays)
"""
DELETE_FAILURE_COUNTS = """
    DELETE FROM failure_counts WHERE (group_id, bucket_at) IN (
        SELECT group_id, bucket_at FROM failure_counts WHERE bucket_at < %(before)s
        ORDER BY bucket_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED
    )
"""


@dataclass
class Pruned:
    """How much was deleted, or would be.

    Attributes:
        items: of replays: which events they ran. The replays themselves stay, with their totals.
        groups: of failures that nobody has seen or touched since. The counts of others by ten
            minutes go as well.
    """

    events: int = 0
    items: int = 0
    groups: int = 0

    def add(self, other: "Pruned") -> None:
        """Count what another batch deleted too."""
        self.events += other.events
        self.items += other.items
        self.groups += other.groups


def old_events(before: datetime) -> QuerySet[Event]:
    """The settled events of all tenants that were recorded before that time."""
    events = Event.unscoped.filter(id__lt=first_uuid7_of(before), created_at__lt=before)
    later = Event.unscoped.filter(subject_id=OuterRef("subject_id"), status=EventStatus.PENDING)
    holds_back = Q(status=EventStatus.FAILED) & Q(Exists(later))
    return events.exclude(status=EventStatus.PENDING).exclude(holds_back)


def old_items(before: datetime) -> QuerySet[ReplayItem]:
    """The items of replays that ended before that time."""
    ends = [Replay.Status.FINISHED, Replay.Status.CANCELLED, Replay.Status.STOPPED]
    ended = Replay.objects.filter(status__in=ends, finished_at__lt=before)
    return ReplayItem.objects.filter(replay__in=ended.filter(pruned_at=None))


def old_groups(before: datetime) -> QuerySet[FailureGroup]:
    """The failure groups that nothing has joined since that time, and that nobody has touched.

    What stands as failed keeps its group.
    """
    groups = FailureGroup.unscoped.filter(last_seen_at__lt=before, state_changed_at__lt=before)
    standing = Delivery.objects.filter(group_id=OuterRef("pk"), status=DeliveryStatus.FAILED)
    lines = AuditLine.objects.filter(target_type=TARGET, created_at__gte=before)
    touched = lines.filter(target_id=Cast(OuterRef("fingerprint"), CharField()))
    return groups.exclude(Exists(standing)).exclude(Exists(touched))


def count_old(before: datetime) -> Pruned:
    """What `prune` would delete now."""
    return Pruned(old_events(before).count(), old_items(before).count(), old_groups(before).count())


def moment_ago(span: timedelta) -> datetime:
    """The time so long ago, by the database's clock: a worker's may be wrong."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        [now] = cursor.fetchone()
    try:
        moment: datetime = now - span
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
    return moment


def prune(before: datetime, progress: Callable[[int], object] = int) -> Pruned:
    """Delete what was settled long ago; each batch is a transaction of its own.

    Args:
        before: events recorded before this time go, and the items of replays that finished.
        progress: called with the number of events after each batch.
    """
    pruned = Pruned()
    for batch, _position in _batches(before, BEGINNING):
        pruned.add(batch)
        progress(batch.events)
    return pruned


def prune_slice(after: UUID = BEGINNING, seconds: float = SLICE) -> Pruned:
    """Delete for a while what is older than EVENT_RETENTION_DAYS, if anything ever is.

    What is left then goes in a further slice, for which a message queues behind those that wait
    already. Should it get lost, the next day's begins again.

    Args:
        after: where the slice before this one stopped.
    """
    pruned = Pruned()
    if settings.EVENT_RETENTION_DAYS is None:
        return pruned
    deadline = time.monotonic() + seconds
    before = moment_ago(timedelta(days=settings.EVENT_RETENTION_DAYS))
    for batch, position in _batches(before, after):
        pruned.add(batch)
        if time.monotonic() >= deadline:
            broker.send("events.tasks.prune_events", str(position))
            break
    return pruned


def _batches(before: datetime, after: UUID) -> Iterator[tuple[Pruned, UUID]]:
    """Delete batch by batch; yields what went, and where somebody else would go on."""
    last: UUID | None = after
    while last is not None:
        count, last = _delete_events(last, before)
        if last is not None:
            yield Pruned(events=count), last
    items, replays = _delete_replay_items(before)
    while items or replays:
        yield Pruned(items=items), END
        items, replays = _delete_replay_items(before)
    while _delete_failure_counts(before):
        yield Pruned(), END
    while groups := _delete_groups(before):
        yield Pruned(groups=groups), END


def _delete_events(after: UUID, before: datetime) -> tuple[int, UUID | None]:
    """Delete one batch; returns how many, and the last id, or None when there was none."""
    values: dict[str, Any] = {
        "after": after,
        "before_id": first_uuid7_of(before),
        "before": before,
        "batch": BATCH,
    }
    with connection.cursor() as cursor:
        cursor.execute(DELETE_EVENTS, values)
        count, last = cursor.fetchone()
    return count, last


def _delete_replay_items(before: datetime) -> tuple[int, int]:
    """Delete one batch; returns how many, and how many replays are pruned with it."""
    values: dict[str, Any] = {"before": before, "batch": BATCH, "replays": BATCH_OF_REPLAYS}
    with connection.cursor() as cursor:
        cursor.execute(DELETE_REPLAY_ITEMS, values)
        items, replays = cursor.fetchone()
    return items, replays


def _delete_failure_counts(before: datetime) -> int:
    """Delete one batch; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(DELETE_FAILURE_COUNTS, {"before": before, "batch": BATCH})
        return int(cursor.rowcount)


@transaction.atomic
def _delete_groups(before: datetime) -> int:
    """Delete one batch; returns how many. One that a worker is about to count at stays."""
    held = old_groups(before).select_for_update(skip_locked=True).order_by("pk")
    ids = list(held.values_list("pk", flat=True)[:BATCH])
    FailureCount.objects.filter(group_id__in=ids).delete()
    FailureGroup.unscoped.filter(pk__in=ids).delete()
    return len(ids)
