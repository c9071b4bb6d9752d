"""What the two benchmarks measure, and how much of it."""

from dataclasses import dataclass

from benchmarks.peers.peer import Broker, Mode

BOTH = (Broker.PGMQ, Broker.REDIS)
PGMQ = (Broker.PGMQ,)


@dataclass(frozen=True)
class Series:
    """Throughput of one peer in one mode.

    Attributes:
        events: how many a round; slow peers get fewer, so that all take some seconds.
    """

    peer: str
    mode: Mode
    brokers: tuple[Broker, ...]
    events: int


@dataclass(frozen=True)
class Plan:
    """One benchmark.

    Attributes:
        rounds: how often the series are measured, one after the other; the median counts.
        latency: events for each latency.
        latency_brokers: where latency is measured.
        depths: numbers of settled events that lie in the tables already.
        depth_events: events on top of them, in each of `rounds` rounds.
        replay: failed events that are replayed.
        backlog: events of one tenant that wait while another comes.
        memory: events that go through the workers while their memory is watched; 0 is none.
    """

    kind: str
    rounds: int
    series: tuple[Series, ...]
    latency: int
    latency_brokers: tuple[Broker, ...]
    depths: tuple[int, ...]
    depth_events: int
    replay: int
    backlog: int
    memory: int


FULL = Plan(
    kind="full",
    rounds=3,
    series=(
        Series("salesflow", Mode.BULK, BOTH, 50_000),
        Series("limit", Mode.BULK, PGMQ, 50_000),
        Series("salesflow", Mode.BULK_EACH, PGMQ, 20_000),
        Series("task_per_event", Mode.BULK, BOTH, 2_000),
        Series("procrastinate", Mode.BULK, PGMQ, 3_000),
        Series("django_tasks", Mode.BULK, PGMQ, 3_000),
        Series("salesflow", Mode.SINGLE, BOTH, 5_000),
        Series("procrastinate", Mode.SINGLE, PGMQ, 3_000),
        Series("task_per_event", Mode.SINGLE, PGMQ, 1_000),
        Series("django_tasks", Mode.SINGLE, PGMQ, 2_000),
    ),
    latency=500,
    latency_brokers=BOTH,
    depths=(10_000, 1_000_000, 10_000_000),
    depth_events=30_000,
    replay=100_000,
    backlog=100_000,
    memory=500_000,
)
QUICK = Plan(
    kind="quick",
    rounds=1,
    series=(
        Series("salesflow", Mode.BULK, BOTH, 20_000),
        Series("limit", Mode.BULK, PGMQ, 20_000),
        Series("task_per_event", Mode.BULK, PGMQ, 600),
        Series("salesflow", Mode.SINGLE, PGMQ, 2_000),
        Series("procrastinate", Mode.SINGLE, PGMQ, 1_000),
        Series("django_tasks", Mode.SINGLE, PGMQ, 600),
    ),
    latency=150,
    latency_brokers=PGMQ,
    depths=(10_000, 200_000),
    depth_events=10_000,
    replay=10_000,
    backlog=10_000,
    memory=0,
)
