"""The stage of one run: a home, its servers, its processes."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import psycopg

from salesflow.home import PROJECT
from salesflow.postgres import Cluster
from tests.chaos.servers import Broker, PgmqBroker, Postgres, RedisBroker
from tests.chaos.services import Crew, publisher, second_worker, services_of_salesflow
from tests.chaos.workload import sabotage
from tests.waiting import wait_until

BROKERS = ("pgmq", "redis")
START_SECONDS = 120.0
# Seconds that a batch may take, short enough to freeze workers for longer; and how many events may
# be in one, so that it takes less than that on a busy machine, too, where some are slow or fail.
BATCH_SECONDS = 4.0
BATCH_SIZE = 25


@dataclass(frozen=True)
class Load:
    """How busy the publishers are.

    Attributes:
        publishers: how many processes publish.
        pace: transactions a second of each, on average.
        sabotage: a mistake to make on purpose, see `tests.chaos.workload.sabotage`.
    """

    publishers: int = 2
    pace: float = 6.0
    sabotage: str = ""


@dataclass
class Stage:
    """Everything that faults can reach.

    Attributes:
        home: what the processes call home; the ledgers, the calls and the logs are there.
        services: workers, sweeper and scheduler.
    """

    home: Path
    postgres: Postgres
    broker: Broker
    services: Crew
    publishers: Crew

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """What the database answers now.

        Raises:
            psycopg.OperationalError: it is away.
        """
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            return connection.execute(statement).fetchall()

    def tend(self) -> None:
        """Start anew the processes that have died."""
        self.services.tend()
        self.publishers.tend()


@contextlib.contextmanager
def prepared_home(root: Path) -> Iterator[Path]:
    """A home whose cluster is up and migrated; runs work on copies of its database."""
    with Cluster(root).attached():
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity=0"],
            env=_environment(root),
            cwd=PROJECT,
            check=True,
        )
        yield root


@contextlib.contextmanager
def staged(root: Path, name: str, broker_name: str, load: Load, random: Random) -> Iterator[Stage]:
    """Servers and processes of one run, at work.

    Args:
        root: a prepared home.
        name: of the run's own home in it, and of its database.
        broker_name: one of `BROKERS`.
        random: decides what publishers draw and how long dead processes stay dead.
    """
    home = root / name
    home.mkdir(mode=0o711)
    postgres = Postgres(root, name)
    with postgres.attached(), contextlib.ExitStack() as ending:
        broker = RedisBroker() if broker_name == "redis" else PgmqBroker(postgres)
        ending.callback(broker.end)
        broker.start()
        environment = _environment(
            home,
            SALESFLOW_DATABASE_URL=postgres.url,
            SALESFLOW_BROKER_URL=broker.url,
            SALESFLOW_EVENT_BATCH_SECONDS=str(BATCH_SECONDS),
            SALESFLOW_EVENT_BATCH_SIZE=str(BATCH_SIZE),
            **{sabotage.VARIABLE: load.sabotage},
        )
        services = [*services_of_salesflow(environment, home), second_worker(environment, home)]
        publishers = [
            publisher(number, str(random.random()), load.pace, environment, home)
            for number in range(load.publishers)
        ]
        stage = Stage(home, postgres, broker, Crew(services, random), Crew(publishers, random))
        ending.callback(stage.services.end)
        stage.services.start()
        wait_until(stage.services.is_ready, f"the workers are ready in {home}", START_SECONDS)
        ending.callback(stage.publishers.end)
        stage.publishers.start()
        wait_until(lambda: _is_at_work(stage), f"a parcel was handled in {home}", START_SECONDS)
        yield stage


def _is_at_work(stage: Stage) -> bool:
    [[begun]] = stage.query("SELECT EXISTS (SELECT FROM chaos_effect)")
    return bool(begun)


def _environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SALESFLOW_")}
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "salesflow.settings",
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
        "SALESFLOW_HOME": str(home),
        "SALESFLOW_EXTRA_APPS": "tests.chaos.workload",
        "SALESFLOW_LOG_FORMAT": "json",
        **more,
    }
