"""Publishes a backlog and leaves it to the workers of later on."""

from benchmarks.database import bench_tenant
from benchmarks.peers import peer_named
from benchmarks.peers.peer import Mode
from salesflow.accounts.context import tenant_context


def main(count: str) -> int:
    """Publish `count` events for a handler of single events; returns the number."""
    with tenant_context(bench_tenant()):
        peer_named("salesflow").publish(Mode.BULK_EACH, int(count))
    return int(count)
