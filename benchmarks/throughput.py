"""Throughput: events a second, from the first publish to the commit of the last settled one."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.counting import last_commit
from benchmarks.database import empty
from benchmarks.peers import peer_named
from benchmarks.peers.peer import Broker, Mode
from benchmarks.rates import Rate
from benchmarks.running import run_peer
from benchmarks.stage import Stage

WORTH_A_WORD = 0.05


@dataclass(frozen=True)
class Throughput(Rate):
    """One measurement.

    Attributes:
        publish_seconds: how long the publishing process published, of `seconds` in all.
        stolen: the part of the processors' time that others on this machine took.
    """

    peer: str
    mode: Mode
    broker: Broker
    events: int
    seconds: float
    publish_seconds: float
    stolen: float

    @property
    def figure(self) -> str:
        """The rate, and what was stolen if that is worth a word."""
        noise = f" ({100 * self.stolen:.0f} % stolen)" if self.stolen >= WORTH_A_WORD else ""
        return f"{super().figure}{noise}"


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
    run = run_peer(stage, name, mode, broker, events, profiles=profiles)
    return Throughput(
        peer=name,
        mode=mode,
        broker=broker,
        events=events,
        seconds=last_commit(peer_named(name), run.since) - run.started,
        publish_seconds=run.published - run.started,
        stolen=run.stolen,
    )
