"""`python -m salesflow` as a person at a terminal meets it: real processes, real signals."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from salesflow.home import PROJECT
from tests.setup.conftest import environment_of, processes_of, wait_until

# A word of its command line tells each process's name.
NAMES = {
    "gunicorn": "web",
    "beat": "beat",
    "events": "worker",
    "external": "external",
    "sweeps": "sweeper",
}

pytestmark = pytest.mark.journey


class Terminal:
    """A running supervisor and what it has printed so far."""

    def __init__(self, home: Path, port: int, **settings: str) -> None:
        self.home, self.port = home, port
        self.printed = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "salesflow"],
            env=environment_of(home, SALESFLOW_PORT=str(port), **settings),
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed += line

    def expect(self, text: str) -> None:
        """Wait until it has printed that."""
        wait_until(lambda: text in self.printed or self.process.poll() is not None)
        assert text in self.printed, self.printed

    def end(self, number: int) -> int:
        """Send the signal, wait for the end, return the exit status."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        status = self.process.wait(timeout=60)
        # A killed supervisor's children hold its output open until they have stopped, too.
        self._reader.join(timeout=60)
        return status

    def children(self) -> dict[str, psutil.Process]:
        """The processes that are written down, by name."""
        try:
            rows = json.loads((self.home / "processes.json").read_text())
        except FileNotFoundError:
            return {}
        return {
            NAMES[word]: psutil.Process(row["pid"])
            for row in rows
            for word in NAMES.keys() & set(row["command"])
        }


@pytest.fixture(scope="module")
def site() -> Iterator[Path]:
    """A home that the tests of this module use one after the other, as its owner would."""
    with tempfile.TemporaryDirectory(prefix="salesflow-site-") as directory:
        yield Path(directory)


@pytest.fixture
def start(site: Path) -> Iterator[Callable[[int], Terminal]]:
    terminals: list[Terminal] = []

    def start_on(port: int) -> Terminal:
        terminals.append(Terminal(site, port))
        return terminals[-1]

    yield start_on
    for terminal in terminals:
        if terminal.process.poll() is None:
            terminal.end(signal.SIGTERM)
        assert terminal.process.stdout is not None
        terminal.process.stdout.close()


def test_port_in_use_is_one_line_before_anything_starts(site: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        refused = subprocess.run(
            [sys.executable, "-m", "salesflow"],
            env=environment_of(site, SALESFLOW_PORT=str(taken)),
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr.startswith(f"Can't listen on port {taken}")
    assert refused.stderr.count("\n") == 1
    assert not (site / "postgres").exists()


def test_ready_site_answers_refuses_a_second_start_and_ends_on_ctrl_c(
    start: Callable[[int], Terminal], port: int
) -> None:
    terminal = start(port)
    terminal.expect(f"SalesFlow is ready at http://127.0.0.1:{port}")
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/readyz")
    assert connection.getresponse().status == 200
    connection.close()

    second = start(port + 1)
    assert second.wait() == 1
    assert f"already running at http://127.0.0.1:{port}" in second.printed

    assert terminal.end(signal.SIGINT) == 0
    assert processes_of(terminal.home) == []
    assert not (terminal.home / "processes.json").exists()


def test_killed_supervisor_leaves_nothing_that_hinders_the_next_start(
    start: Callable[[int], Terminal], port: int
) -> None:
    killed = start(port)
    wait_until(lambda: len(killed.children()) == len(NAMES))
    orphans = killed.children().values()
    killed.process.kill()
    killed.process.wait()
    next_one = start(port)
    next_one.expect("SalesFlow is ready")
    assert not any(orphan.is_running() for orphan in orphans)
    assert next_one.end(signal.SIGTERM) == 0
    assert processes_of(next_one.home) == []


def test_death_of_one_process_is_named_and_stops_all(
    start: Callable[[int], Terminal], port: int
) -> None:
    terminal = start(port)
    wait_until(lambda: len(terminal.children()) == len(NAMES))
    terminal.children()["beat"].kill()
    assert terminal.wait() == 1
    assert "beat died with SIGKILL" in terminal.printed
    assert processes_of(terminal.home) == []


def test_unreachable_database_of_ones_own_is_named(site: Path, port: int) -> None:
    url = "postgresql://app:hunter2@127.0.0.1:1/sales"
    refused = subprocess.run(
        [sys.executable, "-m", "salesflow"],
        env=environment_of(site, SALESFLOW_PORT=str(port), SALESFLOW_DATABASE_URL=url),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert "Can't reach the database" in refused.stdout
    assert "Traceback" not in refused.stdout + refused.stderr
    assert "hunter2" not in refused.stdout + refused.stderr
