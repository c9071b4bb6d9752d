"""The audit: the ledger and the calls against the rows, in plain SQL.

Nothing of the engine is imported: what it says about itself (status, deliveries, attempts) is read
as data, and believed only where the ledger, the traces and the calls agree with it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.chaos.invariants import INVARIANTS, Invariant
from tests.chaos.ledger import Entry, read_ledgers, read_lines, read_replays
from tests.chaos.workload.fates import EXPECTATIONS

# The books are temporary tables: gone with the auditor's connection.
BOOKS = """
    CREATE TEMPORARY TABLE ledger (
        transaction text, outcome text, error text, size int,
        parcel_id uuid, tenant_id uuid, kind text, fate text, series_id uuid, number int
    );
    CREATE TEMPORARY TABLE replayed (parcel_id uuid);
    CREATE TEMPORARY TABLE calls (
        key text, event_id uuid, parcel_id uuid, tenant_id uuid, in_transaction boolean
    );
    CREATE TEMPORARY TABLE expected (
        kind text, fate text, handler text, effects int, calls boolean, status text
    );
    -- The workload's events, by parcel; other apps' events are none of the audit's business.
    CREATE TEMPORARY VIEW parcel_events AS
    SELECT id, position, tenant_id, status, error_message, processed_at,
           split_part(type, '.', 2) AS kind, payload ->> 'fate' AS fate,
           (payload ->> 'parcel_id')::uuid AS parcel_id,
           (payload ->> 'series_id')::uuid AS series_id, (payload ->> 'number')::int AS number
    FROM events WHERE type LIKE 'parcel.%';
    -- The ledger with what the database holds of each of its parcels.
    CREATE TEMPORARY VIEW found AS
    SELECT ledger.*, coalesce(rows, 0) AS rows, coalesce(events, 0) AS events
    FROM ledger
    LEFT JOIN (SELECT id AS parcel_id, count(*) AS rows FROM chaos_parcel GROUP BY id) AS r
        USING (parcel_id)
    LEFT JOIN (
        SELECT parcel_id, count(*) AS events FROM parcel_events WHERE kind <> 'echoed'
        GROUP BY parcel_id
    ) AS e USING (parcel_id);
"""
COUNTS = """
    SELECT format('events %s, %s', substring(type FROM 8), status), count(*)
    FROM events WHERE type LIKE 'parcel.%' GROUP BY type, status
    UNION ALL SELECT 'effects in the database', count(*) FROM chaos_effect
    UNION ALL SELECT 'replays', count(*) FROM replays
    UNION ALL SELECT 'failed attempts', count(*) FROM attempts WHERE status = 'failed'
    UNION ALL SELECT 'failed attempts, worker lost', count(*) FROM attempts
        WHERE status = 'failed' AND error LIKE '%worker lost%'
    ORDER BY 1
"""
EXAMPLES = 3
Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Violation:
    """An invariant that does not hold.

    Attributes:
        count: how many rows break it.
        examples: some of them, each in one sentence.
    """

    invariant: Invariant
    count: int
    examples: list[str]

    def __str__(self) -> str:
        return "\n    ".join([f"{self.invariant.name}: {self.count} times", *self.examples])


def audit(url: str, ledgers: Sequence[Path], calls: Path) -> list[Violation]:
    """The invariants that do not hold; see `open_books` for the arguments."""
    with psycopg.connect(url) as connection:
        open_books(connection, ledgers, calls)
        return examine(connection)


def open_books(connection: Connection, ledgers: Sequence[Path], calls: Path) -> None:
    """Load what was noted outside the database into temporary tables of this connection.

    Args:
        connection: to the database, which nobody writes meanwhile.
        ledgers: the publishers' files.
        calls: the file of the service outside.
    """
    connection.execute(BOOKS)
    _copy(connection, "ledger", _ledger_rows(read_ledgers(ledgers)))
    _copy(connection, "replayed", ((parcel_id,) for parcel_id in read_replays(ledgers)))
    _copy(connection, "calls", _call_rows(calls))
    _copy(connection, "expected", EXPECTATIONS)
    connection.execute("ANALYZE ledger, replayed, calls, expected")


def examine(connection: Connection) -> list[Violation]:
    """The invariants that do not hold in the books that are open."""
    found = [_violation(connection, invariant) for invariant in INVARIANTS]
    return [violation for violation in found if violation]


def _violation(connection: Connection, invariant: Invariant) -> Violation | None:
    rows = connection.execute(invariant.sql).fetchall()
    return (
        Violation(invariant, len(rows), [str(row[0]) for row in rows[:EXAMPLES]]) if rows else None
    )


def _ledger_rows(entries: Iterable[Entry]) -> Iterator[tuple[Any, ...]]:
    for entry in entries:
        for parcel in entry.parcels:
            size = len(entry.parcels)
            yield entry.transaction, str(entry.outcome), entry.error, size, *parcel


def _call_rows(calls: Path) -> Iterator[tuple[Any, ...]]:
    for line in read_lines([calls] if calls.exists() else []):
        yield tuple(line[name] for name in ("key", "event", "parcel", "tenant", "in_transaction"))


def _copy(connection: Connection, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def count_what_happened(url: str, calls: Path) -> dict[str, int]:
    """What is there to be audited: events by kind and status, effects, failures, calls."""
    with psycopg.connect(url) as connection:
        counted = connection.execute(COUNTS).fetchall()
    return {**dict(counted), "calls outside": sum(1 for _ in _call_rows(calls))}
