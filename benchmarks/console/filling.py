"""Filling a database with a log: a few statements, in one transaction."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from django.core.management import call_command
from django.db import transaction

from benchmarks.console.alerts import write_switches
from benchmarks.console.fates import mark_fates
from benchmarks.console.figures import count_everything, write_groups
from benchmarks.console.formulas import prepare_formulas
from benchmarks.console.kinds import kinds, ways
from benchmarks.console.log import write_log, write_what_followed
from benchmarks.console.people import make_cast
from benchmarks.console.replays import write_audit, write_replays
from benchmarks.console.shape import Shape
from benchmarks.database import rows_of

TABLES = (
    "events",
    "deliveries",
    "attempts",
    "failure_groups",
    "failure_counts",
    "tallies",
    "replays",
    "replay_items",
    "audit_lines",
    "alert_rules",
    "alerts",
    "handler_pauses",
    "breakers",
)
INDEXES = """
    SELECT indexname, indexdef FROM pg_indexes
    WHERE tablename = ANY(%(tables)s) AND schemaname = current_schema()
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conname = indexname)
"""
# Large sorts in memory, as far as they fit.
ROOM = "SET LOCAL maintenance_work_mem = '512MB'; SET LOCAL work_mem = '128MB'; SET LOCAL jit = off"
STATUSES = "SELECT status, count(*) FROM {table} GROUP BY 1 ORDER BY 1"
Say = Callable[[str], object]


def fill(events: int, moment: datetime, say: Say = lambda text: None) -> None:
    """Make the log in a database that is migrated; what was there goes.

    Args:
        events: how many, at least a few thousand.
        moment: when the last one was recorded.
        say: is told how far it is.
    """
    shape, cast = Shape(events, moment), make_cast()
    known = kinds()
    actor = cast.superuser.pk
    # Tables that were emptied in the transaction that fills them are not written twice.
    with transaction.atomic():
        rows_of(ROOM)
        rows_of(f"TRUNCATE {', '.join(TABLES)} RESTART IDENTITY")
        prepare_formulas(shape, cast.tenants, known, ways(known))
        mark_fates(shape)
        write_groups(shape, actor)
        with indexes_put_off():
            write_log(shape, known, actor, say)
        say("  failures, replays, figures\n")
        rows_of("ANALYZE events, deliveries")
        write_what_followed(actor)
        write_replays(shape, actor)
        write_audit(actor)
        count_everything(shape)
        write_switches(cast)
    rows_of(f"VACUUM (ANALYZE) {', '.join(TABLES)}")
    rows_of("DISCARD TEMP")


@contextmanager
def indexes_put_off() -> Iterator[None]:
    """The indexes of the largest tables are built at the end, which is quicker."""
    indexes = rows_of(INDEXES, tables=["events", "deliveries"])
    for name, _definition in indexes:
        rows_of(f'DROP INDEX "{name}"')
    yield
    for _name, definition in indexes:
        rows_of(definition)


def prepare() -> None:
    """Bring the database to the newest schema."""
    call_command("migrate", verbosity=0, interactive=False)


def filled(events: int) -> bool:
    """Whether a log of so many events is there."""
    [(position,)] = rows_of("SELECT max(position) FROM events")
    return bool(position == events)


def counts() -> dict[str, int]:
    """Table, and status where rows have one → number of rows."""
    found: dict[str, int] = {}
    for table in TABLES:
        [(found[table],)] = rows_of(f"SELECT count(*) FROM {table}")
        if table in ("events", "deliveries", "replays", "replay_items"):
            for status, number in rows_of(STATUSES.format(table=table)):
                found[f"{table}: {status}"] = number
    return found
