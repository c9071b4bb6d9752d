"""The log itself: events, what each handler did with them, and every attempt that failed."""

from collections.abc import Callable

from benchmarks.console.formulas import chosen, tenant_chosen
from benchmarks.console.kinds import Kind
from benchmarks.console.shape import Shape
from benchmarks.database import rows_of
from events.models.delivery import UNTIL_RESUMED
from events.pauses import WAITS

SLICE = 500_000
IMPORT = "import-2f6c1a9e"
WORKER = "worker-1@bench"
PENDING = "('fresh', 'retrying', 'released', 'calling', 'parked')"
# Milliseconds: most calls are short, calls out of the house are not.
TOOK = """
    round((-ln(1 - pg_temp.share_of(log.n, 31))
          * CASE WHEN {external} THEN 180 ELSE 2 END)::numeric, 3)::float8
"""
SOURCES = ("web", "api", "import", "handler", "system", "admin")
SOURCE_SHARES = (0.4, 0.25, 0.1, 0.2, 0.04, 0.01)


def numbered(kinds: list[Kind], shape: Shape) -> str:
    """SQL of the events with these numbers and what was decided about them, as rows `log`."""
    imported = f"n BETWEEN {shape.imported.first} AND {shape.imported.last}"
    created = next(kind.number for kind in kinds if kind.name == "lead.created")
    kind = chosen(tuple(kind.share for kind in kinds), 2, "n")
    busy = shape.events // max(1, shape.events // 2500)
    return f"""
        SELECT n, at, imported, numbered.id, source, kinds.*, owners.id AS tenant_id,
               marks.fate, marks.group_id, marks.handler, marks.replay_id, marks.replayed_at,
               coalesce(ways.sentence, '') AS sentence, coalesce(ways.most, 1) AS most,
               CASE WHEN kinds.subject <> '' THEN pg_temp.lead_of(owners.no * 100000000::bigint
                   + CASE WHEN n %% {busy} = 7 THEN -1
                     ELSE (pg_temp.share_of(n, 4) * {shape.leads})::bigint END) END AS lead
        FROM (
            SELECT n, at, {imported} AS imported, pg_temp.id_of(n, at) AS id, CASE
                WHEN {imported} THEN 'import'
                ELSE (ARRAY{list(SOURCES)})[1 + {chosen(SOURCE_SHARES, 5, "(n / 4)")}] END AS source
            FROM (
                SELECT n, pg_temp.moment_of(n) AS at
                FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n OFFSET 0
            ) AS timed OFFSET 0
        ) AS numbered
        LEFT JOIN marks USING (n) LEFT JOIN ways USING (g)
        JOIN kinds ON kinds.no = coalesce(
            marks.kind, CASE WHEN imported THEN {created} ELSE {kind} END)
        JOIN owners ON owners.no = coalesce(
            marks.tenant_no, CASE WHEN imported THEN 0 ELSE {tenant_chosen("n")} END)
    """


# A request publishes up to four events, of which the later ones may be caused by the first.
EVENTS = """
    INSERT INTO events (
        id, position, tenant_id, type, version, payload, status, source, request_id, subject_type,
        subject_id, actor_id, cause_id, occurred_at, created_at, due_at, processed_at, error_message
    )
    SELECT log.id, log.n, tenant_id, name, version,
        CASE WHEN lead IS NULL THEN payload
             ELSE payload || jsonb_build_object('lead_id', lead) END,
        CASE WHEN fate IN ('failed', 'waiting', 'failed again', 'failed again just now')
                THEN 'failed'
             WHEN fate IN {pending} THEN 'pending' ELSE 'processed' END,
        source,
        CASE WHEN imported THEN '{request}' WHEN pg_temp.share_of(log.n / 4, 6) < 0.1 THEN ''
             WHEN fate IS NULL THEN 'req-' || to_hex(hashint8extended(log.n / 4, 6))
             ELSE 'req-' || to_hex(hashint8extended(log.n, 7)) END,
        subject, lead,
        CASE WHEN source IN ('web', 'admin') THEN %(actor)s::int END,
        CASE WHEN log.n %% 4 IN (1, 2) AND fate IS NULL AND source = 'handler' AND NOT EXISTS (
                SELECT FROM marks AS first WHERE first.n = log.n - log.n %% 4)
             THEN pg_temp.id_of(log.n - log.n %% 4, pg_temp.moment_of(log.n - log.n %% 4)) END,
        at, at,
        CASE fate WHEN 'retrying' THEN {next_try} WHEN 'parked' THEN '{until_resumed}'
            WHEN 'calling' THEN at + interval '10 minutes' WHEN 'released' THEN replayed_at
            ELSE at END,
        CASE WHEN fate IN {pending} THEN NULL ELSE coalesce(
            CASE WHEN fate <> 'waiting' THEN replayed_at END, at) + interval '0.4 s' END,
        CASE WHEN fate IN ('failed', 'waiting', 'failed again', 'failed again just now', 'retrying')
             THEN handler || ': ' || sentence ELSE '' END
    FROM ({log}) AS log
"""
NEXT_TRY = "'{moment}'::timestamptz + interval '1 hour' * pg_temp.share_of(log.n, 8)"
DELIVERIES = """
    INSERT INTO deliveries (
        event_id, handler, tenant_id, status, attempts, failures, next_attempt_at, worker,
        duration_ms, error, replay_id, group_id, created_at, finished_at
    )
    SELECT log.id, each.handler, CASE WHEN each.external THEN tenant_id END,
        CASE WHEN met IN ('failed', 'waiting', 'failed again', 'failed again just now')
                THEN 'failed'
             WHEN met IN {pending} THEN 'pending' WHEN met = 'corrected' THEN 'skipped'
             ELSE 'succeeded' END,
        CASE WHEN met IN ('failed', 'waiting', 'corrected', 'released') THEN most
             WHEN met IN ('failed again', 'failed again just now') THEN 2 * most
             WHEN met IN ('healed', 'healed alone', 'healed just now') THEN most + 1
             WHEN met = 'retried' THEN 2 WHEN met IN ('calling', 'parked') THEN 0 ELSE 1 END,
        CASE WHEN met IN ('failed', 'waiting', 'failed again', 'failed again just now') THEN most
             WHEN met = 'retrying' THEN 1 ELSE 0 END,
        CASE met WHEN 'retrying' THEN {next_try} WHEN 'parked' THEN '{until_resumed}'
            WHEN 'calling' THEN at + interval '0.1 s' END,
        CASE WHEN met IN ('calling', 'parked') THEN '' ELSE '{worker}' END,
        CASE WHEN met IN ('calling', 'parked') THEN NULL ELSE {took} END,
        CASE WHEN met IN ('failed', 'waiting', 'failed again', 'failed again just now', 'retrying',
                          'released') THEN sentence
             WHEN met = 'corrected' THEN 'corrected by ' || {correction}
             WHEN met = 'parked' THEN '{waits}' ELSE '' END,
        CASE WHEN met <> 'waiting' THEN replay_id END,
        CASE WHEN met IS NOT NULL THEN group_id END, at,
        CASE WHEN met IN ('calling', 'parked') THEN NULL ELSE coalesce(
            CASE WHEN met NOT IN ('waiting', 'released') THEN replayed_at END, at)
            + interval '0.4 s' END
    FROM ({log}) AS log
    CROSS JOIN LATERAL unnest(handlers, external) AS each (handler, external)
    CROSS JOIN LATERAL (SELECT CASE WHEN log.handler = each.handler THEN fate END AS met) AS mark
    WHERE fate IS DISTINCT FROM 'fresh' ORDER BY log.n
"""
CORRECTION = "pg_temp.id_of({n} + 1000000000000, pg_temp.moment_of({n}) + interval '30 minutes')"

# Published in the place of what they correct, and handled.
CORRECTIONS = f"""
    WITH written AS (
        INSERT INTO events (
            id, position, tenant_id, type, version, payload, status, source, request_id,
            subject_type, subject_id, actor_id, corrects_id, occurred_at, created_at, due_at,
            processed_at, error_message
        )
        SELECT {CORRECTION.format(n="marks.n")}, original.position, original.tenant_id,
            original.type, original.version, original.payload, 'processed', 'admin',
            'req-' || to_hex(hashint8extended(marks.n, 7)), original.subject_type,
            original.subject_id, %(actor)s, original.id, original.occurred_at,
            original.created_at + interval '30 minutes', original.due_at + interval '30 minutes',
            original.created_at + interval '30 minutes 1 second', ''
        FROM marks JOIN events AS original
            ON original.id = pg_temp.id_of(marks.n, pg_temp.moment_of(marks.n))
        WHERE fate = 'corrected'
        RETURNING id, corrects_id, created_at, processed_at
    )
    INSERT INTO deliveries (event_id, handler, tenant_id, status, attempts, failures, worker,
                            duration_ms, error, created_at, finished_at)
    SELECT written.id, deliveries.handler, deliveries.tenant_id, 'succeeded', 1, 0, '{WORKER}', 3,
           '', written.created_at, processed_at
    FROM written JOIN deliveries ON deliveries.event_id = corrects_id
"""

# All attempts of what did not go well at once. The last one may be a replay's.
ATTEMPTS = f"""
    INSERT INTO attempts (
        delivery_id, number, status, started_at, duration_ms, error_type, error, traceback, worker,
        replay_id, group_id
    )
    SELECT tried.id, number, CASE WHEN ok THEN 'succeeded' ELSE 'failed' END,
        CASE WHEN again THEN replayed_at + (number - most) * interval '0.1 s'
             ELSE tried.created_at + (number * number) * interval '0.3 s' END,
        coalesce(duration_ms, 1),
        CASE WHEN ok THEN '' ELSE regexp_replace(error_type, '.*\\.', '') END,
        CASE WHEN ok THEN '' ELSE sentence END, CASE WHEN ok THEN '' ELSE traceback END,
        '{WORKER}', CASE WHEN again THEN tried.replay_id END, CASE WHEN NOT ok THEN group_id END
    FROM (
        SELECT deliveries.*, marks.fate, marks.replayed_at, ways.most, ways.error_type,
               ways.sentence, ways.traceback
        FROM marks JOIN ways USING (g) JOIN deliveries
            ON deliveries.event_id = pg_temp.id_of(marks.n, pg_temp.moment_of(marks.n))
            AND deliveries.handler = ways.handler
    ) AS tried CROSS JOIN LATERAL generate_series(1, attempts) AS number
    CROSS JOIN LATERAL (
        SELECT number = attempts AND tried.status = 'succeeded' AS ok,
               number > most AND fate NOT IN ('failed', 'waiting') AS again
    ) AS told
    ORDER BY tried.id, number
"""


def write_log(
    shape: Shape, kinds: list[Kind], actor: int, say: Callable[[str], object] = lambda text: None
) -> None:
    """Write events and deliveries, slice by slice."""
    texts = {
        "log": numbered(kinds, shape),
        "pending": PENDING,
        "request": IMPORT,
        "worker": WORKER,
        "waits": WAITS,
        "until_resumed": UNTIL_RESUMED.isoformat(),
        "next_try": NEXT_TRY.format(moment=shape.moment.isoformat()),
        "took": TOOK.format(external="each.external"),
        "correction": CORRECTION.format(n="log.n"),
    }
    events, deliveries = EVENTS.format(**texts), DELIVERIES.format(**texts)
    for first in range(1, shape.events + 1, SLICE):
        last = min(first + SLICE - 1, shape.events)
        rows_of(events, first=first, last=last, actor=actor)
        rows_of(deliveries, first=first, last=last)
        say(f"  {last:,} events\n")
    rows_of("SELECT setval('events_position_seq', %(last)s)", last=shape.events)


def write_what_followed(actor: int) -> None:
    """Write corrections and attempts; the indexes are there by now."""
    rows_of(CORRECTIONS, actor=actor)
    rows_of(ATTEMPTS)
