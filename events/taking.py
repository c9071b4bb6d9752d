"""Taking due events: locked until the transaction ends, and fairly between tenants."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import LiteralString
from uuid import UUID

from django.db import models
from psycopg import sql

from events.models import Delivery, Event
from events.rows import Row, fetch_rows

# One take looks at so many tenants; the next one goes on behind the last of them.
MOST_TENANTS = 200
FIRST = UUID(int=0)

# Each tenant that has something pending, with what has waited longest: found by stepping through
# events_waiting from tenant to tenant, however many events each of them has.
WAITING: LiteralString = """
    waiting AS (
        (SELECT tenant_id, due_at FROM events WHERE status = 'pending'
         ORDER BY tenant_id, due_at LIMIT 1)
        UNION ALL
        SELECT next.tenant_id, next.due_at FROM waiting, LATERAL (
            SELECT tenant_id, due_at FROM events
            WHERE status = 'pending' AND tenant_id > waiting.tenant_id
            ORDER BY tenant_id, due_at LIMIT 1
        ) AS next
    )
"""
# The same behind a tenant, and so many of them at most; each that has something due then gets an
# equal share of the batch.
# SKIP LOCKED: what another worker holds is its own.
TAKE_DUE: LiteralString = """
    WITH RECURSIVE waiting AS (
        (SELECT tenant_id, due_at, 1 AS number FROM events
         WHERE status = 'pending' AND tenant_id > %(after)s ORDER BY tenant_id, due_at LIMIT 1)
        UNION ALL
        SELECT next.tenant_id, next.due_at, waiting.number + 1 FROM waiting, LATERAL (
            SELECT tenant_id, due_at FROM events
            WHERE status = 'pending' AND tenant_id > waiting.tenant_id
            ORDER BY tenant_id, due_at LIMIT 1
        ) AS next WHERE waiting.number < %(most)s
    ), due AS MATERIALIZED (
        SELECT tenant_id FROM waiting WHERE due_at <= statement_timestamp()
    ), last AS (
        SELECT tenant_id FROM waiting WHERE number = %(most)s
    )
    SELECT statement_timestamp(), (SELECT array_agg(handler::text) FROM handler_pauses),
           (SELECT tenant_id FROM last), (SELECT count(*) FROM due), taken.*
    FROM (SELECT 1) AS always LEFT JOIN (
        due CROSS JOIN LATERAL (
            SELECT {columns} FROM events
            WHERE status = 'pending' AND tenant_id = due.tenant_id
              AND due_at <= statement_timestamp()
            ORDER BY due_at, position
            LIMIT greatest(1, %(size)s / (SELECT count(*) FROM due)) FOR NO KEY UPDATE SKIP LOCKED
        ) AS taken
    ) ON true
"""
TAKE_NAMED: LiteralString = """
    SELECT statement_timestamp(), (SELECT array_agg(handler::text) FROM handler_pauses),
           NULL, 0, taken.*
    FROM (SELECT 1) AS always LEFT JOIN (
        SELECT {columns} FROM events
        WHERE id = ANY(%(ids)b) AND status = 'pending' FOR NO KEY UPDATE SKIP LOCKED
    ) AS taken ON true
"""
DELIVERIES: LiteralString = "SELECT {columns} FROM deliveries WHERE event_id = ANY(%(ids)b)"


@dataclass
class Taken:
    """What a transaction has taken.

    Attributes:
        now: the database's time, which alone decides what is due: workers' clocks may differ.
        events: in the order in which they were published.
        paused: the handlers that are paused, see `events.pauses`.
        next_after: the tenant behind which the next take begins, where this one did not see all.
        tenants: how many had something due.
    """

    now: datetime
    events: list[Event]
    paused: frozenset[str] = frozenset()
    next_after: UUID = FIRST
    tenants: int = 0
    _taken_at: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long ago they were taken."""
        return time.monotonic() - self._taken_at

    def clock(self) -> datetime:
        """The database's time by now, without asking it again."""
        return self.now + timedelta(seconds=self.seconds)

    def only(self, events: list[Event]) -> "Taken":
        """Some of them; the others are let go."""
        return replace(self, events=events)

    def has_left_some(self, size: int) -> bool:
        """Whether more may be due than a take of that size could hold."""
        shares = Counter(event.tenant_id for event in self.events).values()
        share = max(1, size // max(1, self.tenants))
        return self.next_after != FIRST or max(shares, default=0) >= share


def take_due(size: int, after: UUID = FIRST) -> Taken:
    """Lock about `size` due events.

    Args:
        after: a tenant; those up to it wait for the next take.
    """
    values = {"size": size, "after": after, "most": MOST_TENANTS}
    return _taken(fetch_rows(_statement(TAKE_DUE), values))


def take_named(event_ids: Sequence[UUID]) -> Taken:
    """Lock those of the events that are pending, due or not."""
    return _taken(fetch_rows(_statement(TAKE_NAMED), {"ids": list(event_ids)}))


class Rotation:
    """Takes in turn: where there are very many tenants, each take goes on behind the last one.

    Attributes:
        has_more: whether the last take left something that was due. What was published since
            has a nudge of its own.
        owes_a_trial: whether the last batch went before an event that workers have died of.
    """

    def __init__(self) -> None:
        self._after = FIRST
        self.has_more = False
        self.owes_a_trial = False

    def take(self, size: int) -> Taken:
        """Lock about `size` due events; see `take_due`."""
        taken = _take_from(size, self._after)
        if not taken.events and self._after != FIRST:
            taken = _take_from(size, FIRST)
        self._after, self.has_more = taken.next_after, taken.has_left_some(size)
        return taken


def _take_from(size: int, after: UUID) -> Taken:
    """The first take behind that tenant that finds something due, or the last one."""
    taken = take_due(size, after)
    while not taken.events and taken.next_after != FIRST:
        taken = take_due(size, taken.next_after)
    return taken


class BatchSize:
    """How many events a worker takes at once: fewer where handlers are slow.

    A batch that takes long delays whatever comes in meanwhile, also that of other tenants, and
    its worker is taken for frozen in the end. So the first is small, and full ones alone tell
    that more can be taken.

    Args:
        most: the size for quick handlers.
    """

    LONG, SHORT, LEAST = 0.8, 0.3, 25

    def __init__(self, most: int) -> None:
        self.most = most
        self.size = min(most, self.LEAST)
        self._cautious = False

    def be_cautious(self) -> None:
        """Take few events next: a suspect has been settled alone, and more may stand behind it."""
        self._cautious = True

    def note(self, events: int, seconds: float) -> None:
        """Draw the conclusion from a batch of so many events that took so long."""
        if self._cautious:
            self.size, self._cautious = self.LEAST, False
        elif seconds > self.LONG:
            self.size = max(self.LEAST, self.size // 2)
        elif seconds < self.SHORT and 2 * events > self.size:
            self.size = min(self.most, self.size * 2)


def deliveries_of(events: Iterable[Event]) -> dict[UUID, dict[str, Delivery]]:
    """Event id → handler → delivery, of those of `events` that have been looked at before."""
    found: dict[UUID, dict[str, Delivery]] = {}
    values = {"ids": [event.id for event in events]}
    for row in fetch_rows(_statement(DELIVERIES, Delivery), values):
        delivery = Delivery.from_db("default", _columns(Delivery), row)
        found.setdefault(delivery.event_id, {})[delivery.handler] = delivery
    return found


@cache
def _columns(model: type[models.Model]) -> list[str]:
    return [str(field.column) for field in model._meta.concrete_fields]


@cache
def _statement(text: LiteralString, model: type[models.Model] = Event) -> bytes:
    columns = sql.SQL(", ").join(map(sql.Identifier, _columns(model)))
    return sql.SQL(text).format(columns=columns).as_bytes()


def _taken(rows: list[Row]) -> Taken:
    """What the rows of either statement hold: one without an event says that nothing was due."""
    events = [Event.from_db("default", _columns(Event), row[4:]) for row in rows if row[4]]
    events.sort(key=lambda event: event.position)
    now, paused, next_after, tenants = rows[0][:4]
    return Taken(now, events, frozenset(paused or ()), next_after or FIRST, tenants)
