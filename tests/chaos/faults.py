"""What the nemesis can do. Each fault either does its harm at once or names the way back too."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import psutil

from tests.chaos.services import Crew, Service
from tests.chaos.stage import Stage
from tests.chaos.workload.places import doubling_switch

SCHEDULER = "beat"
BROKER_AWAY_SECONDS = 10.0
DATABASE_AWAY_SECONDS = (0.0, 3.0)
DOUBLING_SECONDS = (2.0, 6.0)
# A frozen process without a lease is thawed after this time.
FROZEN_SECONDS = (1.0, 5.0)
# How much longer than its last lease a process stays frozen.
LEASE_MARGIN_SECONDS = 1.0


class NotNow(Exception):
    """The fault needs something that another fault has taken away."""


@dataclass(frozen=True)
class Remedy:
    """The way back.

    Attributes:
        seconds: how long the harm is to last.
        heal: ends it.
    """

    seconds: float
    heal: Callable[[], None]


Fault = Callable[[Stage, Random], Remedy | None]


def kill_worker(stage: Stage, random: Random) -> None:
    """SIGKILL a worker: its main process, one of its children, or all at once."""
    service = _any_worker(stage, random)
    children = service.children()
    victims = [[service.process.pid], service.pids(), *([pid] for pid in children)]
    chosen = random.choice(victims)
    if service.process.pid in chosen:
        stage.services.doom(service)
    for pid in chosen:
        _kill(pid)


def kill_scheduler(stage: Stage, random: Random) -> None:
    """SIGKILL the process that tells the sweeper when to sweep."""
    _kill_all(stage.services, _one_of(stage.services.running(SCHEDULER), random))


def kill_publisher(stage: Stage, random: Random) -> None:
    """SIGKILL a publisher, maybe between its commit and its nudge."""
    _kill_all(stage.publishers, _one_of(stage.publishers.running(), random))


def stop_postgres_fast(stage: Stage, random: Random) -> Remedy:
    """Stop the database in an orderly way, under everybody's hands."""
    return _stop_postgres(stage, "fast", random.uniform(*DATABASE_AWAY_SECONDS))


def stop_postgres_immediately(stage: Stage, random: Random) -> Remedy:
    """Stop the database without a word; it recovers from its log."""
    return _stop_postgres(stage, "immediate", random.uniform(*DATABASE_AWAY_SECONDS))


def empty_broker(stage: Stage, random: Random) -> None:
    """Lose all messages that wait."""
    if not stage.broker.is_running:
        raise NotNow
    stage.broker.empty()


def stop_broker(stage: Stage, random: Random) -> Remedy:
    """Take the broker away for ten seconds, with all that it holds."""
    if not (stage.broker.is_running and stage.postgres.is_running):
        raise NotNow
    stage.broker.stop()
    return Remedy(BROKER_AWAY_SECONDS, stage.broker.start)


def double_nudges(stage: Stage, random: Random) -> Remedy:
    """Have every message sent twice for a while."""
    switch = doubling_switch(stage.home)
    if switch.exists():
        raise NotNow
    switch.touch()
    return Remedy(random.uniform(*DOUBLING_SECONDS), switch.unlink)


def freeze_worker(stage: Stage, random: Random) -> Remedy:
    """SIGSTOP a worker until the leases that it holds are over, then let it go on."""
    if not stage.postgres.is_running:  # it knows the leases
        raise NotNow
    service = _any_worker(stage, random)
    process = service.process
    service.freeze()

    def thaw() -> None:
        if service.process is process:  # else it was killed and started anew
            service.thaw()

    lease = _seconds_of_lease(stage, service.pids())
    return Remedy(max(lease + LEASE_MARGIN_SECONDS, random.uniform(*FROZEN_SECONDS)), thaw)


FAULTS: dict[str, Fault] = {
    "kill a worker": kill_worker,
    "kill the scheduler": kill_scheduler,
    "kill a publisher": kill_publisher,
    "stop PostgreSQL (fast)": stop_postgres_fast,
    "stop PostgreSQL (immediate)": stop_postgres_immediately,
    "empty the broker": empty_broker,
    "stop the broker for 10 s": stop_broker,
    "deliver every nudge twice": double_nudges,
    "freeze a worker past its lease": freeze_worker,
}


def _any_worker(stage: Stage, random: Random) -> Service:
    workers = [s for s in stage.services.running() if s.name != SCHEDULER]
    return _one_of(workers, random)


def _one_of(services: list[Service], random: Random) -> Service:
    if not services:
        raise NotNow
    return random.choice(services)


def _kill_all(crew: Crew, service: Service) -> None:
    crew.doom(service)
    service.signal_group(signal.SIGKILL)


def _kill(pid: int) -> None:
    """Kill one of our processes, unless it has gone by itself meanwhile."""
    try:
        psutil.Process(pid).kill()
    except psutil.NoSuchProcess:
        return


def _stop_postgres(stage: Stage, mode: str, seconds: float) -> Remedy:
    if not stage.postgres.is_running:
        raise NotNow
    stage.postgres.stop(mode)
    return Remedy(seconds, stage.postgres.start)


def _seconds_of_lease(stage: Stage, pids: list[int]) -> float:
    """How long the last lease that these processes hold still lasts."""
    [[seconds]] = stage.query(
        "SELECT coalesce(max(extract(epoch FROM lease_expires_at - clock_timestamp())), 0)"
        " FROM deliveries WHERE status = 'running'"
        f" AND split_part(worker, ':', 2) = ANY ('{{{','.join(map(str, pids))}}}')"
    )
    return float(seconds)
