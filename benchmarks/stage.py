"""The stage: a PostgreSQL cluster, a Redis and a home of the benchmark's own, gone at the end."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.peers.peer import Broker
from salesflow.home import HomeError, lock_now, open_lock
from salesflow.postgres import APP_ROLE, Cluster, admin_url, app_url

PREFIX = "salesflow-bench-"
LOCK = "stage.lock"  # held for as long as the stage stands
SETTINGS_MODULE = "benchmarks.settings"
# When a row was committed, by the server's clock: the end of every measurement.
TRACK_COMMITS = "ALTER SYSTEM SET track_commit_timestamp = on"
# So that no measurement pays for what the one before it wrote.
LET_CHECKPOINT = f"GRANT pg_checkpoint TO {APP_ROLE}"


@dataclass(frozen=True)
class Stage:
    """Servers that run, and how processes reach them.

    Attributes:
        home: the directory of the cluster and of the processes' logs.
        redis_url: where Redis listens.
    """

    home: Path
    redis_url: str

    def environment(self, broker: Broker) -> dict[str, str]:
        """The environment of a process that uses that broker."""
        broker_url = self.redis_url if broker == Broker.REDIS else ""
        ours = environment_of(self.home, app_url(self.home), SETTINGS_MODULE)
        return {**ours, "SALESFLOW_BROKER_URL": broker_url}


def environment_of(home: Path, database_url: str, settings_module: str) -> dict[str, str]:
    """The environment of a process that uses that database, whatever the shell's says of ours."""
    ours = {
        "SALESFLOW_HOME": str(home),
        "SALESFLOW_DATABASE_URL": database_url,
        "SALESFLOW_LOG_LEVEL": "WARNING",
        "DJANGO_SETTINGS_MODULE": settings_module,
        # Celery warns of root because of pickled messages; nobody sends such here.
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
    }
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SALESFLOW_", "DJANGO_"))
    }
    return {**kept, **ours}


@contextlib.contextmanager
def open_stage() -> Iterator[Stage]:
    """Start the servers; stop them and delete their data at the end.

    Raises:
        HomeError: a server can't be started; the message says what to do.
    """
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(temporary_home())
        # The cluster of an installation with its settings: durable, not tuned for this.
        with Cluster(home).attached(), psycopg.connect(admin_url(home), autocommit=True) as admin:
            admin.execute(TRACK_COMMITS)
            admin.execute(LET_CHECKPOINT)
        stack.enter_context(Cluster(home).attached())
        yield Stage(home, stack.enter_context(_redis()))


@contextlib.contextmanager
def temporary_home() -> Iterator[Path]:
    """A directory for a server's data, deleted at the end; those of killed runs go first."""
    _remove_abandoned()
    home = Path(tempfile.mkdtemp(prefix=PREFIX))
    home.chmod(0o711)
    try:
        with open_lock(home / LOCK) as lock:
            lock_now(lock)
            yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _remove_abandoned() -> None:
    """Stop and delete the clusters of runs that were killed."""
    # A run makes its cluster when it holds the lock.
    for lock_file in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        home = lock_file.parent
        with contextlib.suppress(OSError), open_lock(lock_file) as lock:
            if (home / "postgres").exists() and lock_now(lock):
                Cluster(home).stop()
                shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def _redis() -> Iterator[str]:
    if not shutil.which("redis-server"):
        raise HomeError("The benchmarks need Redis: apt-get install redis-server")
    port = _free_port()
    where = ["--bind", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        ["redis-server", *where, "--save", "", "--appendonly", "no"], stdout=subprocess.DEVNULL
    )
    try:
        _wait_for(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"redis-server does not listen on port {port}.")
        time.sleep(0.02)
