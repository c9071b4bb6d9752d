"""Taking people whose next step is due: locked until the transaction ends, and fairly between
tenants, as `events.taking` takes events."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import LiteralString
from uuid import UUID

from psycopg import sql

from channels.sequences.models import Enrolment
from events.rows import Row, fetch_rows

# One take looks at so many tenants; the next one goes on behind the last of them.
MOST_TENANTS = 200
FIRST = UUID(int=0)

# Each tenant behind one that has somebody under way, found by stepping through the index
# enrolment_due from tenant to tenant, however many each of them has; whoever has somebody due gets
# an equal share of the batch. No join where rows are locked: PostgreSQL would look at the row
# anew, and at what it was joined with not.
TAKE_DUE: LiteralString = """
    WITH RECURSIVE clock AS MATERIALIZED (
        SELECT coalesce(%(at)s::timestamptz, statement_timestamp()) AS now
    ), waiting AS (
        (SELECT tenant_id, next_step_at, 1 AS number FROM sequences_enrolment
         WHERE state = 'active' AND next_step_at IS NOT NULL AND tenant_id > %(after)s
         ORDER BY tenant_id, next_step_at LIMIT 1)
        UNION ALL
        SELECT next.tenant_id, next.next_step_at, waiting.number + 1 FROM waiting, LATERAL (
            SELECT tenant_id, next_step_at FROM sequences_enrolment
            WHERE state = 'active' AND next_step_at IS NOT NULL AND tenant_id > waiting.tenant_id
            ORDER BY tenant_id, next_step_at LIMIT 1
        ) AS next WHERE waiting.number < %(most)s
    ), due AS MATERIALIZED (
        SELECT tenant_id FROM waiting WHERE next_step_at <= (SELECT now FROM clock)
    )
    SELECT (SELECT now FROM clock),
           (SELECT tenant_id FROM waiting WHERE number = %(most)s), taken.*
    FROM (SELECT 1) AS always LEFT JOIN (
        due CROSS JOIN LATERAL (
            SELECT {columns} FROM sequences_enrolment
            WHERE state = 'active' AND next_step_at <= (SELECT now FROM clock)
              AND tenant_id = due.tenant_id
            ORDER BY next_step_at, id
            LIMIT greatest(1, %(size)s / (SELECT count(*) FROM due)) FOR NO KEY UPDATE SKIP LOCKED
        ) AS taken
    ) ON true
"""
# Who is back, by the index enrolment_to_resume.
TAKE_RETURNED: LiteralString = """
    SELECT coalesce(%(at)s::timestamptz, statement_timestamp()), NULL, {columns}
    FROM sequences_enrolment
    WHERE state = 'paused' AND resume_at <= coalesce(%(at)s::timestamptz, statement_timestamp())
    ORDER BY resume_at LIMIT %(size)s FOR NO KEY UPDATE SKIP LOCKED
"""


@dataclass(frozen=True)
class Taken:
    """Who was taken.

    Attributes:
        now: the time that was given, or else the database's: workers' clocks may differ.
        next_after: the tenant behind which the next take begins, where this one did not see all.
    """

    now: datetime | None
    enrolments: list[Enrolment]
    next_after: UUID = FIRST

    def by_tenant(self) -> dict[UUID, list[Enrolment]]:
        """The enrolments of each tenant, in the order of their ids: all take their locks so."""
        found: dict[UUID, list[Enrolment]] = defaultdict(list)
        for enrolment in sorted(self.enrolments, key=lambda row: row.id):
            found[enrolment.tenant_id].append(enrolment)
        return found


def take_due(
    size: int, after: UUID = FIRST, at: datetime | None = None, most: int = MOST_TENANTS
) -> Taken:
    """Lock about `size` enrolments whose next step is due.

    Args:
        after: a tenant; those up to it wait for the next take.
        at: the time; by default the database's.
        most: tenants that are looked at.
    """
    values = {"size": size, "after": after, "most": most, "at": at}
    return _taken(fetch_rows(_statement(TAKE_DUE), values))


def take_returned(size: int, at: datetime | None = None) -> Taken:
    """Lock up to `size` paused enrolments whose pause is over."""
    return _taken(fetch_rows(_statement(TAKE_RETURNED), {"size": size, "at": at}))


class Rotation:
    """Takes in turn: where there are very many tenants, each take goes on behind the last one.

    Args:
        most: tenants of one take.
    """

    def __init__(self, most: int = MOST_TENANTS) -> None:
        self._most = most
        self._after = FIRST

    @property
    def is_at_start(self) -> bool:
        """Whether the last take has seen the last of the tenants."""
        return self._after == FIRST

    def take(self, size: int, at: datetime | None) -> Taken:
        """Lock about `size` enrolments that are due; see `take_due`."""
        taken = take_due(size, self._after, at, self._most)
        while not taken.enrolments and taken.next_after != FIRST:
            taken = take_due(size, taken.next_after, at, self._most)
        if not taken.enrolments and self._after != FIRST:
            self._after = FIRST
            return self.take(size, at)
        self._after = taken.next_after
        return taken


def _taken(rows: Sequence[Row]) -> Taken:
    """What the rows of either statement hold: one without an enrolment says that nobody is due."""
    enrolments = [Enrolment.from_db("default", _columns(), row[2:]) for row in rows if row[2]]
    now, next_after = rows[0][:2] if rows else (None, None)
    return Taken(now, enrolments, next_after or FIRST)


@cache
def _columns() -> list[str]:
    return [str(field.column) for field in Enrolment._meta.concrete_fields]


@cache
def _statement(text: LiteralString) -> bytes:
    columns = sql.SQL(", ").join(map(sql.Identifier, _columns()))
    return sql.SQL(text).format(columns=columns).as_bytes()
