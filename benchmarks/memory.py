"""Memory: what the workers hold while half a million events go through them."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from subprocess import Popen

import psutil

from benchmarks.database import empty
from benchmarks.peers.peer import Broker, Mode
from benchmarks.running import run_peer
from benchmarks.stage import Stage

SAMPLE_SECONDS = 0.5
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Memory:
    """Megabytes of the worker's processes together, without what they share.

    Attributes:
        early: the median over the second tenth of the run.
        late: the median over its last tenth.
        peak: the most that was seen.
    """

    broker: Broker
    events: int
    early: float
    late: float
    peak: float

    @property
    def figure(self) -> str:
        """It, for people."""
        return f"{self.early:.0f} MB early, {self.late:.0f} MB late, {self.peak:.0f} MB at most"


@dataclass
class Sampler:
    """Looks at a worker's memory every half second."""

    samples: list[tuple[float, float]] = field(default_factory=list)
    _looked_at: float = 0.0

    def __call__(self, workers: Sequence[Popen[bytes]]) -> None:
        """Look, if it is time, at the first worker, which handles events."""
        now = time.time()
        if now - self._looked_at >= SAMPLE_SECONDS:
            self._looked_at = now
            self.samples.append((now, _megabytes(workers[0].pid)))

    def since(self, moment: float) -> list[float]:
        """What was seen from that moment (Unix seconds) on."""
        return [megabytes for seen_at, megabytes in self.samples if seen_at >= moment]


def _megabytes(pid: int) -> float:
    """What a process and its children hold for themselves alone."""
    total = 0.0
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for member in [process, *process.children(recursive=True)]:
            total += member.memory_full_info().uss / MEGABYTE
    return total


def measure_memory(stage: Stage, broker: Broker, events: int) -> Memory:
    """Watch the worker that handles events while so many are published and settled."""
    empty()
    sampler = Sampler()
    run = run_peer(stage, "salesflow", Mode.BULK, broker, events, watch=sampler)
    samples = sampler.since(run.started)
    tenth = max(len(samples) // 10, 1)
    return Memory(
        broker=broker,
        events=events,
        early=median(samples[tenth : 2 * tenth] or samples),
        late=median(samples[-tenth:]),
        peak=max(samples),
    )
