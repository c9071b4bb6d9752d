"""Homes, real processes in them, and what is left of those."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from salesflow.home import PROJECT
from salesflow.postgres import Cluster

HOLDER = """
import sys
from pathlib import Path
from salesflow.postgres import Cluster

with Cluster(Path(sys.argv[1]), throwaway=True).attached():
    print("attached", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty home directory, with a path that could also be a Unix socket's."""
    with tempfile.TemporaryDirectory(prefix="salesflow-home-") as directory:
        yield Path(directory)


@pytest.fixture
def cluster(home: Path) -> Cluster:
    return Cluster(home, throwaway=True)


@pytest.fixture
def port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@pytest.fixture
def hold(home: Path) -> Iterator[Callable[[], "subprocess.Popen[str]"]]:
    """Starts a process that uses the home's server until its standard input is closed."""
    holders = []

    def start() -> "subprocess.Popen[str]":
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
        )
        holders.append(holder)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "attached\n"
        return holder

    yield start
    for holder in holders:
        holder.communicate()


def environment_of(home: Path, **more: str) -> dict[str, str]:
    """The environment of somebody who uses this home, its embedded database and no demo."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SALESFLOW_")}
    return {**kept, "SALESFLOW_HOME": str(home), "SALESFLOW_DEMO": "0", **more}


def processes_of(home: Path) -> list[str]:
    """Command lines of all processes that belong to the home, the database's included."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.environ().get("SALESFLOW_HOME") == str(home)
            if process.pid != os.getpid() and (ours or process.cwd().startswith(str(home))):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 180) -> None:
    """Wait for the condition, and fail when it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
