"""One run of a peer: its workers, the publishing process, and the counts at the end."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from uuid import UUID

from benchmarks.acts import act
from benchmarks.counting import check_counts
from benchmarks.peers import peer_named
from benchmarks.peers.peer import WARM_UP, Broker, Mode
from benchmarks.processes import output_of, running
from benchmarks.profiling import profiled
from benchmarks.stage import Stage
from benchmarks.stolen import Stopwatch

Watcher = Callable[[Sequence[Popen[bytes]]], object]


@dataclass(frozen=True)
class Run:
    """What a run left.

    Attributes:
        since: no event of the run has a lower id.
        started: when the first event after the warm-up was published, in Unix seconds.
        published: when the last one was.
        stolen: the part of the processors' time that others on this machine took.
    """

    since: UUID
    started: float
    published: float
    stolen: float


def run_peer(
    stage: Stage,
    name: str,
    mode: Mode,
    broker: Broker,
    events: int,
    *,
    profiles: Path | None = None,
    watch: Watcher = lambda workers: None,
) -> Run:
    """Publish `events` events after a warm-up, have them settled, count them.

    Args:
        profiles: an existing directory for the profiles of the processes.
        watch: called with the workers, again and again while they work.

    Raises:
        Miscount: an event was lost or doubled, or nothing moved any more.
        ProcessFailed: a process died.
    """
    peer = peer_named(name)
    workers = peer.worker_commands()
    publisher = act("publish", name, mode, events)
    if profiles:
        publisher = profiled(publisher, profiles / "publisher.prof")
        # The first one handles events.
        workers[:1] = [profiled(command, profiles / "worker.prof") for command in workers[:1]]
    environment, stopwatch = stage.environment(broker), Stopwatch()
    with running(workers, environment, stage.home) as processes:
        output = output_of(publisher, environment, stage.home, processes, watch)
    printed = json.loads(output)
    run = Run(UUID(printed["since"]), printed["started"], printed["published"], stopwatch.share())
    check_counts(peer, run.since, WARM_UP + events)
    return run
