"""Groups for failures that were recorded before there were groups, batch by batch.

Nothing is counted twice: what has a group is passed over. So it may be interrupted, and run again.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from events.failures.grouping import Failure, find_groups, sample_of
from events.failures.recorded import signature_of
from events.models import Attempt, Delivery, DeliveryStatus
from events.rows import execute, fetch_rows, update_rows

# Events of one transaction.
BATCH = 200
BEGINNING = UUID(int=0)
BUCKET = timedelta(minutes=10)
# What failed long ago makes no more groups of a handler than what fails today.
EVER = timedelta(days=36_500)

# Over deliveries_failed_by_group, whose first entries have no group.
TAKE = """
    SELECT DISTINCT event_id FROM deliveries
    WHERE status = 'failed' AND group_id IS NULL AND event_id > %(after)s
    ORDER BY event_id LIMIT %(most)s
"""
# Events first, as by all who write deliveries; those that somebody holds are left for another run.
LOCK = """
    SELECT id, tenant_id FROM events WHERE id = ANY(%(events)b) ORDER BY id
    FOR NO KEY UPDATE SKIP LOCKED
"""
COUNT_LEFT = "SELECT count(*) FROM deliveries WHERE status = 'failed' AND group_id IS NULL"
# A group that was made for them has counted nothing yet, and the time of its making. What had
# failed before somebody resolved a group says nothing against them: states stay as they are.
COUNT = """
    WITH given AS (
        SELECT * FROM unnest(
            %(ids)s::bigint[], %(counts)s::int[], %(firsts)s::timestamptz[],
            %(lasts)s::timestamptz[], %(events)b::uuid[], %(tracebacks)s::text[]
        ) AS given (id, occurrences, first_at, last_at, event_id, traceback)
    ), held AS (
        SELECT id, known.occurrences = 0 AS is_new,
               known.occurrences = 0 OR known.last_seen_at < last_at AS is_later
        FROM failure_groups AS known JOIN given USING (id)
        ORDER BY id FOR NO KEY UPDATE OF known
    )
    UPDATE failure_groups AS known
    SET occurrences = known.occurrences + given.occurrences,
        first_seen_at = CASE WHEN is_new THEN first_at ELSE least(first_seen_at, first_at) END,
        last_seen_at = CASE WHEN is_later THEN last_at ELSE last_seen_at END,
        last_event_id = CASE WHEN is_later THEN given.event_id ELSE known.last_event_id END,
        traceback = CASE WHEN is_later THEN given.traceback ELSE known.traceback END
    FROM held JOIN given USING (id) WHERE known.id = held.id
"""
COUNT_BUCKETS = """
    INSERT INTO failure_counts AS known (group_id, bucket_at, occurrences)
    SELECT * FROM unnest(%(ids)s::bigint[], %(buckets)s::timestamptz[], %(counts)s::int[])
    ON CONFLICT (group_id, bucket_at)
        DO UPDATE SET occurrences = known.occurrences + excluded.occurrences
"""


@dataclass
class Grouped:
    """What came of it.

    Attributes:
        deliveries: that stand as failed and have a group now.
        groups: the ids of their groups, old and new ones.
    """

    deliveries: int
    groups: set[int]


def count_ungrouped() -> int:
    """How many deliveries stand as failed without a group."""
    [(number,)] = fetch_rows(COUNT_LEFT, {})
    return int(number)


def group_recorded(progress: Callable[[int], object] = int) -> Grouped:
    """Give groups to all deliveries that stand as failed without one, and to their attempts.

    Args:
        progress: called with the number of deliveries after each batch.
    """
    grouped, after = Grouped(0, set()), BEGINNING
    while events := [id_ for (id_,) in fetch_rows(TAKE, {"after": after, "most": BATCH})]:
        deliveries = _group_batch(events)
        grouped.deliveries += len(deliveries)
        grouped.groups |= {delivery.group_id for delivery in deliveries if delivery.group_id}
        progress(len(deliveries))
        after = events[-1]
    return grouped


@transaction.atomic
def _group_batch(events: list[UUID]) -> list[Delivery]:
    """Group the failures of these events; returns the deliveries that have a group then."""
    tenants: dict[UUID, UUID] = dict(fetch_rows(LOCK, {"events": events}))
    failed = Delivery.objects.filter(
        event_id__in=tenants, status=DeliveryStatus.FAILED, group_id=None
    )
    deliveries = list(failed.order_by("pk"))
    attempts = _attempts_of(deliveries)
    # A delivery is of the group of its last attempt, which joins last.
    failures = [
        Failure(tenants[each.delivery.event_id], signature_of(each), each) for each in attempts
    ]
    find_groups(failures, timezone.now(), recent=EVER)
    joined = [attempt for attempt in attempts if attempt.group_id]
    update_rows([attempt for attempt in joined if attempt.pk], ["group_id"])
    done = [delivery for delivery in deliveries if delivery.group_id]
    update_rows(done, ["group_id"])
    _count(joined)
    return done


def _attempts_of(deliveries: Sequence[Delivery]) -> list[Attempt]:
    """The failed attempts that have no group, each delivery's in their order.

    Where none is on record, as of what was pruned, the delivery itself tells of its last one.
    """
    known = {delivery.pk: delivery for delivery in deliveries}
    recorded = Attempt.objects.filter(
        delivery__in=known, status=Attempt.Status.FAILED, group_id=None
    )
    attempts = list(recorded.order_by("delivery", "number"))
    for attempt in attempts:
        attempt.delivery = known[attempt.delivery_id]
    told = {attempt.delivery_id for attempt in attempts}
    return [*attempts, *(_last_of(each) for each in deliveries if each.pk not in told)]


def _last_of(delivery: Delivery) -> Attempt:
    return Attempt(
        delivery=delivery,
        number=delivery.attempts,
        status=Attempt.Status.FAILED,
        started_at=delivery.finished_at or delivery.created_at,
        duration_ms=0,
        error_type=delivery.error.partition(": ")[0] if ": " in delivery.error else "",
        error=delivery.error,
        traceback="",
    )


# --- Counts -------------------------------------------------------------------------------------


def _count(attempts: Iterable[Attempt]) -> None:
    """Count attempts at their groups, at the time at which each failed."""
    by_group: dict[int, list[Attempt]] = defaultdict(list)
    buckets: dict[tuple[int, datetime], int] = defaultdict(int)
    for attempt in sorted(attempts, key=_failed_at):
        assert attempt.group_id is not None
        by_group[attempt.group_id].append(attempt)
        buckets[attempt.group_id, _bucket_of(_failed_at(attempt))] += 1
    if not by_group:
        return
    execute(COUNT, _figures(by_group))
    keys = sorted(buckets)
    execute(
        COUNT_BUCKETS,
        {
            "ids": [group_id for group_id, _bucket in keys],
            "buckets": [bucket for _group_id, bucket in keys],
            "counts": [buckets[key] for key in keys],
        },
    )


def _figures(by_group: dict[int, list[Attempt]]) -> dict[str, object]:
    groups = list(by_group.values())
    return {
        "ids": list(by_group),
        "counts": [len(attempts) for attempts in groups],
        "firsts": [_failed_at(attempts[0]) for attempts in groups],
        "lasts": [_failed_at(attempts[-1]) for attempts in groups],
        "events": [attempts[-1].delivery.event_id for attempts in groups],
        "tracebacks": [sample_of(attempts[-1]) for attempts in groups],
    }


def _failed_at(attempt: Attempt) -> datetime:
    return attempt.started_at + timedelta(milliseconds=attempt.duration_ms)


def _bucket_of(moment: datetime) -> datetime:
    """The ten minutes that a moment belongs to, as `date_bin` has them."""
    epoch = datetime.fromtimestamp(0, UTC)
    return epoch + (moment - epoch) // BUCKET * BUCKET
