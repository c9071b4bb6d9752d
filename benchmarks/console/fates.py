"""Which events did not just go well: those that failed, wait, or were mended."""

from benchmarks.console.formulas import tenant_chosen
from benchmarks.console.shape import STRIDE, TENANTS, Shape
from benchmarks.database import rows_of
from salesflow.accounts.ids import uuid7

# A mark says what became of an event, and at which handler; `replayed_at` is when it was run again.
MARKS = """
    CREATE TEMP TABLE marks (
        n bigint PRIMARY KEY, fate text NOT NULL, g int, kind int, handler text, tenant_no int,
        replay_id uuid, replayed_at timestamptz, group_id bigint
    )
"""
LAST = len(TENANTS) - 1
# The events of a group are spread over its time, on numbers that are its alone. The smallest tenant
# has its share of trouble.
IN_GROUPS = f"""
    WITH placed AS (
        SELECT g, {STRIDE} * ((first + (last - first) * i / total) / {STRIDE}) + g AS n
        FROM windows CROSS JOIN LATERAL generate_series(0, total - 1) AS i
    ), ranked AS (
        SELECT g, n, row_number() OVER (
            PARTITION BY g ORDER BY n > %(an_hour)s, n > %(a_day)s, hashint8extended(n, 9)
        ) AS place FROM placed
    )
    INSERT INTO marks (n, fate, g, kind, handler, tenant_no)
    SELECT n, fate, g, ways.kind, ways.handler, CASE
        WHEN n BETWEEN %(first_imported)s AND %(last_imported)s THEN 0
        WHEN ways.tenants > {LAST} AND pg_temp.share_of(n, 14) < 0.05 THEN {LAST}
        ELSE least({tenant_chosen("n")}, ways.tenants - 1)
    END
    FROM ranked JOIN ways USING (g)
    JOIN quotas USING (g) WHERE place > quotas.after AND place <= quotas.upto
"""
# First failures of the last minutes, which are tried again.
RETRYING = f"""
    INSERT INTO marks (n, fate, g, kind, handler, tenant_no)
    SELECT n, 'retrying', g, ways.kind, ways.handler, least({tenant_chosen("n")}, ways.tenants - 1)
    FROM (
        SELECT {STRIDE} * i + 41 AS n, i %% 40 AS g
        FROM generate_series(%(first)s / {STRIDE}, %(last)s / {STRIDE}) AS i
    ) AS slot JOIN ways USING (g)
"""
# What waits for a paused handler since yesterday, and for calls of the last hour.
WAITING = f"""
    INSERT INTO marks (n, fate, kind, handler, tenant_no)
    SELECT n, %(fate)s, kinds.no, %(handler)s, {tenant_chosen("n")} FROM (
        SELECT {STRIDE} * i + %(place)s AS n
        FROM generate_series(%(first)s / {STRIDE}, %(last)s / {STRIDE}) AS i LIMIT %(most)s
    ) AS slot JOIN kinds ON kinds.name = %(kind)s
"""
# No worker has come by for the newest ones.
FRESH = """
    INSERT INTO marks (n, fate) SELECT n, 'fresh' FROM generate_series(%(first)s, %(last)s) AS n
    ON CONFLICT DO NOTHING
"""
REPLAYED = """
    UPDATE marks SET replay_id = CASE
            WHEN fate = 'healed alone'
                THEN pg_temp.id_of(n + 2000000000000, pg_temp.moment_of(n) + interval '1 hour')
            WHEN fate IN ('healed', 'failed again') THEN %(finished)s::uuid
            ELSE %(running)s::uuid
        END, replayed_at = CASE
            WHEN fate = 'healed alone' THEN pg_temp.moment_of(n) + interval '1 hour'
            WHEN fate IN ('healed', 'failed again')
                THEN %(finished_at)s::timestamptz + interval '8 minutes' * pg_temp.share_of(n, 21)
            ELSE %(running_since)s::timestamptz + interval '2 minutes' * pg_temp.share_of(n, 21)
        END
    WHERE fate IN ('healed alone', 'healed', 'failed again', 'healed just now',
                   'failed again just now', 'released', 'waiting')
"""
PAUSED = "handle_autopilot_action"


def mark_fates(shape: Shape) -> None:
    """Decide about every event that has a fate of its own."""
    imported = shape.imported
    rows_of(MARKS)
    rows_of(
        IN_GROUPS,
        a_day=shape.upto(0.9),
        an_hour=shape.upto(0.98),
        first_imported=imported.first,
        last_imported=imported.last,
    )
    rows_of(RETRYING, first=shape.upto(0.996), last=shape.upto(0.999) - STRIDE)
    _wait("parked", PAUSED, "autopilot.action_executed", 42, shape.upto(0.92), shape)
    _wait("calling", "deliver_message", "message.queued", 43, shape.upto(0.98), shape)
    rows_of(FRESH, first=shape.upto(0.999) + 1, last=shape.events)
    rows_of(
        REPLAYED,
        finished=uuid7(),
        running=uuid7(),
        finished_at=shape.finished_at,
        running_since=shape.running_since,
    )
    rows_of("ANALYZE marks")


def _wait(fate: str, handler: str, kind: str, place: int, first: int, shape: Shape) -> None:
    values = {"fate": fate, "handler": handler, "kind": kind, "place": place}
    last, most = shape.upto(0.999) - STRIDE, max(2, shape.failed // 10)
    rows_of(WAITING, **values, first=first, last=last, most=most)
