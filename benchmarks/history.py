"""What a year of settled events in the tables costs a new one."""

from dataclasses import dataclass

from benchmarks.database import bench_tenant, empty, rows_of, settle_down
from benchmarks.peers.peer import Broker, Mode
from benchmarks.stage import Stage
from benchmarks.throughput import measure_throughput

SLICE = 500_000
DAYS = 365

# PostgreSQL's uuidv7 takes a shift: these ids are of all of the last year, in order.
FILL = """
    WITH given AS (
        SELECT n, make_interval(secs => -%(seconds)s * (1 - n / %(total)s::float) - 1) AS shift
        FROM generate_series(%(first)s, %(last)s) AS n
    ), written AS (
        INSERT INTO events (id, tenant_id, type, version, payload, status, source, request_id,
                            subject_type, subject_id, occurred_at, created_at, due_at, processed_at,
                            error_message)
        SELECT uuidv7(shift), %(tenant)s, 'prospect.imported', 1,
               jsonb_build_object('prospect_id', subject.id, 'source', 'import'), 'processed',
               'system', '', 'prospect', subject.id, now() + shift, now() + shift, now() + shift,
               now() + shift, ''
        FROM given CROSS JOIN LATERAL (SELECT uuidv7(shift) AS id) AS subject
        RETURNING id, processed_at
    )
    INSERT INTO deliveries (event_id, handler, status, attempts, failures, worker, duration_ms,
                            error, created_at, finished_at)
    SELECT id, 'welcome_imported', 'succeeded', 1, 0, 'history', 0.1, '', processed_at, processed_at
    FROM written
"""
INDEXES = """
    SELECT indexname, indexdef FROM pg_indexes
    WHERE tablename IN ('events', 'deliveries') AND schemaname = current_schema()
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conname = indexname)
"""


@dataclass(frozen=True)
class OnHistory:
    """Throughput of this engine, in bulk, on top of settled events."""

    settled_before: int
    events: int
    seconds: float

    @property
    def microseconds_per_event(self) -> float:
        """What one event took."""
        return 1_000_000 * self.seconds / self.events

    @property
    def figure(self) -> str:
        """It, for people."""
        return f"{self.microseconds_per_event:,.0f} µs an event"


def measure_on_history(
    stage: Stage, broker: Broker, settled: int, events: int, *, refill: bool
) -> OnHistory:
    """Publish and settle `events` events on top of `settled` ones.

    Args:
        refill: fill the tables anew; else they hold what an earlier round has left.
    """
    if refill:
        empty()
        fill(settled)
    found = measure_throughput(stage, "salesflow", Mode.BULK, broker, events, on_top=True)
    return OnHistory(settled, events, found.seconds)


def fill(count: int) -> None:
    """Put settled events of a year into the empty tables."""
    indexes = rows_of(INDEXES)
    for name, _definition in indexes:  # quicker to build at the end
        rows_of(f'DROP INDEX "{name}"')
    span = {"tenant": bench_tenant().id, "total": count, "seconds": DAYS * 86400}
    for first in range(0, count, SLICE):
        rows_of(FILL, first=first + 1, last=min(first + SLICE, count), **span)
    rows_of("SET maintenance_work_mem = '512MB'")
    for _name, definition in indexes:
        rows_of(definition)
    rows_of("RESET maintenance_work_mem")
    settle_down()
