"""What years of settled events in the tables cost a new one."""

from benchmarks.database import bench_tenant, rows_of, settle_down

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


def fill(start: int, end: int) -> None:
    """Add settled events to the `start` ones that are there, until there are `end` of them."""
    indexes = rows_of(INDEXES)
    for name, _definition in indexes:  # quicker to build at the end
        rows_of(f'DROP INDEX "{name}"')
    for first in range(start, end, SLICE):
        last = min(first + SLICE, end)
        span = {"tenant": bench_tenant().id, "total": end, "seconds": DAYS * 86400}
        rows_of(FILL, first=first + 1, last=last, **span)
    rows_of("SET maintenance_work_mem = '512MB'")
    for _name, definition in indexes:
        rows_of(definition)
    rows_of("RESET maintenance_work_mem")
    settle_down()
