"""What the tallies say: how much went through, how much of it failed, how long it took."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from events.models import Tally
from events.models.tally import EVERYBODY
from events.rows import fetch_rows
from events.tallies import BOUNDS

LENGTHS = {Tally.Span.MINUTE: timedelta(minutes=1), Tally.Span.HOUR: timedelta(hours=1)}

# By tallies_by_tenant: as many rows as there were handlers and types at work in that time, however
# many events there were.
WITHIN = """
    FROM tallies WHERE span = %(span)s::text
      AND starts_at > date_trunc(%(span)s::text, statement_timestamp(), 'UTC') - %(window)s
      AND tenant_id = ANY(%(tenants)s::uuid[])
"""
RATES = f"""
    SELECT statement_timestamp(), found.* FROM (SELECT 1) AS always LEFT JOIN (
        SELECT kind, CASE WHEN kind = 'handler' OR %(by_type)s THEN name ELSE '' END AS known,
               starts_at, sum(succeeded)::bigint, sum(failed)::bigint, sum(retried)::bigint
        {WITHIN} GROUP BY kind, known, starts_at ORDER BY starts_at
    ) AS found ON true
"""  # noqa: S608 (a constant)
# To add up columns takes a tenth of the time that unnesting the arrays would.
DURATIONS = f"""
    SELECT name, {", ".join(f"sum(durations[{i + 1}])::bigint" for i in range(len(BOUNDS) + 1))}
    {WITHIN} AND kind = 'handler' GROUP BY name
"""


class Rate(NamedTuple):
    """What a handler did, or what became of an event type, in a minute, an hour, or longer.

    Attributes:
        starts_at: when that time began.
        failed: deliveries that gave up, or events that failed.
        retried: attempts that failed and are made again; none of an event type.
    """

    starts_at: datetime
    succeeded: int = 0
    failed: int = 0
    retried: int = 0

    @property
    def broken(self) -> int:
        """The attempts that failed, for now or for good."""
        return self.failed + self.retried

    @property
    def tried(self) -> int:
        """All attempts."""
        return self.succeeded + self.broken

    @property
    def share(self) -> float:
        """The share of the attempts that failed, from 0 to 1."""
        return self.broken / self.tried if self.tried else 0.0


Rates = dict[str, list[Rate]]
"""Name → its rates, the oldest first; a time in which nothing happened has none."""


@dataclass(frozen=True)
class Activity:
    """What went on in the last minutes, or in the last hours.

    Attributes:
        starts: when each of those began, the oldest first.
        now: the database's time.
        types: those of all types together are under "", unless they were asked for by type.
    """

    now: datetime
    starts: list[datetime]
    handlers: Rates
    types: Rates


def activity(
    span: str, count: int, tenants: Sequence[UUID] | None, *, by_type: bool = False
) -> Activity:
    """The rates of the last minutes or hours, the present one included.

    Args:
        span: see `Tally.Span`.
        count: how many minutes or hours.
        tenants: whose; None: everybody's.
        by_type: tell what became of each event type apart.
    """
    found: dict[str, Rates] = {Tally.Kind.HANDLER: {}, Tally.Kind.TYPE: {}}
    rows = fetch_rows(RATES, {**_window(span, count, tenants), "by_type": by_type})
    for _now, kind, name, *figures in rows:
        if kind:
            found[kind].setdefault(name, []).append(Rate(*figures))
    now = rows[0][0].astimezone(UTC)
    starts = times(span, count, now)
    return Activity(now, starts, found[Tally.Kind.HANDLER], found[Tally.Kind.TYPE])


def durations(span: str, count: int, tenants: Sequence[UUID] | None) -> dict[str, list[int]]:
    """Handler → how many events took how long, for `events.tallies.quantile`; see `activity`."""
    rows = fetch_rows(DURATIONS, _window(span, count, tenants))
    return {name: [count or 0 for count in counts] for name, *counts in rows}


def _window(span: str, count: int, tenants: Sequence[UUID] | None) -> dict[str, Any]:
    length = LENGTHS[Tally.Span(span)]
    listed = [EVERYBODY] if tenants is None else list(tenants)
    return {"span": str(span), "window": length * count, "tenants": listed}


def times(span: str, count: int, now: datetime) -> list[datetime]:
    """When the last minutes or hours began, the present one included, the oldest first."""
    minute = now.replace(second=0, microsecond=0)
    present = minute if span == Tally.Span.MINUTE else minute.replace(minute=0)
    return [present - LENGTHS[Tally.Span(span)] * back for back in range(count - 1, -1, -1)]


def summed(rates: Iterable[Rate], starts_at: datetime) -> Rate:
    """All of them as one that began then."""
    listed = list(rates)
    return Rate(
        starts_at,
        sum(rate.succeeded for rate in listed),
        sum(rate.failed for rate in listed),
        sum(rate.retried for rate in listed),
    )


def by_time(rates: Mapping[str, Sequence[Rate]], starts: Sequence[datetime]) -> list[Rate]:
    """The rates of all names together, one for each of these times."""
    found = {start: [0, 0, 0] for start in starts}
    for rate in _all(rates):
        if sums := found.get(rate.starts_at):
            sums[0] += rate.succeeded
            sums[1] += rate.failed
            sums[2] += rate.retried
    return [Rate(start, *sums) for start, sums in found.items()]


def since(rates: Iterable[Rate], start: datetime) -> Rate:
    """What happened from then on, as one."""
    return summed((rate for rate in rates if rate.starts_at >= start), start)


def broken_since(rates: Sequence[Rate], limit: float) -> datetime | None:
    """When the failures began that go on: the share has exceeded the limit ever since.

    A time in which nothing was tried says nothing, and has no rate.

    Args:
        rates: of one name, the oldest first.
        limit: the share from which on it counts as broken.
    """
    began = None
    for rate in reversed(rates):
        if rate.share <= limit:
            break
        began = rate.starts_at
    return began


def _all(rates: Mapping[str, Sequence[Rate]]) -> Iterator[Rate]:
    for listed in rates.values():
        yield from listed
