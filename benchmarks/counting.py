"""Counting what a measurement left in the database: no figure without its rows.

Ids of events rise with time, so those of a measurement are the ones from its first id on: what
lay in the tables before is neither counted nor read.
"""

import time
from datetime import datetime
from typing import Any
from uuid import UUID

from benchmarks.database import rows_of
from benchmarks.peers.peer import Peer

POLL_SECONDS = 0.05
# Most seconds without a single row more before a measurement counts as stuck.
PATIENCE_SECONDS = 60.0


class Miscount(Exception):
    """A peer lost or doubled something, or came to a standstill: there is no figure."""


def scalar(statement: str, **parameters: Any) -> Any:
    """The one value that a query returns."""
    [(value,)] = rows_of(statement, **parameters)
    return value


def wait_until_settled(peer: Peer, since: UUID, expected: int) -> None:
    """Return when all events are handled and the peer has written its history.

    Args:
        since: no event of the measurement has a lower id.

    Raises:
        Miscount: nothing has moved for a minute.
    """
    finished, moved_at = 0, time.monotonic()
    while finished < expected:
        time.sleep(POLL_SECONDS)
        waited = time.monotonic() - moved_at
        # The cheap question first; the count is for the end, and for when it takes long.
        if waited < PATIENCE_SECONDS and _has_pending_events():
            continue
        if (counted := finished_by(peer, since)) > finished:
            finished, moved_at = counted, time.monotonic()
        elif waited > PATIENCE_SECONDS:
            raise Miscount(f"{peer.title} stands still at {finished} of {expected} events.")


def _has_pending_events() -> bool:
    return bool(scalar("SELECT EXISTS (SELECT FROM events WHERE status = 'pending')"))


def finished_by(peer: Peer, since: UUID) -> int:
    """How many events the peer's own history calls done."""
    condition = f"{peer.history_since} AND {peer.finished}"
    count: int = scalar(f"SELECT count(*) FROM {peer.history} WHERE {condition}", since=since)
    return count


def check_counts(peer: Peer, since: UUID, expected: int) -> None:
    """Compare every table with the number of published events.

    Raises:
        Miscount: with the table and its number.
    """
    statements = {
        "leads": "SELECT count(*) FROM bench_prospects WHERE id >= %(since)s",
        "events": "SELECT count(*) FROM events WHERE id >= %(since)s",
        "processed events": "SELECT count(*) FROM events"
        " WHERE id >= %(since)s AND status = 'processed' AND processed_at IS NOT NULL",
        "handlers' rows": "SELECT count(*) FROM bench_welcomes WHERE event_id >= %(since)s",
        "events with a handler's row": "SELECT count(DISTINCT e.id) FROM events e"
        " JOIN bench_welcomes w ON w.event_id = e.id AND w.prospect_id = e.subject_id"
        " WHERE e.id >= %(since)s",
        f"rows in {peer.history}": f"SELECT count(*) FROM {peer.history}"
        f" WHERE {peer.history_since}",
    }
    counts = {what: scalar(statement, since=since) for what, statement in statements.items()}
    counts[f"finished rows in {peer.history}"] = finished_by(peer, since)
    wrong = [f"{count} {what}" for what, count in counts.items() if count != expected]
    if wrong:
        raise Miscount(f"{peer.title} published {expected} events and left {', '.join(wrong)}.")


def last_commit(peer: Peer, since: UUID) -> float:
    """When the last row of the measurement was committed, in Unix seconds by the server's clock."""
    conditions = {
        "events": "id >= %(since)s",
        "bench_welcomes": "event_id >= %(since)s",
        peer.history: peer.history_since,
    }
    moments: list[datetime] = [
        scalar(
            f"SELECT max(pg_xact_commit_timestamp(xmin)) FROM {table} WHERE {condition}",
            since=since,
        )
        for table, condition in conditions.items()
    ]
    return max(moments).timestamp()
