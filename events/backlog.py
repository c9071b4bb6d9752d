"""How the queues are: what waits, for how long, and what fails, in a few bounded statements.

They run over a connection of their own, since who asks wants an answer above all when the pool has
no connection left and everybody waits for one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import scalar_row

from events.connections import open_connection
from events.taking import WAITING

# Nobody needs to know how many more than this wait, and to count on costs the database.
MOST_COUNTED = 10_000
CONNECT_SECONDS = 2
STATEMENT_SECONDS = 5

EVENTS = f"""
    WITH RECURSIVE {WAITING}, due AS MATERIALIZED (
        SELECT tenant_id, due_at FROM waiting WHERE due_at <= statement_timestamp()
    )
    SELECT tenant_id, extract(epoch FROM statement_timestamp() - due_at)::float8, (
        SELECT count(*) FROM (
            SELECT FROM due AS each, LATERAL (
                SELECT FROM events WHERE status = 'pending' AND tenant_id = each.tenant_id
                AND due_at <= statement_timestamp()
            ) AS event LIMIT %(most)s
        ) AS counted
    ) FROM due ORDER BY due_at LIMIT 1
"""  # noqa: S608 (a constant)

# Steps through deliveries_to_call from handler to handler, those that no app has any more included.
# What a paused handler leaves lying is not late.
EXTERNAL = """
    WITH RECURSIVE waiting AS (
        (SELECT handler FROM deliveries
         WHERE status = 'pending' AND tenant_id IS NOT NULL ORDER BY handler LIMIT 1)
        UNION ALL
        SELECT next.handler FROM waiting, LATERAL (
            SELECT handler FROM deliveries
            WHERE status = 'pending' AND tenant_id IS NOT NULL AND handler > waiting.handler
            ORDER BY handler LIMIT 1
        ) AS next
    )
    SELECT handler, extract(epoch FROM statement_timestamp() - due.oldest)::float8, due.count
    FROM waiting, LATERAL (
        SELECT min(next_attempt_at) AS oldest, count(*) AS count FROM (
            SELECT next_attempt_at FROM deliveries
            WHERE status = 'pending' AND tenant_id IS NOT NULL AND handler = waiting.handler
              AND next_attempt_at <= statement_timestamp()
            ORDER BY next_attempt_at LIMIT %(most)s
        ) AS counted
    ) AS due
    WHERE due.count > 0 AND handler NOT IN (SELECT handler FROM handler_pauses)
    ORDER BY due.oldest
"""

RETRYING = """
    SELECT handler, count(*) FROM (
        SELECT handler FROM deliveries WHERE failures > 0 AND status = 'pending' LIMIT %(most)s
    ) AS counted GROUP BY handler ORDER BY handler
"""

# Events that a handler has given up, whatever others have still to do: some twice, where several
# have, but none is missing where there are fewer than asked for. Steps through
# deliveries_failed_by_handler from handler to handler.
GIVEN_UP: LiteralString = """
    failing AS (
        (SELECT handler FROM deliveries WHERE status = 'failed' ORDER BY handler LIMIT 1)
        UNION ALL
        SELECT next.handler FROM failing, LATERAL (
            SELECT handler FROM deliveries WHERE status = 'failed' AND handler > failing.handler
            ORDER BY handler LIMIT 1
        ) AS next
    ), given_up AS (
        SELECT failed.event_id FROM failing, LATERAL (
            SELECT event_id FROM deliveries WHERE status = 'failed' AND handler = failing.handler
            ORDER BY event_id LIMIT %(most)s
        ) AS failed
    )
"""
# How many different ones these are. Where there are more than enough the first rows tell so: most
# events fail at one handler, and only as many rows are fetched as are read here.
DIFFERENT: LiteralString = """
    SELECT CASE WHEN enough.count >= %(most)s THEN enough.count ELSE (
        SELECT count(*) FROM (SELECT DISTINCT event_id FROM given_up LIMIT %(most)s) AS counted
    ) END FROM (
        SELECT count(*) FROM (
            SELECT DISTINCT event_id FROM (
                SELECT event_id FROM given_up LIMIT %(most)s * 5 / 4
            ) AS first LIMIT %(most)s
        ) AS counted
    ) AS enough
"""
FAILED = f"WITH RECURSIVE {GIVEN_UP} {DIFFERENT}"

# A batch holds its events until all their handlers have run.
BATCH = """
    SELECT extract(epoch FROM statement_timestamp() - started_at)::float8, worker, handler
    FROM journal ORDER BY started_at LIMIT 1
"""

BREAKERS = "SELECT key, state, changed_at FROM breakers ORDER BY key"

PAUSES = "SELECT handler, reason, paused_at FROM handler_pauses ORDER BY handler"


@dataclass(frozen=True)
class Waiting:
    """The due rows of one queue, or of one handler.

    Attributes:
        seconds: how long the oldest has been due.
        count: how many are; `MOST_COUNTED` means that many or more.
        tenant_id: of the oldest event.
    """

    seconds: float = 0.0
    count: int = 0
    tenant_id: UUID | None = None


@dataclass(frozen=True)
class Batch:
    """The batch that a worker has held for longest."""

    seconds: float
    worker: str
    handler: str


@dataclass(frozen=True)
class BreakerRow:
    """A circuit breaker that has been in use."""

    key: str
    state: str
    since: datetime


@dataclass(frozen=True)
class PauseRow:
    """A handler that somebody paused."""

    handler: str
    reason: str
    since: datetime


@dataclass(frozen=True)
class Backlog:
    """The state of the queues at one moment.

    Attributes:
        external: handler → its due deliveries, the longest wait first; without paused handlers.
        retrying: handler → deliveries that failed and will be tried again, at most `MOST_COUNTED`
            in all.
        failed: events at which a handler gave up, at most `MOST_COUNTED`.
    """

    events: Waiting
    external: dict[str, Waiting] = field(default_factory=dict)
    retrying: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    batch: Batch | None = None
    breakers: list[BreakerRow] = field(default_factory=list)
    pauses: list[PauseRow] = field(default_factory=list)

    @property
    def longest_external(self) -> Waiting:
        """All external handlers' due deliveries as one queue."""
        waits = self.external.values()
        return Waiting(
            max((wait.seconds for wait in waits), default=0.0),
            min(sum(wait.count for wait in waits), MOST_COUNTED),
        )


@contextmanager
def probe() -> Iterator["psycopg.Connection[Any]"]:
    """A connection beside the pool that reads and gives up soon.

    Raises:
        psycopg.OperationalError: the database does not answer.
    """
    with open_connection(connect_timeout=CONNECT_SECONDS) as own:
        own.read_only = True
        own.execute(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")
        yield own


def read_backlog(own: "psycopg.Connection[Any]") -> Backlog:
    """How the queues are now.

    Args:
        own: from `probe`.

    Raises:
        psycopg.Error: the database does not answer, not in time, or is not migrated.
    """
    most = {"most": MOST_COUNTED}
    found = own.execute(EVENTS, most).fetchone()
    batch = own.execute(BATCH).fetchone()
    with own.cursor(row_factory=scalar_row) as cursor:
        failed: int = cursor.execute(FAILED, most).fetchone() or 0
    return Backlog(
        events=Waiting(found[1], found[2], found[0]) if found else Waiting(),
        external={row[0]: Waiting(row[1], row[2]) for row in own.execute(EXTERNAL, most)},
        retrying=dict(own.execute(RETRYING, most).fetchall()),
        failed=failed,
        batch=Batch(*batch) if batch else None,
        breakers=[BreakerRow(*row) for row in own.execute(BREAKERS)],
        pauses=[PauseRow(*row) for row in own.execute(PAUSES)],
    )
