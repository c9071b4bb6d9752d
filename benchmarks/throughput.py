"""Throughput: events a second, from the first publish to the commit of the last settled one."""

import json
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from benchmarks.counting import check_counts, last_commit
from benchmarks.database import empty
from benchmarks.peers import peer_named
from benchmarks.peers.peer import Broker, Mode, python
from benchmarks.processes import output_of, running
from benchmarks.profiling import profiled
from benchmarks.publishing import WARM_UP
from benchmarks.stage import Stage


@dataclass(frozen=True)
class Throughput:
    """One measurement.

    Attributes:
        publish_seconds: how long the publishing process published, of `seconds` in all.
    """

    peer: str
    mode: Mode
    broker: Broker
    events: int
    seconds: float
    publish_seconds: float

    @property
    def per_second(self) -> float:
        """Events a second."""
        return self.events / self.seconds


def measure_throughput(
    stage: Stage,
    name: str,
    mode: Mode,
    broker: Broker,
    events: int,
    *,
    on_top: bool = False,
    profiles: Path | None = None,
) -> Throughput:
    """Have one peer publish and settle so many events.

    Args:
        on_top: leave in the tables what is there; by default they are emptied first.
        profiles: an existing directory for the profiles of the processes, which slow them down.

    Raises:
        Miscount: an event was lost or doubled, or nothing moved any more.
        ProcessFailed: a process died.
    """
    if not on_top:
        empty()
    peer = peer_named(name)
    workers = peer.worker_commands()
    publisher = python("-m", "benchmarks.publishing", name, mode, str(events))
    if profiles:
        publisher = profiled(publisher, profiles / "publisher.prof")
        # The first one handles events.
        workers[:1] = [profiled(command, profiles / "worker.prof") for command in workers[:1]]
    environment = stage.environment(broker)
    with running(workers, environment, stage.home) as processes:
        times = json.loads(output_of(publisher, environment, stage.home, processes))
    since = UUID(times["since"])
    check_counts(peer, since, WARM_UP + events)
    return Throughput(
        peer=name,
        mode=mode,
        broker=broker,
        events=events,
        seconds=last_commit(peer, since) - times["started"],
        publish_seconds=times["published"] - times["started"],
    )
