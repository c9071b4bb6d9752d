"""Putting failures into groups and counting them, within the transaction that settles them.

In two steps. Before the deliveries are written, each failure is given its group: that waits for
nobody, unless the group is new. Last of all the groups are counted: all workers with the same
trouble want the same rows, and hold them no longer than a commit takes.

Both run in savepoints. Trouble in them is logged and costs a count; it never undoes a settling.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from uuid import UUID

import structlog
from django.db import transaction

from events.failures.fingerprints import Signature
from events.models import Attempt
from events.rows import execute, fetch_rows

log = structlog.get_logger(__name__)

# A handler that fails in more ways at one tenant within so long fails in "other" ways from there.
MOST_GROUPS, RECENT = 200, timedelta(days=7)
# Characters of a sample traceback: with what began it, and with what was raised last.
LONGEST_HALF = 10_000
# Two-part advisory locks of ours: no two transactions make groups of one tenant at once.
MAKING_LOCK = 0x5A1E6F21

Key = tuple[UUID, UUID]
"""Tenant and fingerprint."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that failed, on its way into the tables.

    Attributes:
        attempt: with its delivery, neither of them written yet.
    """

    tenant_id: UUID
    signature: Signature
    attempt: Attempt

    @classmethod
    def of(cls, tenant_id: UUID, attempt: Attempt, error: BaseException) -> "Failure":
        """What a handler raised at a tenant's event."""
        return cls(tenant_id, Signature.of(attempt.delivery.handler, error), attempt)

    @property
    def key(self) -> Key:
        """What its group is found by."""
        return self.tenant_id, self.signature.fingerprint

    @property
    def place(self) -> tuple[UUID, str]:
        """Where the number of groups is limited: tenant and handler."""
        return self.tenant_id, self.signature.handler

    def join(self, group_id: int) -> None:
        """Note the group on attempt and delivery."""
        self.attempt.group_id = self.attempt.delivery.group_id = group_id


# --- Groups -------------------------------------------------------------------------------------

# KEY SHARE waits for nobody but pruning, and keeps the group from being pruned.
FIND = """
    SELECT tenant_id, fingerprint, id FROM failure_groups
    JOIN unnest(%(tenants)b::uuid[], %(fingerprints)b::uuid[]) AS given (tenant_id, fingerprint)
        USING (tenant_id, fingerprint)
    FOR KEY SHARE OF failure_groups
"""
LOCK = "SELECT pg_advisory_xact_lock(%(lock)s, hashtext(id)) FROM unnest(%(tenants)s::text[]) AS id"
# By the unique index on tenant and fingerprint; there are so many rows to a tenant as it limits.
COUNT_RECENT = """
    SELECT tenant_id, handler, count(*) FROM failure_groups
    WHERE tenant_id = ANY(%(tenants)b) AND handler = ANY(%(handlers)s)
      AND last_seen_at > %(since)s GROUP BY tenant_id, handler
"""
# The rows come sorted, so that two transactions do not wait for each other in a circle.
MAKE = """
    INSERT INTO failure_groups (
        tenant_id, fingerprint, handler, error_type, frame, message, traceback,
        occurrences, first_seen_at, last_seen_at, state, note, ticket_url
    )
    SELECT given.*, 0, %(now)s, %(now)s, 'open', '', ''
    FROM unnest(
        %(tenants)b::uuid[], %(fingerprints)b::uuid[], %(handlers)s::text[],
        %(error_types)s::text[], %(frames)s::text[], %(messages)s::text[], %(tracebacks)s::text[]
    ) AS given
    ON CONFLICT (tenant_id, fingerprint) DO UPDATE SET handler = excluded.handler
    RETURNING tenant_id, fingerprint, id
"""


def find_groups(failures: Sequence[Failure], now: datetime, *, recent: timedelta = RECENT) -> None:
    """Give attempts and deliveries their groups, before they are written; new groups are made.

    Args:
        now: by the database's clock.
        recent: groups that were seen so long ago count among the `MOST_GROUPS` of their handler.
    """
    if not failures:
        return
    with _on_the_side("find_groups"):
        wanted = {failure.key: failure for failure in failures}
        ids = _found(wanted)
        missing = {key: wanted[key] for key in sorted(wanted.keys() - ids.keys())}
        if missing:
            with _bounded_waits():
                ids |= _made(missing, now, recent)
        for failure in failures:
            failure.join(ids[failure.key])


def _found(keys: Iterable[Key]) -> dict[Key, int]:
    tenants, fingerprints = zip(*keys, strict=True)
    rows = fetch_rows(FIND, {"tenants": list(tenants), "fingerprints": list(fingerprints)})
    return {(tenant_id, fingerprint): id_ for tenant_id, fingerprint, id_ in rows}


def _made(missing: Mapping[Key, Failure], now: datetime, recent: timedelta) -> dict[Key, int]:
    """Make the groups that are not there, or find the one for all others where there are many."""
    counts = _counts_since(missing.values(), now - recent)
    if any(counts[failure.place] < MOST_GROUPS for failure in missing.values()):
        tenants = sorted({str(tenant_id) for tenant_id, _fingerprint in missing})
        execute(LOCK, {"lock": MAKING_LOCK, "tenants": tenants})
        counts = _counts_since(missing.values(), now - recent)
    chosen = {key: _limited(failure, counts) for key, failure in missing.items()}
    wanted = {failure.key: failure for failure in chosen.values()}
    ids = _found(wanted)
    ids |= _inserted([wanted[key] for key in sorted(wanted.keys() - ids.keys())], now)
    return {key: ids[failure.key] for key, failure in chosen.items()}


def _counts_since(failures: Iterable[Failure], since: datetime) -> Counter[tuple[UUID, str]]:
    """How many groups there are where these failed: (tenant, handler) → number."""
    tenants, handlers = zip(*{failure.place for failure in failures}, strict=True)
    values = {"tenants": list(tenants), "handlers": list(handlers), "since": since}
    rows = fetch_rows(COUNT_RECENT, values)
    return Counter({(tenant_id, handler): count for tenant_id, handler, count in rows})


def _limited(failure: Failure, counts: Counter[tuple[UUID, str]]) -> Failure:
    """The failure as it is while there is room for one more group, else as one of the others."""
    counts[failure.place] += 1
    if counts[failure.place] <= MOST_GROUPS:
        return failure
    others = Signature.of_others(failure.signature.handler)
    return Failure(failure.tenant_id, others, failure.attempt)


def _inserted(failures: Sequence[Failure], now: datetime) -> dict[Key, int]:
    if not failures:
        return {}
    signatures = [failure.signature for failure in failures]
    values = {
        "now": now,
        "tenants": [failure.tenant_id for failure in failures],
        "fingerprints": [signature.fingerprint for signature in signatures],
        "handlers": [signature.handler for signature in signatures],
        "error_types": [signature.error_type for signature in signatures],
        "frames": [signature.frame for signature in signatures],
        "messages": [signature.message for signature in signatures],
        "tracebacks": [sample_of(failure.attempt) for failure in failures],
    }
    rows = fetch_rows(MAKE, values)
    return {(tenant_id, fingerprint): id_ for tenant_id, fingerprint, id_ in rows}


# --- Counts -------------------------------------------------------------------------------------

# Rows are locked in the order of their ids, and who counts ten minutes holds their group.
# An attempt that began before somebody resolved the group says nothing against them. The sample
# is written anew every ten minutes at most: lines move with each deployment.
COUNT = """
    WITH given AS (
        SELECT * FROM unnest(
            %(ids)s::bigint[], %(counts)s::int[], %(started)s::timestamptz[], %(events)b::uuid[],
            %(tracebacks)s::text[]
        ) AS given (id, occurrences, started_at, event_id, traceback)
    ), moment AS (
        SELECT %(now)s::timestamptz AS now,
               date_bin('10 minutes', %(now)s::timestamptz, 'epoch'::timestamptz) AS bucket_at
    ), held AS (
        SELECT id, state = 'resolved' AND started_at > state_changed_at AS came_back
        FROM failure_groups JOIN given USING (id)
        ORDER BY id FOR NO KEY UPDATE OF failure_groups
    ), counted AS (
        UPDATE failure_groups AS known
        SET occurrences = known.occurrences + given.occurrences,
            last_seen_at = greatest(known.last_seen_at, moment.now),
            last_event_id = given.event_id,
            traceback = CASE
                WHEN came_back OR known.last_seen_at < bucket_at THEN given.traceback
                ELSE known.traceback
            END,
            state = CASE WHEN came_back THEN 'open' ELSE known.state END,
            state_changed_at = CASE WHEN came_back THEN now ELSE known.state_changed_at END,
            reopened_at = CASE WHEN came_back THEN now ELSE known.reopened_at END
        FROM held JOIN given USING (id) CROSS JOIN moment
        WHERE known.id = held.id
        RETURNING known.id, bucket_at, given.occurrences
    )
    INSERT INTO failure_counts AS known (group_id, bucket_at, occurrences)
    SELECT id, bucket_at, occurrences FROM counted ORDER BY id
    ON CONFLICT (group_id, bucket_at)
        DO UPDATE SET occurrences = known.occurrences + excluded.occurrences
"""


def count_failures(failures: Sequence[Failure], now: datetime) -> None:
    """Count failures at their groups: the last thing that a transaction does.

    Args:
        failures: with their groups.
        now: by the database's clock.
    """
    grouped = [failure.attempt for failure in failures if failure.attempt.group_id]
    if not grouped:
        return
    counts = Counter(attempt.group_id for attempt in grouped)
    latest = {
        attempt.group_id: attempt for attempt in sorted(grouped, key=attrgetter("started_at"))
    }
    values = {
        "now": now,
        "ids": list(counts),
        "counts": list(counts.values()),
        "started": [latest[group_id].started_at for group_id in counts],
        "events": [latest[group_id].delivery.event_id for group_id in counts],
        "tracebacks": [sample_of(latest[group_id]) for group_id in counts],
    }
    with _on_the_side("count_failures"), _bounded_waits():
        execute(COUNT, values)


def sample_of(attempt: Attempt) -> str:
    """The attempt's traceback, without the middle where it is very long."""
    text = attempt.traceback
    if len(text) <= 2 * LONGEST_HALF:
        return text
    return f"{text[:LONGEST_HALF]}\n…\n{text[-LONGEST_HALF:]}"


# --- Apart from the settling --------------------------------------------------------------------

# A worker that is frozen while it holds a group keeps nobody from settling; one that is busy
# commits long before.
BOUND_WAITS = "SET LOCAL lock_timeout = '5s'"
UNBOUND_WAITS = "SET LOCAL lock_timeout TO DEFAULT"


@contextmanager
def _on_the_side(step: str) -> Iterator[None]:
    """A savepoint whose failing is logged and goes no further."""
    try:
        with transaction.atomic():
            yield
    except Exception:  # whatever is wrong with groups, events are settled
        log.exception("grouping_failed", step=step)


@contextmanager
def _bounded_waits() -> Iterator[None]:
    execute(BOUND_WAITS, {})
    yield
    execute(UNBOUND_WAITS, {})
