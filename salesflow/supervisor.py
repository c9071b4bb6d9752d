"""`python -m salesflow`: database, web server, worker and scheduler in one place, until Ctrl-C.

One supervisor a home directory. It prepares the database, starts the processes, merges their logs,
and when one of them dies it says which and stops all.
"""

import contextlib
import http.client
import json
import logging
import os
import secrets
import selectors
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn
from urllib.parse import urlsplit

from channels.autopilot import local_model
from salesflow import home
from salesflow.environment import Environment
from salesflow.home import HomeError
from salesflow.postgres import attached_database
from salesflow.processes import Child, end_leftovers, record_children

ADDRESS = "127.0.0.1"
HIGHEST_PORT = 65535
# Celery warns of root because of pickled messages; ours are JSON.
ROOT_IS_FINE = "ignore:You're running the worker with superuser privileges"
CELERY = [sys.executable, "-m", "celery", "--quiet", "-A", "salesflow"]
TICK = 0.2  # seconds between two looks at the children
PATIENCE = 30.0  # seconds until we tell what /readyz says
NAME_WIDTH = 8
COLOURS = {
    "setup": 35,
    "web": 36,
    "worker": 33,
    "external": 34,
    "sweeper": 31,
    "beat": 32,
    "model": 95,
}


class StartError(Exception):
    """SalesFlow can't start or go on; the message is for the person at the terminal."""


def main() -> int:
    """Run SalesFlow until a signal or a failure, and return the exit status."""
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stdout)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with _only_supervisor(home.create(home.directory())) as (directory, port):
            _supervise(directory, port)
    except KeyboardInterrupt:
        say("Stopped.")
        return 0
    except (StartError, HomeError) as error:
        sys.stderr.write(f"{error}\n")
    return 1


def say(text: str) -> None:
    """Print for people; nobody may be there to read any more."""
    with contextlib.suppress(OSError):
        print(text, flush=True)  # noqa: T201


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _only_supervisor(directory: Path) -> Iterator[tuple[Path, int]]:
    """Hold the home's lock; yield the home and the port, which is free.

    Raises:
        StartError: another supervisor has the home, or somebody has the port.
    """
    port = _port()
    with home.open_lock(directory / "supervisor.lock") as lock:
        if not home.lock_now(lock):
            where = os.pread(lock, 1000, 0).decode()
            raise StartError(f"SalesFlow is already running{where}. Stop it there with Ctrl-C.")
        _note(lock, "")
        if count := end_leftovers(directory / "processes.json"):
            say(f"Ended {count} processes of a SalesFlow that was killed.")
        _check_port(port)
        _note(lock, f" at http://{ADDRESS}:{port} (process {os.getpid()}, {directory})")
        try:
            yield directory, port
        finally:
            _note(lock, "")


def _note(lock: int, text: str) -> None:
    os.ftruncate(lock, 0)
    os.pwrite(lock, text.encode(), 0)


def _port() -> int:
    environment = Environment()
    port: int = environment.int("PORT", default=8000)
    if environment.problems or not 1 <= port <= HIGHEST_PORT:
        raise StartError(f"SALESFLOW_PORT has to be a number between 1 and {HIGHEST_PORT}.")
    return port


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            raise StartError(
                f"Can't listen on port {port} ({error.strerror}): stop what uses it,"
                " or choose another one as in: make run PORT=8001"
            ) from None


def _supervise(directory: Path, port: int) -> None:
    """Run everything until one process dies or a signal comes; leave nothing behind."""
    os.environ["SALESFLOW_PORT"] = str(port)
    os.environ["DJANGO_SETTINGS_MODULE"] = "salesflow.settings"
    os.environ["PYTHONUNBUFFERED"] = "1"
    os.environ["PYTHONWARNINGS"] = ROOT_IS_FINE
    if _serves_local_model():
        _name_local_model()
    with attached_database(), Crew(directory) as crew:
        say("Preparing the database and the static files")
        crew.run_to_end(Child("setup", [sys.executable, "manage.py", "prepare"]))
        for child in services(directory, port):
            crew.start(child)
        crew.watch(port)


def _serves_local_model() -> bool:
    return Environment().choice("AI", ["", "local"], default="") == "local"


def _name_local_model() -> None:
    """Have all processes ask the model that is served beside them, which nobody else can.

    Raises:
        StartError: it is not installed.
    """
    if lacking := local_model.why_not():
        raise StartError(lacking)
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        port = probe.getsockname()[1]
    os.environ["SALESFLOW_AI_BASE_URL"] = f"http://{ADDRESS}:{port}/v1"
    os.environ["SALESFLOW_AI_MODEL"] = local_model.MODEL
    os.environ["SALESFLOW_AI_API_KEY"] = secrets.token_urlsafe(32)


def services(directory: Path, port: int) -> list[Child]:
    """Return the processes in the order in which they start and stop.

    The web server comes first: people wait for it, and what it publishes at the end is still seen.
    """
    beat = ["beat", "--schedule", str(directory / "beat-schedule"), "--pidfile="]
    gunicorn = [
        sys.executable,
        "-m",
        "gunicorn",
        "salesflow.wsgi",
        "--preload",
        "--no-control-socket",
        "--logger-class",
        "salesflow.web_log.WebLog",
    ]
    threads = ["--preload", "--worker-class", "gthread", "--workers", "2", "--threads", "8"]
    patience = ["--timeout", "60", "--graceful-timeout", "10", "--keep-alive", "5"]
    model = [sys.executable, "-m", "channels.autopilot.local_model"]
    return [
        Child("web", [*gunicorn, *threads, *patience, "--bind", f"{ADDRESS}:{port}"], grace=15),
        Child("beat", [*CELERY, *beat, "--loglevel", "INFO"], grace=5),
        _worker("worker", "events", ["--concurrency", "2"], grace=30),
        # Most of the time its processes wait for somebody's answer.
        _worker("external", "external", ["--concurrency", "4"], grace=60),
        _worker("sweeper", "sweeps", ["--pool", "solo"], grace=10),
        *([Child("model", model, grace=5)] if _serves_local_model() else []),
    ]


def _worker(name: str, queue: str, pool: list[str], grace: float) -> Child:
    """Return a Celery worker that serves one queue with processes of its own."""
    # Nobody asks these workers anything through the broker, so they need not answer.
    lonely = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    identity = ["--hostname", f"{name}@%h", "--queues", queue]
    command = [*CELERY, "worker", *identity, *pool, *lonely, "--loglevel", "INFO"]
    return Child(name, command, grace)


class Crew:
    """The running children: their logs merged, their deaths noticed, their end in order."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.children: list[Child] = []
        self.selector = selectors.DefaultSelector()

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all, the web server first. Signals that come meanwhile change nothing."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if self.children:
            say(f"Stopping {', '.join(child.name for child in self.children)}")
        for child in self.children:
            child.ask_to_stop()
        for child in self.children:
            child.finish()
        (self.directory / "processes.json").unlink(missing_ok=True)
        self.selector.close()

    def start(self, child: Child) -> None:
        """Start a child and write it down."""
        child.start()
        self.children.append(child)
        self.selector.register(child.output, selectors.EVENT_READ, child)
        record_children(self.directory / "processes.json", self.children)

    def run_to_end(self, child: Child) -> None:
        """Run a child that ends by itself.

        Raises:
            StartError: it did not end well.
        """
        self.start(child)
        while (end := child.ended_how()) is None:
            self._pass_on_logs()
        self._pass_on_logs()
        self.selector.unregister(child.output)
        self.children.remove(child)
        child.finish()
        if end != "status 0":
            raise StartError(f"SalesFlow can't start: {child.name} ended with {end}.")

    def watch(self, port: int) -> NoReturn:
        """Pass on logs until a child dies; announce when the site answers.

        Raises:
            StartError: a child died; the message names it.
        """
        announcement = self._announce_when_ready(port)
        while True:
            self._pass_on_logs()
            next(announcement, None)
            for child in self.children:
                if end := child.ended_how():
                    self._pass_on_logs()
                    raise StartError(f"{child.name} died with {end}: SalesFlow stops.")

    def _pass_on_logs(self) -> None:
        for key, _ in self.selector.select(TICK):
            for line in key.data.read_lines():
                say(f"{_prefix(key.data.name)} {line}")

    def _announce_when_ready(self, port: int) -> Iterator[None]:
        started = time.monotonic()
        told = False
        while (trouble := _readiness_trouble(port)) is not None:
            if not told and time.monotonic() - started > PATIENCE:
                say(f"Still waiting for http://{ADDRESS}:{port}/readyz: {trouble}")
                told = True
            yield
        say(f"\nSalesFlow is ready at http://{ADDRESS}:{port}\n{_demo_access(self.directory)}")


def _prefix(name: str) -> str:
    padded = f"{name:<{NAME_WIDTH}} |"
    return f"\033[{COLOURS[name]}m{padded}\033[0m" if sys.stdout.isatty() else padded


def _readiness_trouble(port: int) -> str | None:
    """Return what keeps /readyz from answering 200, None when nothing does."""
    # The name by which people reach the site: others may be refused.
    host = urlsplit(os.environ.get("SALESFLOW_BASE_URL", "")).netloc or f"{ADDRESS}:{port}"
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=2)
    try:
        connection.request("GET", "/readyz", headers={"Host": host})
        answer = connection.getresponse()
        text = answer.read(500).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return str(error)
    finally:
        connection.close()
    return None if answer.status == http.client.OK else f"{answer.status} {text}"


def _demo_access(directory: Path) -> str:
    """Return the demo tenant's logins and API key as lines to print, nothing without a demo."""
    try:
        demo = json.loads((directory / "demo.json").read_text())
    except FileNotFoundError:
        return ""
    logins = [f"  {row['role']:<8} {row['email']}  {row['password']}" for row in demo["logins"]]
    return "\n".join(["Demo logins:", *logins, f"Demo API key: {demo['api_key']}", ""])
