"""Where the console is measured: a server of its own with a database for each size of the log, and
a process at each that opens pages."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from benchmarks import stage
from benchmarks.processes import ProcessFailed, output_of
from salesflow.home import PROJECT
from salesflow.postgres import APP_DATABASE, APP_ROLE, Cluster, admin_url, app_url

SETTINGS_MODULE = "salesflow.settings"


def environment_of(home: Path, database: str = APP_DATABASE) -> dict[str, str]:
    """The environment of a process that uses a database of that server."""
    url = app_url(home).replace(f"/{APP_DATABASE}?", f"/{database}?")
    return stage.environment_of(home, url, SETTINGS_MODULE)


@dataclass(frozen=True)
class Log:
    """A database with a log of so many events.

    Attributes:
        home: of the server.
    """

    home: Path
    events: int

    @property
    def name(self) -> str:
        """The database's name."""
        return f"console_{self.events}"

    @property
    def environment(self) -> dict[str, str]:
        """Of a process that works on it."""
        return environment_of(self.home, self.name)

    def create(self) -> None:
        """Make the database, if it is not there."""
        with psycopg.connect(admin_url(self.home), autocommit=True) as admin:
            known = admin.execute("SELECT FROM pg_database WHERE datname = %s", [self.name])
            if known.fetchone() is None:
                statement = sql.SQL("CREATE DATABASE {} OWNER {}")
                names = sql.Identifier(self.name), sql.Identifier(APP_ROLE)
                admin.execute(statement.format(*names))

    def fill(self, moment: str) -> dict[str, int]:
        """Make the log, if it is not there; returns table → number of rows."""
        self.create()
        command = [
            sys.executable,
            "-m",
            "benchmarks.acts",
            "fill_console",
            str(self.events),
            moment,
        ]
        found: dict[str, int] = json.loads(output_of(command, self.environment, self.home))
        return found


@contextlib.contextmanager
def open_home(kept: Path | None) -> Iterator[Path]:
    """A directory with a server that runs; deleted at the end, unless it is to be kept."""
    with contextlib.ExitStack() as stack:
        home = kept or stack.enter_context(stage.temporary_home())
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o711)
        stack.enter_context(Cluster(home.absolute()).attached())
        yield home.absolute()


class Visitor:
    """A process that opens pages of one log."""

    def __init__(self, log: Log) -> None:
        self.log = log
        command = [sys.executable, "-m", "benchmarks.acts", "visit_console"]
        self._process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=log.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, verb: str, **given: Any) -> Any:
        """What one of `benchmarks.console.visiting` answers.

        Raises:
            ProcessFailed: it ended.
        """
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"verb": verb, **given}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise ProcessFailed(
                f"The process that opens pages of {self.log.events:,} events ended."
            )
        return json.loads(answer)

    def end(self) -> None:
        """Let it go."""
        self._process.terminate()
        self._process.communicate()


@contextlib.contextmanager
def visitors(logs: list[Log]) -> Iterator[list[Visitor]]:
    """A process for each log."""
    with contextlib.ExitStack() as stack:
        found = []
        for log in logs:
            visitor = Visitor(log)
            stack.callback(visitor.end)
            found.append(visitor)
        yield found
