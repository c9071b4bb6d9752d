"""Replays over the log: thousands of one event, a large one that ended, one that runs, one paused;
and what people did, line by line."""

from uuid import UUID

from benchmarks.console.shape import Shape
from benchmarks.database import rows_of
from salesflow.accounts.ids import uuid7

# Fate → what its item says.
ITEM = """
    CASE fate WHEN 'released' THEN 'released' WHEN 'waiting' THEN 'waiting'
        WHEN 'failed again' THEN 'failed' WHEN 'failed again just now' THEN 'failed'
        ELSE 'succeeded' END
"""
# Programs replay single events: each of these has a row of its own.
REPLAYS = f"""
    INSERT INTO replays (
        id, tenant_id, reason, actor_id, handlers, include_external, kind, selection,
        plan, status, selected, has_canary, stop_percent, released, released_at, created_at,
        started_at, finished_at, succeeded, failed, skipped, skipped_because
    )
    SELECT replay_id, CASE WHEN count(DISTINCT owners.id) = 1 THEN min(owners.id::text)::uuid END,
        CASE WHEN count(*) = 1 THEN 'Mended in the CRM' ELSE 'The CRM answers again' END,
        CASE WHEN count(*) > 1 THEN %(actor)s::int END, '{{}}', bool_or(ways.external),
        'replay', CASE WHEN count(*) > 1 THEN '{{"status": "failed"}}'::jsonb ELSE '{{}}' END,
        '{{}}',
        CASE WHEN bool_or(fate IN ('waiting', 'released')) THEN 'running' ELSE 'finished' END,
        count(*), count(*) > 1, CASE WHEN count(*) > 1 THEN 10 END,
        count(*) FILTER (WHERE fate <> 'waiting'), min(replayed_at), min(replayed_at),
        min(replayed_at), CASE WHEN bool_or(fate IN ('waiting', 'released')) THEN NULL
            ELSE max(replayed_at) + interval '2 s' END,
        count(*) FILTER (WHERE {ITEM} = 'succeeded'), count(*) FILTER (WHERE {ITEM} = 'failed'),
        0, '{{}}'
    FROM marks JOIN ways USING (g) JOIN owners ON owners.no = tenant_no
    WHERE replay_id IS NOT NULL GROUP BY replay_id
"""
ITEMS = f"""
    INSERT INTO replay_items (replay_id, event_id, status, note, came_back)
    SELECT replay_id, pg_temp.id_of(n, pg_temp.moment_of(n)), {ITEM}, '', {ITEM} = 'failed'
    FROM marks WHERE replay_id IS NOT NULL ORDER BY replayed_at, n
"""
# What the planner would have counted, see events/replays/counting.py.
PLANS = """
    UPDATE replays SET plan = jsonb_build_object(
        'types', (SELECT jsonb_object_agg(type, number) FROM (
            SELECT type, count(*) AS number FROM replay_items AS item
            JOIN events ON events.id = event_id
            WHERE replay_id = replays.id GROUP BY 1) AS of_type),
        'tenants', (SELECT jsonb_object_agg(tenant_id, number) FROM (
            SELECT tenant_id, count(*) AS number FROM replay_items AS item
            JOIN events ON events.id = event_id WHERE replay_id = replays.id GROUP BY 1) AS of_one),
        'combinations', (SELECT jsonb_agg(jsonb_build_array(jsonb_build_array(handler), number))
            FROM (SELECT handler, count(*) AS number FROM replay_items AS item
            JOIN deliveries ON deliveries.event_id = item.event_id AND group_id IS NOT NULL
            WHERE item.replay_id = replays.id GROUP BY 1) AS of_handler),
        'seconds', '{}'::jsonb, 'subjects', '{}'::jsonb, 'left_out', '{}'::jsonb)
    WHERE selected > 1
"""
# All that stands failed in the largest group, at the big tenant: nobody has let it go on.
PAUSED = """
    WITH chosen AS (
        SELECT event_id FROM deliveries WHERE status = 'failed' AND group_id = (
            SELECT id FROM grouped WHERE g = 0 ORDER BY tenant_no LIMIT 1
        )
    ), items AS (
        INSERT INTO replay_items (replay_id, event_id, status, note)
        SELECT %(replay)s::uuid, event_id, 'waiting', '' FROM chosen ORDER BY event_id
    )
    INSERT INTO replays (
        id, tenant_id, reason, actor_id, handlers, include_external, kind, selection,
        status, selected, has_canary, stop_percent, pace, released_at, created_at, started_at
    )
    SELECT %(replay)s::uuid, (SELECT id FROM owners WHERE no = 0), 'After the deployment',
        %(actor)s, ARRAY[handler], false, 'replay',
        jsonb_build_object('group', fingerprint), 'paused',
        (SELECT count(*) FROM chosen), true, 10, 50, %(at)s, %(at)s, %(at)s
    FROM ways WHERE g = 0
"""
LINES = """
    INSERT INTO audit_lines (id, tenant_id, actor_id, action, target_type, target_id, reason,
                             details, created_at)
    SELECT pg_temp.id_of(row_number() OVER (ORDER BY at), at), tenant_id, actor_id, action, kind,
           target, reason, details, at
    FROM (
        SELECT started_at AS at, tenant_id, actor_id, 'replay.started' AS action, 'replay' AS kind,
               id::text AS target, reason, jsonb_build_object('events', selected, 'handlers',
               handlers, 'external', include_external, 'selection', selection) AS details
        FROM replays WHERE started_at IS NOT NULL
        UNION ALL
        SELECT finished_at, tenant_id, NULL, 'replay.finished', 'replay', id::text, '',
               jsonb_build_object('events', selected, 'succeeded', succeeded, 'failed', failed)
        FROM replays WHERE finished_at IS NOT NULL
        UNION ALL
        SELECT created_at, tenant_id, actor_id, 'event.corrected', 'event', corrects_id::text,
               'Mended by hand', jsonb_build_object('correction', id::text)
        FROM events WHERE corrects_id IS NOT NULL
        UNION ALL
        SELECT state_changed_at, tenant_id, %(actor)s, 'failure.' || state, 'failuregroup',
               fingerprint::text, '', jsonb_build_object('handler', handler, 'error', error_type)
        FROM failure_groups WHERE state <> 'open'
    ) AS done
"""


def write_replays(shape: Shape, actor: int) -> UUID:
    """Write replays and their items; returns the paused one's id."""
    rows_of(REPLAYS, actor=actor)
    rows_of(ITEMS)
    paused = uuid7()
    rows_of(PAUSED, replay=paused, actor=actor, at=shape.running_since)
    rows_of("ANALYZE replay_items")
    rows_of(PLANS)
    return paused


def write_audit(actor: int) -> None:
    """Write who did what."""
    rows_of(LINES, actor=actor)
