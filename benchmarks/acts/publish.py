"""The publishing process: warms up, publishes, waits until all is settled."""

import time

from benchmarks.acts.pauses import pauses
from benchmarks.counting import wait_until_settled
from benchmarks.database import bench_tenant
from benchmarks.peers import peer_named
from benchmarks.peers.peer import WARM_UP, Mode, Peer
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import uuid7


def main(name: str, mode_name: str, count: str) -> dict[str, str | float]:
    """Publish by that peer; returns the first id, and when it began and ended (Unix seconds)."""
    peer, mode, since = peer_named(name), Mode(mode_name), uuid7()
    with tenant_context(bench_tenant()):
        _publish(peer, mode, WARM_UP)
        wait_until_settled(peer, since, WARM_UP)
        started = time.time()
        _publish(peer, mode, int(count))
        published = time.time()
        wait_until_settled(peer, since, WARM_UP + int(count))
    return {"since": str(since), "started": started, "published": published}


def _publish(peer: Peer, mode: Mode, count: int) -> None:
    if mode != Mode.PACED:
        peer.publish(mode, count)
        return
    for pause in pauses(count):
        peer.publish(Mode.SINGLE, 1)
        time.sleep(pause)
