"""PostgreSQL and the brokers of a run: real servers that are stopped, started and emptied."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import psutil
import psycopg
import redis
from psycopg import sql

from salesflow.postgres import Cluster, admin_url, app_url
from tests.journeys.processes import Redis

TEMPLATE = "salesflow"
# The other strategy leaves unlogged tables broken after a crash where wal_level is minimal.
WHOLE_FILES = sql.SQL("STRATEGY file_copy")
# What the postmaster is told for each of PostgreSQL's shutdown modes. Source: its manual, 18.5.
MODES = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class Postgres:
    """A cluster as safe as the product's: what it confirmed has to survive an immediate stop."""

    def __init__(self, home: Path, database: str) -> None:
        self.cluster = Cluster(home)
        self.database = database
        self.url = app_url(home).replace(f"/{TEMPLATE}?", f"/{database}?")
        self.is_running = False

    @contextlib.contextmanager
    def attached(self) -> Iterator[None]:
        """Keep the cluster and the run's database, a copy of the migrated one."""
        with self.cluster.attached():
            with psycopg.connect(admin_url(self.cluster.home), autocommit=True) as connection:
                copy = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER salesflow {}")
                connection.execute(
                    copy.format(*map(sql.Identifier, [self.database, TEMPLATE]), WHOLE_FILES)
                )
            self.is_running = True
            yield

    def stop(self, mode: str) -> None:
        """Stop the server.

        Args:
            mode: "fast" rolls back what runs, "immediate" leaves it to the recovery.
        """
        process = psutil.Process(self._pid())
        os.kill(process.pid, MODES[mode])
        self.is_running = False
        process.wait(60)

    def start(self) -> None:
        """Start it again; whoever attached before still keeps it running."""
        with self.cluster.attached():
            self.is_running = True

    def _pid(self) -> int:
        return int((self.cluster.data / "postmaster.pid").read_text().splitlines()[0])


class Broker(Protocol):
    """What carries the nudges.

    Attributes:
        url: the value of SALESFLOW_BROKER_URL.
    """

    url: str

    @property
    def is_running(self) -> bool:
        """Whether it can be stopped or emptied."""

    def start(self) -> None:
        """Start it, at first or again."""

    def stop(self) -> None:
        """Stop it; what it held may be lost."""

    def empty(self) -> None:
        """Lose all messages that wait."""

    def end(self) -> None:
        """Stop it for good."""


class RedisBroker:
    """A redis-server of its own, without persistence."""

    def __init__(self) -> None:
        self._server = Redis()
        self.url = self._server.url
        self.is_running = False

    def start(self) -> None:
        """Start it, at first or again."""
        self._server.start()
        self.is_running = True

    def stop(self) -> None:
        """Stop it; all that it held is lost."""
        self._server.stop()
        self.is_running = False

    def empty(self) -> None:
        """Lose the messages, and Celery's own notes about its queues with them."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def end(self) -> None:
        """Stop it for good."""
        if self.is_running:
            self.stop()


class PgmqBroker:
    """PostgreSQL as the broker: it is away when the database is."""

    url = ""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    @property
    def is_running(self) -> bool:
        """Whether the database runs."""
        return self._postgres.is_running

    def start(self) -> None:
        """Start the database again, if it was stopped."""
        if not self.is_running:
            self._postgres.start()

    def stop(self) -> None:
        """Stop the database."""
        self._postgres.stop("fast")

    def empty(self) -> None:
        """Lose the messages of all queues."""
        with psycopg.connect(self._postgres.url, autocommit=True) as connection:
            connection.execute("SELECT pgmq.purge_queue(queue_name) FROM pgmq.list_queues()")

    def end(self) -> None:
        """Leave it to whoever keeps the database."""
