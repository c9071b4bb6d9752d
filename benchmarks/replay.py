"""Replay: failed events are released, handled again and answered for."""

import json
from dataclasses import dataclass

from benchmarks.acts import act
from benchmarks.counting import Miscount
from benchmarks.database import bench_tenant, empty, rows_of, settle_down
from benchmarks.peers import peer_named
from benchmarks.peers.peer import Broker
from benchmarks.processes import output_of, running
from benchmarks.rates import Rate
from benchmarks.stage import Stage

# Events that failed after three tries, with all their rows.
FAIL = """
    WITH written AS (
        INSERT INTO events (id, tenant_id, type, version, payload, status, source, request_id,
                            subject_type, subject_id, occurred_at, processed_at, error_message)
        SELECT uuidv7(), %(tenant)s, 'prospect.imported', 1,
               jsonb_build_object('prospect_id', subject.id, 'source', 'import'), 'failed',
               'system', '', 'prospect', subject.id, now(), now(), 'welcome_imported: Refused: no'
        FROM generate_series(1, %(count)s) AS n
        CROSS JOIN LATERAL (SELECT uuidv7(make_interval(secs => n * 0)) AS id) AS subject
        RETURNING id
    ), failed AS (
        INSERT INTO deliveries (event_id, handler, status, attempts, failures, worker, duration_ms,
                                error, finished_at)
        SELECT id, 'welcome_imported', 'failed', 3, 3, 'bench', 0.1, 'Refused: no', now()
        FROM written RETURNING id
    )
    INSERT INTO attempts (delivery_id, number, status, started_at, duration_ms, error_type, error,
                          traceback, worker)
    SELECT id, number, 'failed', now(), 0.1, 'Refused', 'Refused: no', 'Traceback', 'bench'
    FROM failed CROSS JOIN generate_series(1, 3) AS number
"""
REPLAYED = """
    SELECT count(*), count(DISTINCT i.event_id) FROM replay_items i
    JOIN events e ON e.id = i.event_id AND e.status = 'processed'
    JOIN deliveries d ON d.event_id = e.id AND d.status = 'succeeded' AND d.attempts = 4
    JOIN bench_welcomes w ON w.event_id = e.id AND w.prospect_id = e.subject_id
    WHERE i.status = 'succeeded'
"""
LAST_COMMIT = """
    SELECT extract(epoch FROM max(pg_xact_commit_timestamp(xmin)))::float FROM (
        SELECT xmin FROM events UNION ALL SELECT xmin FROM deliveries
        UNION ALL SELECT xmin FROM bench_welcomes UNION ALL SELECT xmin FROM replay_items
    ) AS written (xmin)
"""


@dataclass(frozen=True)
class ReplayRun(Rate):
    """One replay: from its planning to the commit of the last answer."""

    broker: Broker
    events: int
    seconds: float


def measure_replay(stage: Stage, broker: Broker, events: int) -> ReplayRun:
    """Replay so many failed events.

    Raises:
        Miscount: not all of them have succeeded exactly once.
    """
    empty()
    rows_of(FAIL, tenant=bench_tenant().id, count=events)
    settle_down()
    environment = stage.environment(broker)
    with running(peer_named("salesflow").worker_commands(), environment, stage.home) as workers:
        started = json.loads(output_of(act("replay"), environment, stage.home, workers))
    [(rows, distinct)] = rows_of(REPLAYED)
    if not rows == distinct == events:
        raise Miscount(f"A replay of {events} events left {rows} effects of {distinct} events.")
    [(last_commit,)] = rows_of(LAST_COMMIT)
    return ReplayRun(broker, events, last_commit - started)
