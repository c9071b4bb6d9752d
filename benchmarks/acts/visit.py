"""Publishes single events of one tenant for as long as another tenant's backlog lasts."""

import time
from uuid import UUID

from benchmarks.acts.pauses import pauses
from benchmarks.database import bench_tenant
from benchmarks.peers import peer_named
from benchmarks.peers.peer import Mode
from benchmarks.waiting import wait_until
from events.models import Event, EventStatus
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant

# More are not needed for percentiles.
MOST_VISITS = 300


def main(visitor: str) -> int:
    """Return how many events that tenant has published, when everybody's are settled."""
    host_id = bench_tenant().id
    settled = Event.unscoped.exclude(status=EventStatus.PENDING)
    wait_until(settled.exists, "a worker has begun")
    with tenant_context(Tenant.objects.get(slug=visitor)):
        visits = _visit(host_id)
    pending = Event.unscoped.filter(status=EventStatus.PENDING)
    wait_until(lambda: not pending.exists(), "all events are settled", 600)
    return visits


def _visit(host_id: UUID) -> int:
    engine = peer_named("salesflow")
    backlog = Event.unscoped.filter(tenant_id=host_id, status=EventStatus.PENDING)
    for number, pause in enumerate(pauses(MOST_VISITS)):
        if not backlog.exists():
            return number
        engine.publish(Mode.SINGLE, 1)
        time.sleep(pause)
    return MOST_VISITS
