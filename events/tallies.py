"""Counting what the engine does, by minute and by hour, handler, event type and tenant.

To note something costs a dictionary's update. A thread of the process, with a connection of its
own, adds what was noted to the table `tallies` about once a second: settling waits for none of it.
A worker that is killed takes a second of figures along. Count a batch at once, after its commit.

The database's clock says to which minute a figure belongs, when it is written.
"""

import atexit
import os
import threading
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
import structlog
from celery.signals import worker_process_shutdown

from events import metrics
from events.connections import open_connection
from events.models import EventStatus, Tally
from events.models.tally import EVERYBODY
from events.rows import execute

log = structlog.get_logger(__name__)

# Seconds: `Tally.durations` counts what took up to each of these, and last what took longer.
BOUNDS = metrics.DURATIONS

# Seconds between two writings of a process, and until the next one where the database was away;
# without anything to write its connection is closed after a while.
PAUSE, LONG_PAUSE, IDLE = 1.0, 5.0, 10.0
# A statement that waits for a lock or a slow disk is given up; what a crash loses is a second.
LIMITS = "SET synchronous_commit = off; SET statement_timeout = '5s'; SET lock_timeout = '2s'"

# In one order for all processes, so that they do not wait for each other in a circle.
ADD = """
    INSERT INTO tallies AS tally
        (span, starts_at, kind, name, tenant_id, succeeded, failed, retried, durations)
    SELECT span, date_trunc(span, statement_timestamp(), 'UTC'), kind, name, tenant_id,
           succeeded, failed, retried, durations::bigint[]
    FROM unnest(
        %(kinds)s::text[], %(names)s::text[], %(tenants)s::uuid[], %(succeeded)s::bigint[],
        %(failed)s::bigint[], %(retried)s::bigint[], %(durations)s::text[]
    ) AS noted (kind, name, tenant_id, succeeded, failed, retried, durations),
    unnest('{hour,minute}'::text[]) AS spans (span)
    ORDER BY span, kind, name, tenant_id
    ON CONFLICT (span, starts_at, kind, name, tenant_id) DO UPDATE SET
        succeeded = tally.succeeded + excluded.succeeded,
        failed = tally.failed + excluded.failed,
        retried = tally.retried + excluded.retried,
        durations = ARRAY(
            SELECT coalesce(known, 0) + coalesce(more, 0)
            FROM unnest(tally.durations, excluded.durations)
                WITH ORDINALITY AS sums (known, more, i)
            ORDER BY i
        )
"""

# By the primary key, which begins with span and time.
PRUNE = """
    DELETE FROM tallies WHERE (span, starts_at, kind, name, tenant_id) IN (
        SELECT span, starts_at, kind, name, tenant_id FROM tallies
        WHERE span = %(span)s AND starts_at < statement_timestamp() - %(kept)s::interval
        ORDER BY starts_at LIMIT %(most)s
    )
"""
KEPT = {Tally.Span.MINUTE: "25 hours", Tally.Span.HOUR: "90 days"}
MOST_PRUNED = 5000

Key = tuple[str, str, UUID]
"""A kind of tally, the handler's or type's name, and the tenant."""


@dataclass(slots=True)
class Figures:
    """What has come together for one key; see `Tally`."""

    succeeded: int = 0
    failed: int = 0
    retried: int = 0
    durations: list[int] = field(default_factory=list)

    def add(self, other: "Figures") -> None:
        """Count what the other has counted too."""
        self.succeeded += other.succeeded
        self.failed += other.failed
        self.retried += other.retried
        for bucket, count in enumerate(other.durations):
            self.add_duration(bucket, count)

    def add_duration(self, bucket: int, count: int) -> None:
        """Count so many events into one bucket."""
        if not self.durations:
            self.durations = [0] * (len(BOUNDS) + 1)
        self.durations[bucket] += count


class Tallies:
    """What one process has noted and not yet written."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """In a forked child: a thread does not survive a fork, and its lock may be held for ever.

        What the parent has noted it writes itself, over its own connection.
        """
        self._noted: dict[Key, Figures] = {}
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._own: psycopg.Connection[Any] | None = None

    def note(self, key: Key, figures: Figures) -> None:
        """Count; a thread writes it soon."""
        with self._changed:
            if not self._noted:
                self._changed.notify()
            known = self._noted.setdefault(key, figures)
            if known is not figures:
                known.add(figures)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="tallies", daemon=True)
                self._thread.start()

    def flush(self, *, is_last: bool = False) -> bool:
        """Write what has been noted so far; False where the database did not take it.

        Args:
            is_last: the process ends: what cannot be written is given up, and nobody is told.
        """
        with self._writing:
            with self._changed:
                noted, self._noted = self._noted, {}
            try:
                self._write(noted)
            except psycopg.Error as error:
                self.disconnect()
                if not is_last:
                    self._put_back(noted, error)
                return False
        return True

    def _put_back(self, noted: Mapping[Key, Figures], error: psycopg.Error) -> None:
        log.warning("tallies_delayed", error=str(error).strip())
        for key, figures in noted.items():
            self.note(key, figures)

    def disconnect(self) -> None:
        """Close the connection; the next writing opens a new one."""
        own, self._own = self._own, None
        if own is not None:
            own.close()

    def _write(self, noted: Mapping[Key, Figures]) -> None:
        if not noted:
            return
        if self._own is None or self._own.closed:
            self._own = open_connection(autocommit=True)
            self._own.execute(LIMITS)
        self._own.execute(ADD, _values({**noted, **_of_everybody(noted)}))

    def _run(self) -> None:
        while True:
            if not self._wait(IDLE):
                with self._writing:
                    self.disconnect()
                self._wait(None)
            time.sleep(PAUSE)
            if not self.flush():
                time.sleep(LONG_PAUSE)

    def _wait(self, seconds: float | None) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._noted), seconds)


def _of_everybody(noted: Mapping[Key, Figures]) -> dict[Key, Figures]:
    """What all tenants come to together."""
    sums: dict[Key, Figures] = {}
    for (kind, name, _tenant), figures in noted.items():
        sums.setdefault((kind, name, EVERYBODY), Figures()).add(figures)
    return sums


def _values(noted: Mapping[Key, Figures]) -> dict[str, Any]:
    figures = noted.values()
    return {
        "kinds": [str(kind) for kind, _name, _tenant in noted],
        "names": [name for _kind, name, _tenant in noted],
        "tenants": [tenant for _kind, _name, tenant in noted],
        "succeeded": [each.succeeded for each in figures],
        "failed": [each.failed for each in figures],
        "retried": [each.retried for each in figures],
        # An array of arrays would have to be of one length.
        "durations": [f"{{{','.join(map(str, each.durations))}}}" for each in figures],
    }


tallies = Tallies()


def _last_words(**_signal: Any) -> None:
    tallies.flush(is_last=True)
    tallies.disconnect()


os.register_at_fork(after_in_child=tallies.begin_anew)
atexit.register(_last_words)
# Celery's processes end without Python's own leave-taking.
worker_process_shutdown.connect(_last_words, weak=False)


def flush() -> bool:
    """Write what this process has noted; see `Tallies.flush`."""
    return tallies.flush()


def note_handled(
    handler: str, tenant_id: UUID, outcome: metrics.Outcome, n: int = 1, seconds: float = 0.0
) -> None:
    """Count one call of a handler.

    Args:
        outcome: as for `events.metrics.handled`.
        n: how many events of that tenant the call was given.
        seconds: how long it took, for all of them together; each counts with its share.
    """
    figures = Figures()
    setattr(figures, outcome, n)
    figures.add_duration(bisect_left(BOUNDS, seconds / n), n)
    tallies.note((Tally.Kind.HANDLER, handler, tenant_id), figures)


def note_settled(event_type: str, tenant_id: UUID, status: str, n: int = 1) -> None:
    """Count events of one type and tenant that got their final status.

    Args:
        status: "processed" or "failed".
    """
    succeeded = n if status == EventStatus.PROCESSED else 0
    figures = Figures(succeeded=succeeded, failed=n - succeeded)
    tallies.note((Tally.Kind.TYPE, event_type, tenant_id), figures)


def prune() -> int:
    """Delete minutes that are older than a day, and hours older than a quarter; returns how many.

    At most `MOST_PRUNED` of each at once: the sweeper comes again.
    """
    return sum(
        execute(PRUNE, {"span": str(span), "kept": kept, "most": MOST_PRUNED})
        for span, kept in KEPT.items()
    )


def quantile(durations: Sequence[int], q: float) -> float | None:
    """The duration that a share `q` of the events did not exceed, in seconds.

    Within a bucket the events are taken to lie evenly, as Prometheus's `histogram_quantile` has it;
    of the last one its lower bound is known alone.

    Args:
        durations: counts as `Tally.durations` has them.
        q: from 0 to 1.

    Returns:
        None where nothing was counted.
    """
    rank, before = q * sum(durations), 0
    for bucket, count in enumerate(durations):
        if count and before + count >= rank:
            if bucket == len(BOUNDS):
                return BOUNDS[-1]
            lower = BOUNDS[bucket - 1] if bucket else 0.0
            return lower + (BOUNDS[bucket] - lower) * max(0.0, rank - before) / count
        before += count
    return None
