"""What the engine counts beside the log: failure groups and the tallies."""

from benchmarks.console.shape import Shape
from benchmarks.database import rows_of
from events.models.tally import EVERYBODY
from events.tallies import BOUNDS

# A row for each tenant that is hit; the counts follow when there are attempts.
GROUPS = """
    CREATE TEMP TABLE grouped (g int, tenant_no int, id bigint);
    WITH hit AS (
        SELECT DISTINCT g, tenant_no FROM marks WHERE g IS NOT NULL
    ), made AS (
        INSERT INTO failure_groups (
            tenant_id, fingerprint, handler, error_type, frame, message, traceback, occurrences,
            first_seen_at, last_seen_at, state, state_changed_at, note, ticket_url, owner_id
        )
        SELECT owners.id, fingerprint, handler, error_type, frame, message, traceback, 0,
               %(moment)s, %(moment)s, state, %(moment)s::timestamptz - interval '2 days', '', '',
               CASE WHEN state = 'acknowledged' THEN %(actor)s::int END
        FROM hit JOIN ways USING (g) JOIN owners ON owners.no = tenant_no
        ORDER BY g, tenant_no
        RETURNING id, tenant_id, fingerprint
    )
    INSERT INTO grouped SELECT ways.g, owners.no, made.id
    FROM made JOIN ways USING (fingerprint) JOIN owners ON owners.id = made.tenant_id
"""
JOIN = """
    UPDATE marks SET group_id = grouped.id FROM grouped
    WHERE grouped.g = marks.g AND grouped.tenant_no = marks.tenant_no
"""
OCCURRENCES = """
    UPDATE failure_groups SET occurrences = seen.number, first_seen_at = seen.first,
        last_seen_at = seen.last, last_event_id = seen.event_id
    FROM (
        SELECT attempts.group_id, count(*) AS number, min(started_at) AS first,
               max(started_at) AS last,
               (array_agg(event_id ORDER BY started_at DESC))[1] AS event_id
        FROM attempts JOIN deliveries ON deliveries.id = delivery_id
        WHERE attempts.status = 'failed' GROUP BY 1
    ) AS seen WHERE failure_groups.id = seen.group_id
"""
COUNTS = """
    INSERT INTO failure_counts (group_id, bucket_at, occurrences)
    SELECT group_id, date_bin('10 minutes', started_at, 'epoch'::timestamptz), count(*)
    FROM attempts WHERE status = 'failed' GROUP BY 1, 2
"""

# Calls that went well are on the deliveries, those that failed on the attempts.
COUNTED = """
    SELECT 'handler' AS kind, handler AS name, events.tenant_id, finished_at AS at,
           1 AS succeeded, 0 AS failed, 0 AS retried, duration_ms
    FROM deliveries JOIN events ON events.id = event_id WHERE deliveries.status = 'succeeded'
    UNION ALL
    SELECT 'handler', handler, events.tenant_id, started_at, 0, gave_up::int, 1 - gave_up::int,
           attempts.duration_ms
    FROM attempts JOIN deliveries ON deliveries.id = delivery_id JOIN events ON events.id = event_id
    CROSS JOIN LATERAL (
        SELECT deliveries.status = 'failed' AND number = attempts AS gave_up
    ) AS outcome
    WHERE attempts.status = 'failed'
    UNION ALL
    SELECT 'type', type, tenant_id, processed_at, (status = 'processed')::int,
           (status = 'failed')::int, 0, NULL
    FROM events WHERE status <> 'pending'
"""
BUCKETS = ", ".join(f"count(*) FILTER (WHERE bucket = {i})" for i in range(len(BOUNDS) + 1))
TALLIES = f"""
    INSERT INTO tallies (span, starts_at, kind, name, tenant_id, succeeded, failed, retried,
                         durations)
    SELECT %(span)s, starts_at, kind, name, coalesce(tenant_id, '{EVERYBODY}'),
           sum(succeeded), sum(failed), sum(retried),
           CASE kind WHEN 'handler' THEN ARRAY[{BUCKETS}] ELSE '{{}}'::bigint[] END
    FROM (
        SELECT *, date_trunc(%(span)s, at, 'UTC') AS starts_at,
               width_bucket(duration_ms / 1000, ARRAY{list(map(float, BOUNDS))}) AS bucket
        FROM ({COUNTED.replace("number = attempts", "number = deliveries.attempts")}) AS calls
        WHERE at > %(since)s
    ) AS counted
    GROUP BY GROUPING SETS ((starts_at, kind, name, tenant_id), (starts_at, kind, name))
"""


def write_groups(shape: Shape, actor: int) -> None:
    """Make the failure groups, before deliveries name them."""
    rows_of(GROUPS, moment=shape.moment, actor=actor)
    rows_of(JOIN)
    rows_of("ANALYZE marks")


def count_everything(shape: Shape) -> None:
    """Count what is in the log, as the engine would have meanwhile."""
    rows_of(OCCURRENCES)
    rows_of(COUNTS)
    rows_of(TALLIES, span="hour", since=shape.moment.replace(year=2000))
    day = "%(moment)s - interval '25 hours'"
    rows_of(TALLIES.replace("%(since)s", day), span="minute", moment=shape.moment)
