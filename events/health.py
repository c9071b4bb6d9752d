"""Whether the engine keeps up: what has waited too long, and which handlers fail too often."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import psycopg
from django.utils.translation import gettext as _

from events import registry
from events.backlog import MOST_COUNTED, Backlog, Waiting, probe, read_backlog
from events.circuit import CircuitState
from salesflow.accounts.ids import CLOCKS_DIFFER, first_uuid7_of

# Fewer failed attempts than this say nothing: one alone may be a bad address, not a bad handler.
FEWEST_FAILURES = 3
MOST_FAILURES = 100_000
# No log is older, and no window needs to be wider.
EVER = timedelta(days=36_500)

# When an event was recorded the database's clock says, its id the publisher's: the id tells only
# where to begin.
FAILING = """
    SELECT handler, count(*), max(event_id::text) FROM (
        SELECT handler, failures, event_id FROM deliveries JOIN events ON events.id = event_id
        WHERE failures > 0 AND deliveries.status = ANY('{pending,running,failed}')
          AND event_id >= %(first)s AND events.created_at >= %(since)s
        LIMIT %(most)s
    ) AS found GROUP BY handler HAVING sum(failures) >= %(fewest)s ORDER BY handler
"""

# Counts no further than is needed to see that enough of them went well. By events_by_tenant_time:
# from the id on it would read a day's deliveries of a handler that fails.
TRIED = """
    SELECT count(*) FROM (
        SELECT FROM accounts_tenant AS tenant CROSS JOIN LATERAL (
            SELECT id FROM events WHERE tenant_id = tenant.id AND created_at >= %(since)s
        ) AS recorded JOIN deliveries ON event_id = recorded.id
        WHERE handler = %(handler)s AND attempts > 0 LIMIT %(enough)s
    ) AS found
"""

ERROR = "SELECT error FROM deliveries WHERE event_id = %(event)s AND handler = %(handler)s"

OLDEST = """
    SELECT type, events.id, slug
    FROM events LEFT JOIN accounts_tenant ON accounts_tenant.id = tenant_id
    WHERE status = 'pending' AND tenant_id = %(tenant)s ORDER BY due_at, position LIMIT 1
"""


@dataclass(frozen=True)
class Limit:
    """A number that must not be exceeded, with exceptions by name."""

    default: float
    exceptions: dict[str, float] = field(default_factory=dict)

    def of(self, name: str) -> float:
        """The limit of what is called so."""
        return self.exceptions.get(name, self.default)


@dataclass(frozen=True)
class Limits:
    """What is still healthy.

    Attributes:
        wait: seconds that what is due may wait, by queue.
        failure_rate: share of a handler's deliveries that may fail, by handler.
        window: how far back the events are looked at.
    """

    wait: Limit
    failure_rate: Limit
    window: timedelta


def parse_limit(
    parts: Iterable[str], names: Iterable[str], most: float = math.inf, base: Limit | None = None
) -> Limit:
    """Read a limit such as `60`, with exceptions such as `external=300`.

    Args:
        names: what may be excepted.
        most: the highest number that makes sense.
        base: what holds, exceptions included, where the parts give no number for all.

    Raises:
        ValueError: a part that cannot be read, an unknown name, or no number for all; the message
            says which.
    """
    named = [(name, _number(text, most)) for name, _equals, text in map(_split, parts)]
    exceptions = {name: number for name, number in named if name}
    if strange := exceptions.keys() - set(names):
        raise ValueError(_("there is no “%(name)s”") % {"name": min(strange)})
    for_all = [number for name, number in named if not name]
    if for_all:
        return Limit(for_all[-1], exceptions)
    if base is None:
        raise ValueError(_("a number without a name is missing, for all others"))
    return Limit(base.default, base.exceptions | exceptions)


def _split(part: str) -> tuple[str, str, str]:
    return part.strip().rpartition("=")


def _number(text: str, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if 0 <= number <= most:
        return number
    if most == math.inf:
        raise ValueError(_("“%(text)s” is no number from 0 on") % {"text": text})
    raise ValueError(_("“%(text)s” is no number from 0 to %(most)g") % {"text": text, "most": most})


def wait_limit(parts: Iterable[str], base: Limit | None = None) -> Limit:
    """Seconds by queue; see `parse_limit`."""
    return parse_limit(parts, ["events", "external"], base=base)


def failure_rate_limit(parts: Iterable[str], base: Limit | None = None) -> Limit:
    """Shares by handler; see `parse_limit`."""
    names = [handler.name for handler in registry.all_handlers()]
    return parse_limit(parts, names, most=1, base=base)


# --- Judgement ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """One thing that is not as it should be.

    Attributes:
        name: the queue or the handler.
        value: seconds waited, or the share that fails; `limit` is in the same unit.
        text: a sentence for people.
    """

    kind: Literal["waiting", "failing"]
    name: str
    value: float
    limit: float
    text: str


@dataclass(frozen=True)
class Health:
    """What was found."""

    backlog: Backlog
    problems: list[Problem]


def examine(limits: Limits) -> Health:
    """Look at the queues and at what the handlers did of late.

    Raises:
        psycopg.Error: the database does not answer, not in time, or is not migrated.
    """
    with probe() as own:
        backlog = read_backlog(own)
        problems = [
            *_late_events(own, backlog, limits.wait.of("events")),
            *_late_calls(backlog, limits.wait.of("external")),
            *_failing_handlers(own, limits),
        ]
    return Health(backlog, problems)


def _late_events(
    own: "psycopg.Connection[Any]", backlog: Backlog, limit: float
) -> Iterator[Problem]:
    waiting = backlog.events
    if waiting.seconds > limit:
        sentences = [_waited("events", waiting, limit), *_oldest(own, waiting), *_held(backlog)]
        yield Problem("waiting", "events", waiting.seconds, limit, " ".join(sentences))


def _oldest(own: "psycopg.Connection[Any]", waiting: Waiting) -> Iterator[str]:
    found = own.execute(OLDEST, {"tenant": waiting.tenant_id}).fetchone()
    if found:
        values = dict(zip(("type", "id", "tenant"), found, strict=True))
        yield _("The oldest is %(type)s %(id)s of %(tenant)s.") % values


def _held(backlog: Backlog) -> Iterator[str]:
    if batch := backlog.batch:
        values = {"worker": batch.worker, "seconds": batch.seconds, "handler": batch.handler}
        yield (
            _("Worker %(worker)s has been in handler %(handler)s for %(seconds).0f s.") % values
            if batch.handler
            else _("Worker %(worker)s has held a batch for %(seconds).0f s.") % values
        )


def _late_calls(backlog: Backlog, limit: float) -> Iterator[Problem]:
    broken = {row.key: row for row in backlog.breakers if row.state != CircuitState.CLOSED}
    for handler, waiting in backlog.external.items():
        if waiting.seconds > limit:
            sentences = [_waited(handler, waiting, limit)]
            if row := broken.get(handler):
                since = f"{row.since:%Y-%m-%d %H:%M:%S %Z}"
                sentences.append(_("Its circuit broke at %(since)s.") % {"since": since})
            yield Problem("waiting", handler, waiting.seconds, limit, " ".join(sentences))


def _waited(name: str, waiting: Waiting, limit: float) -> str:
    count = f"{waiting.count}+" if waiting.count == MOST_COUNTED else str(waiting.count)
    return _(
        "%(name)s: the oldest has been due for %(seconds).0f s, more than %(limit)g s; "
        "%(count)s are due."
    ) % {"name": name, "seconds": waiting.seconds, "limit": limit, "count": count}


def _failing_handlers(own: "psycopg.Connection[Any]", limits: Limits) -> Iterator[Problem]:
    now: datetime = _value(own, "SELECT statement_timestamp()", {})
    since = now - min(limits.window, EVER)
    first = first_uuid7_of(since, -CLOCKS_DIFFER)
    values = {"since": since, "first": first, "most": MOST_FAILURES, "fewest": FEWEST_FAILURES}
    for handler, failing, event_id in own.execute(FAILING, values).fetchall():
        limit = limits.failure_rate.of(handler)
        enough = math.ceil(failing / limit) if limit else MOST_FAILURES
        wanted = {"since": since, "handler": handler, "enough": enough}
        tried = max(failing, _value(own, TRIED, wanted))
        if failing / tried > limit:
            error = _value(own, ERROR, {"event": event_id, "handler": handler})
            yield _failing(handler, failing, tried, limit, limits.window, error)


def _failing(
    handler: str, failing: int, tried: int, limit: float, window: timedelta, error: str
) -> Problem:
    text = _(
        "%(handler)s fails for %(failing)d of %(tried)d events of the last %(minutes)g minutes, "
        "more than %(percent)g %%. The latest error: %(error)s"
    ) % {
        "handler": handler,
        "failing": failing,
        "tried": tried,
        "minutes": window.total_seconds() / 60,
        "percent": limit * 100,
        "error": error.partition("\n")[0],
    }
    return Problem("failing", handler, failing / tried, limit, text)


def _value(own: "psycopg.Connection[Any]", statement: str, values: dict[str, Any]) -> Any:
    row = own.execute(statement, values).fetchone()
    return row[0] if row else ""
