"""Fairness: how long an event of one tenant takes while another tenant's backlog waits."""

import json
from dataclasses import dataclass

from benchmarks.acts import act
from benchmarks.counting import Miscount, scalar
from benchmarks.database import empty, rows_of
from benchmarks.latency import Latency, latency_of
from benchmarks.peers import peer_named
from benchmarks.peers.peer import Broker
from benchmarks.processes import output_of, running
from benchmarks.stage import Stage
from salesflow.accounts.models import Tenant

VISITOR = "visitor"
FEWEST_VISITS = 20
VISITS = """
    SELECT 1000 * extract(
        epoch FROM pg_xact_commit_timestamp(w.xmin) - pg_xact_commit_timestamp(p.xmin)
    )::float
    FROM bench_prospects p JOIN bench_welcomes w ON w.prospect_id = p.id
    JOIN accounts_tenant t ON t.id = p.tenant_id AND t.slug = %(visitor)s
"""


@dataclass(frozen=True)
class Fairness:
    """The latency of single events of a tenant while `backlog` events of another wait."""

    backlog: int
    latency: Latency

    @property
    def figure(self) -> str:
        """It, for people."""
        return self.latency.figure


def measure_fairness(stage: Stage, broker: Broker, backlog: int) -> Fairness:
    """Let one tenant's events come while another's wait.

    Raises:
        Miscount: an event was lost or doubled, or the backlog was over too soon.
    """
    empty()
    Tenant.objects.get_or_create(slug=VISITOR, defaults={"name": "Visitor"})
    environment, home = stage.environment(broker), stage.home
    # No worker is there yet: all of it waits.
    output_of(act("pile_up", backlog), environment, home)
    with running(peer_named("salesflow").worker_commands(), environment, home) as workers:
        visits: int = json.loads(output_of(act("visit", VISITOR), environment, home, workers))
    latencies = [milliseconds for (milliseconds,) in rows_of(VISITS, visitor=VISITOR)]
    effects = scalar("SELECT count(*) FROM bench_welcomes")
    if len(latencies) != visits or effects != backlog + visits:
        raise Miscount(f"{backlog} + {visits} events left {effects} handlers' rows.")
    if visits < FEWEST_VISITS:
        raise Miscount(f"The backlog of {backlog} events was over after {visits} visits.")
    return Fairness(backlog, latency_of("salesflow", broker, latencies))
