"""What was measured, and what follows from it."""

from collections.abc import Callable, Iterable
from dataclasses import Field, dataclass, field
from statistics import median
from typing import Any, ClassVar, Protocol, TypeVar

from benchmarks.history import OnHistory
from benchmarks.latency import Latency
from benchmarks.peers.peer import Broker, Mode
from benchmarks.replay import ReplayRun
from benchmarks.throughput import Throughput

T = TypeVar("T")
SHALLOW, DEEP = 10_000, 10_000_000


class Finding(Protocol):
    """What a measurement found: a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def figure(self) -> str:
        """It, for people, in a few words."""


@dataclass
class Findings:
    """Everything that was measured in one run.

    Attributes:
        seconds: how long the run took.
    """

    kind: str
    found: list[Finding] = field(default_factory=list)
    seconds: float = 0.0

    def of_kind(self, kind: type[T]) -> list[T]:
        """What was found of that kind, in the order of the measurements."""
        return [finding for finding in self.found if isinstance(finding, kind)]

    def per_second(self, peer: str, mode: Mode, broker: Broker) -> float | None:
        """The median over the rounds, in events a second; None where it was not measured."""
        return _median(self.speeds(peer, mode, broker))

    def speeds(self, peer: str, mode: Mode, broker: Broker) -> list[float]:
        """Events a second, round by round."""
        return [
            found.per_second
            for found in self.of_kind(Throughput)
            if (found.peer, found.mode, found.broker) == (peer, mode, broker)
        ]

    def microseconds_on(self, settled: int) -> float | None:
        """The median over the rounds of the time per event on top of so many settled ones."""
        return _median(
            found.microseconds_per_event
            for found in self.of_kind(OnHistory)
            if found.settled_before == settled
        )

    def p50(self, peer: str, broker: Broker) -> float | None:
        """The median latency in milliseconds."""
        return _median(
            found.p50_ms
            for found in self.of_kind(Latency)
            if (found.peer, found.broker) == (peer, broker)
        )


def _median(values: Iterable[float]) -> float | None:
    known = list(values)
    return median(known) if known else None


def ratios_of(findings: Findings) -> dict[str, float | None]:
    """The ratios by which the engine is judged; None where a plan leaves one out.

    Both sides of a ratio use the same broker, where both need one. Of two brokers the one on
    which this engine looks worse counts.
    """
    limit = findings.per_second("limit", Mode.BULK, Broker.PGMQ)
    replay = next((found.per_second for found in findings.of_kind(ReplayRun)), None)

    def against(peer: str, mode: Mode, theirs: Broker | None = None) -> float | None:
        def on(broker: Broker) -> float | None:
            ours = findings.speeds("salesflow", mode, broker)
            return _of_rounds(ours, findings.speeds(peer, mode, theirs or broker))

        return _worst(min, on)

    return {
        "bulk_vs_task_per_event": against("task_per_event", Mode.BULK),
        "bulk_vs_limit": against("limit", Mode.BULK, Broker.PGMQ),
        "single_vs_procrastinate": against("procrastinate", Mode.SINGLE, Broker.PGMQ),
        "latency_p50_vs_task_per_event": _worst(
            max,
            lambda broker: _ratio(
                findings.p50("salesflow", broker), findings.p50("task_per_event", broker)
            ),
        ),
        "time_per_event_10m_vs_10k": _ratio(
            findings.microseconds_on(DEEP), findings.microseconds_on(SHALLOW)
        ),
        "replay_vs_limit": _ratio(replay, limit),
    }


def _of_rounds(ours: list[float], theirs: list[float]) -> float | None:
    """The median of the ratios of each round.

    What is measured within a minute has the same neighbours on a shared machine; what is measured
    ten minutes later has others.
    """
    # A quick run leaves some of the peers out on one of the brokers.
    return _median(mine / other for mine, other in zip(ours, theirs, strict=False))


def _worst(
    choose: Callable[[list[float]], float], ratio_on: Callable[[Broker], float | None]
) -> float | None:
    known = [ratio for broker in Broker if (ratio := ratio_on(broker)) is not None]
    return choose(known) if known else None


def _ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None
