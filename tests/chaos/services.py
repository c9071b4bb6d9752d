"""The processes under attack: started as the supervisor starts them, and started anew when dead."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psutil

from salesflow import supervisor
from salesflow.home import PROJECT
from salesflow.processes import dying_with_parent
from tests.chaos.workload.places import ledger_file

GRACE = 30.0  # seconds between SIGTERM and SIGKILL at the end of a run
# The names of the workers that settle events, and of the one that makes calls.
EVENTS_WORKERS = ("worker", "worker-2")
CALLERS = "external"
READY = " ready."  # what Celery's workers say when they begin to consume
RESTART_SECONDS = (0.0, 1.5)  # until a dead one is started anew; its orphans live that long


@dataclass
class Service:
    """A process with its children in a group of its own, its output in a file.

    Attributes:
        folder: where it runs, and finds its code.
        starts: how often it was started.
        frozen: whether its group was sent SIGSTOP.
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    folder: Path = PROJECT
    starts: int = 0
    frozen: bool = False
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        """Start it; it gets SIGTERM should the suite itself be killed."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # Python must not fork so while other threads run.
                preexec_fn=dying_with_parent() if threading.active_count() == 1 else None,
            )
        self.starts += 1
        self.frozen = False

    @property
    def is_running(self) -> bool:
        """Whether its main process lives, frozen or not."""
        return self.process.poll() is None

    def children(self) -> list[int]:
        """The ids of the processes that its main process started."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return [child.pid for child in psutil.Process(self.process.pid).children()]
        return []

    def pids(self) -> list[int]:
        """The ids of all its processes."""
        return [self.process.pid, *self.children()]

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to all its processes; to none, if all are gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def freeze(self) -> None:
        """Stop all its processes in their tracks."""
        self.frozen = True
        self.signal_group(signal.SIGSTOP)

    def thaw_children(self) -> None:
        """Let its children go on, and not yet its main process."""
        for pid in self.children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def thaw(self) -> None:
        """Let them go on."""
        self.signal_group(signal.SIGCONT)
        self.frozen = False

    def ask_to_end(self) -> None:
        """Let it finish what it does."""
        self.thaw()
        if self.is_running:
            self.process.terminate()

    def end(self) -> None:
        """Wait until it has finished, and kill what is left of its group after a while."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(GRACE)
        self.bury()

    def bury(self) -> None:
        """Kill what is left of its group."""
        self.signal_group(signal.SIGKILL)
        self.process.wait()


class Crew:
    """All services of a run.

    Attributes:
        deaths: name → how often it was found dead though nobody had killed it.
    """

    def __init__(self, services: list[Service], random: Random) -> None:
        self.services = services
        self.deaths: Counter[str] = Counter()
        self._random = random
        self._doomed: set[int] = set()
        # The process id of a dead service → when it is to be started anew.
        self._restarts: dict[int, float] = {}

    def start(self) -> None:
        """Start all."""
        for service in self.services:
            service.start()

    def running(self, *names: str) -> list[Service]:
        """The services of these names that are neither dead nor frozen; without names, of all."""
        return [
            service
            for service in self.services
            if service.is_running and not service.frozen and (service.name in names or not names)
        ]

    def doom(self, service: Service) -> None:
        """Note that somebody is about to kill this one."""
        self._doomed.add(service.process.pid)

    def tend(self) -> None:
        """Start anew what has been dead for a while, as a process manager would."""
        for service in self.services:
            if not service.is_running and time.monotonic() > self._restart_of(service):
                service.bury()
                service.start()

    def _restart_of(self, service: Service) -> float:
        pid = service.process.pid
        if pid not in self._restarts:
            self.deaths[service.name] += pid not in self._doomed
            self._restarts[pid] = time.monotonic() + self._random.uniform(*RESTART_SECONDS)
        return self._restarts[pid]

    def is_ready(self) -> bool:
        """Whether all that consume messages have said that they do; dead ones are started anew."""
        self.tend()
        consumers = [s for s in self.services if "worker" in s.command]
        return all(READY in service.log.read_text() for service in consumers)

    def is_complete(self) -> bool:
        """Whether all are running."""
        return len(self.running()) == len(self.services)

    def end(self) -> None:
        """End all, together."""
        for service in self.services:
            service.ask_to_end()
        for service in self.services:
            service.end()


@contextlib.contextmanager
def at_work(environment: dict[str, str], home: Path, *more: Service) -> Iterator[Crew]:
    """The services of `make run` without its web server, and more beside them."""
    crew = Crew([*services_of_salesflow(environment, home), *more], Random(0))
    try:
        crew.start()
        yield crew
    finally:
        crew.end()


def services_of_salesflow(environment: dict[str, str], home: Path) -> list[Service]:
    """Workers, sweeper and scheduler, by the command lines of `make run`."""
    return [
        Service(child.name, child.command, environment, home / f"{child.name}.log")
        for child in supervisor.services(home, 0)
        if child.name != "web"
    ]


def second_worker(environment: dict[str, str], home: Path) -> Service:
    """A worker for events beside that of `make run`, as on a second machine."""
    first, name = EVENTS_WORKERS
    [command] = [s.command for s in services_of_salesflow(environment, home) if s.name == first]
    own = ["--hostname", f"{name}@%h", "--concurrency", "1"]
    return Service(name, [*command, *own], environment, home / f"{name}.log")


def publisher(
    number: int, seed: str, pace: float, environment: dict[str, str], home: Path
) -> Service:
    """A publishing process with a ledger of its own."""
    command = [sys.executable, "-m", "tests.chaos.workload.publisher"]
    return Service(
        f"publisher-{number}",
        [*command, f"{seed}/{number}", str(ledger_file(home, number)), str(pace)],
        environment,
        home / f"publisher-{number}.log",
    )
