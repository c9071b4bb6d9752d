"""Real servers for journeys: the whole of SalesFlow under its supervisor, and a Redis."""

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from tests.waiting import wait_until

START_PATIENCE = 120.0


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Redis:
    """A redis-server without persistence that can be stopped and started again."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        where = ["--bind", "127.0.0.1", "--port", str(self.port)]
        self._process = subprocess.Popen(
            ["redis-server", *where, "--save", "", "--appendonly", "no"], stdout=subprocess.DEVNULL
        )
        wait_until(self._listens, "Redis listens")

    def stop(self) -> None:
        """Stop it; what it held is lost."""
        self._process.terminate()
        self._process.wait(10)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class SalesFlow:
    """What `make run` starts, in a home of its own."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        given = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("SALESFLOW_") and name != "DJANGO_SETTINGS_MODULE"
        }
        own = {"SALESFLOW_HOME": str(home), "SALESFLOW_PORT": str(self.port), **environment}
        self._environment = {**given, **own}

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "salesflow"],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_until(self._is_ready, "SalesFlow is ready", START_PATIENCE)

    def stop(self) -> int:
        """Stop it as Ctrl-C does; returns the exit status."""
        self._process.terminate()
        return self._process.wait(60)

    def manage(self, *arguments: str) -> str:
        """What a management command prints in a second terminal."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            env=self._environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, (self.home / "log").read_text()
        try:
            with urllib.request.urlopen(f"{self.address}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False
