"""Latency: from the commit of a lead to the commit of its handler's row, on an idle machine."""

import json
from dataclasses import dataclass
from statistics import quantiles

from benchmarks.acts import act
from benchmarks.database import empty, rows_of
from benchmarks.peers.peer import WORKERS, Broker, Mode, python
from benchmarks.processes import output_of, running
from benchmarks.running import Run, run_peer
from benchmarks.stage import Stage

NO_OP = "no_op"
COMMIT_TO_COMMIT = """
    SELECT 1000 * extract(
        epoch FROM pg_xact_commit_timestamp(w.xmin) - pg_xact_commit_timestamp(p.xmin)
    )::float
    FROM bench_prospects p JOIN bench_welcomes w ON w.prospect_id = p.id
    WHERE p.id >= %(since)s AND pg_xact_commit_timestamp(p.xmin) >= to_timestamp(%(started)s)
"""


@dataclass(frozen=True)
class Latency:
    """Percentiles in milliseconds."""

    peer: str
    broker: Broker
    events: int
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @property
    def figure(self) -> str:
        """It, for people."""
        return f"p50 {self.p50_ms:.1f}, p95 {self.p95_ms:.1f}, p99 {self.p99_ms:.1f} ms"


def measure_latency(stage: Stage, name: str, broker: Broker, events: int) -> Latency:
    """Publish one event after the other with pauses, and look when each was handled."""
    empty()
    return latency_of(name, broker, _latencies(run_peer(stage, name, Mode.PACED, broker, events)))


def _latencies(run: Run) -> list[float]:
    rows = rows_of(COMMIT_TO_COMMIT, since=run.since, started=run.started)
    return [milliseconds for (milliseconds,) in rows]


def measure_no_op_latency(stage: Stage, broker: Broker, events: int) -> Latency:
    """The broker's share: from sending a Celery task that does nothing to its start."""
    empty()
    celery = python("-m", "celery", "--quiet", "-A", "benchmarks.celery")
    lonely = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    worker = [*celery, "worker", "--concurrency", str(WORKERS), "--loglevel", "WARNING", *lonely]
    environment = stage.environment(broker)
    with running([worker], environment, stage.home) as workers:
        output = output_of(act("send_no_ops", events), environment, stage.home, workers)
    return latency_of(NO_OP, broker, json.loads(output))


def latency_of(peer: str, broker: Broker, milliseconds: list[float]) -> Latency:
    """The percentiles of single latencies."""
    cuts = quantiles(milliseconds, n=100, method="inclusive")
    return Latency(peer, broker, len(milliseconds), cuts[49], cuts[94], cuts[98])
