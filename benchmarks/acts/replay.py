"""Replays all failed events."""

import time
from functools import partial

from benchmarks.counting import wait_until_settled
from benchmarks.database import bench_tenant
from benchmarks.peers import peer_named
from benchmarks.peers.peer import WARM_UP, Mode
from benchmarks.waiting import wait_until
from events.models import Event, EventStatus, Replay
from events.replays import start_replay
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import uuid7


def main() -> float:
    """Return when the replay was begun, in Unix seconds, after all its events have answered."""
    engine, since = peer_named("salesflow"), uuid7()
    with tenant_context(bench_tenant()):
        engine.publish(Mode.BULK, WARM_UP)
        wait_until_settled(engine, since, WARM_UP)
        started = time.time()
        replay = start_replay(Event.objects.filter(status=EventStatus.FAILED), reason="benchmark")
        wait_until(partial(_is_over, replay), "all events of the replay have answered", 300)
    return started


def _is_over(replay: Replay) -> bool:
    # Its own row says so; to look through its items again and again would take what it measures.
    replay.refresh_from_db(fields=["status"])
    return replay.status == Replay.Status.FINISHED
