"""What the nemesis can do. Each fault either does its harm at once or names the way back too."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import psutil

from tests.chaos.services import CALLERS, EVENTS_WORKERS, Crew, Service
from tests.chaos.stage import BATCH_SECONDS, Stage
from tests.chaos.workload.places import doubling_switch

SCHEDULER = "beat"
BROKER_AWAY_SECONDS = 10.0
DATABASE_AWAY_SECONDS = (0.0, 3.0)
DOUBLING_SECONDS = (2.0, 6.0)
# A process that is frozen for a moment is thawed before anything that it holds is over.
FROZEN_SECONDS = (1.0, 3.0)
# How much longer than what it holds a process stays frozen, where that is to be over.
MARGIN_SECONDS = 1.0
# Most batches are over in no time: how often to look for one that is not, and how long in between.
TRIES, TICK = 25, 0.02
# By how much a thawed worker's children are ahead of its main process.
LEAD_SECONDS = 0.5

# Process → for how many seconds more the calls that it makes are its own …
LEASES = """
    SELECT split_part(worker, ':', 2)::int,
           max(extract(epoch FROM lease_expires_at - clock_timestamp()))::float
    FROM deliveries WHERE status = 'running' GROUP BY worker
"""
# … and the batch that it is at: its entry is in the journal, and its lock is held.
BATCHES = f"""
    SELECT split_part(worker, ':', 2)::int, {BATCH_SECONDS}::float FROM journal
    JOIN pg_locks ON locktype = 'advisory' AND objsubid = 1
        AND token = classid::bigint << 32 | objid::bigint
"""


class NotNow(Exception):
    """The fault needs something that is not there now; another fault may have taken it away."""


@dataclass(frozen=True)
class Remedy:
    """The way back.

    Attributes:
        seconds: how long the harm is to last.
        heal: ends it.
        least: how long it has to last, else it is another harm than the one that was named.
    """

    seconds: float
    heal: Callable[[], None]
    least: float = 0.0


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
    """SIGSTOP a worker, and let it go on while all that it holds is still its own."""
    service = _any_worker(stage, random)
    return Remedy(random.uniform(*FROZEN_SECONDS), _freeze(service))


def freeze_call(stage: Stage, random: Random) -> Remedy:
    """SIGSTOP a worker in its calls until the leases of all of them are over, then let it go on."""
    return _freeze_past(LEASES, stage, stage.services.running(CALLERS))


def freeze_batch(stage: Stage, random: Random) -> Remedy:
    """SIGSTOP a worker in a batch until it was taken from it by another, then let it go on."""
    workers = stage.services.running(*EVENTS_WORKERS)
    if len(workers) < len(EVENTS_WORKERS):  # somebody has to take it
        raise NotNow
    return _freeze_past(BATCHES, stage, random.sample(workers, len(workers)))


FAULTS: dict[str, Fault] = {
    "kill a worker": kill_worker,
    "kill the scheduler": kill_scheduler,
    "kill a publisher": kill_publisher,
    "stop PostgreSQL (fast)": stop_postgres_fast,
    "stop PostgreSQL (immediate)": stop_postgres_immediately,
    "empty the broker": empty_broker,
    "stop the broker for 10 s": stop_broker,
    "deliver every nudge twice": double_nudges,
    "freeze a worker for a moment": freeze_worker,
    "freeze a worker past the leases of its calls": freeze_call,
    "freeze a worker past the time of its batch": freeze_batch,
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


def _freeze(service: Service) -> Callable[[], None]:
    """Stop a worker; returns what lets it go on."""
    process = service.process
    service.freeze()

    def thaw() -> None:
        if service.process is process:  # else it was killed and started anew
            # Its main process would end them for the time that they have missed.
            service.thaw_children()
            time.sleep(LEAD_SECONDS)
            service.thaw()

    return thaw


def _freeze_past(what_is_held: str, stage: Stage, services: list[Service]) -> Remedy:
    """Stop one of these workers while it holds something, until that is over."""
    for _try in range(TRIES):
        for service in services:
            if not _seconds_left(what_is_held, stage, service):
                continue
            thaw = _freeze(service)
            if seconds := _seconds_left(what_is_held, stage, service):
                return Remedy(seconds + MARGIN_SECONDS, thaw, least=seconds)
            service.thaw()
        time.sleep(TICK)
    raise NotNow


def _seconds_left(what_is_held: str, stage: Stage, service: Service) -> float:
    """How long what the processes of a worker hold is still theirs; 0: they hold nothing."""
    if not stage.postgres.is_running:  # it knows
        raise NotNow
    left: dict[int, float] = dict(stage.query(what_is_held))
    return max(0.0, *(left.get(pid, 0.0) for pid in service.pids()))
