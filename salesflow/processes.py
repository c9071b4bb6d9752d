"""The processes of one installation: started with their output on a pipe, stopped without orphans.

Not honcho's Manager: it puts a second process between itself and each child, which orphans the
children when it is killed, and gives all of them the same five seconds to stop.
"""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from salesflow.home import PROJECT

PR_SET_PDEATHSIG = 1
CLOCK_TOLERANCE = 2.0  # seconds; a process's start is counted from the boot, whose date may shift
# Seconds that a killed supervisor's children get to finish; nothing of theirs is lost without.
LEFTOVER_GRACE = 5.0


@dataclass
class Child:
    """A process in a group of its own, so that a terminal's Ctrl-C reaches only the supervisor.

    Attributes:
        name: what people call it; the prefix of its log lines.
        command: its command line.
        grace: seconds between SIGTERM and SIGKILL.
    """

    name: str
    command: list[str]
    grace: float = 10.0
    process: subprocess.Popen[bytes] = field(init=False)
    _unfinished: bytes = b""

    def start(self) -> None:
        """Start it; on Linux it gets SIGTERM when the supervisor dies, however that happens."""
        self.process = subprocess.Popen(  # noqa: S603
            self.command,
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=dying_with_parent(),  # noqa: PLW1509 - we are a single thread
        )
        os.set_blocking(self.output, False)

    @property
    def output(self) -> int:
        """Descriptor of its output."""
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def read_lines(self) -> list[str]:
        """Return the complete lines that it has written since the last call."""
        text = self._unfinished
        with contextlib.suppress(BlockingIOError):
            while part := os.read(self.output, 65536):
                text += part
        *lines, self._unfinished = text.split(b"\n")
        return [line.decode(errors="replace") for line in lines]

    def ended_how(self) -> str | None:
        """Return how it ended, such as "status 1" or "SIGKILL"; None while it runs."""
        status = self.process.poll()
        if status is None:
            return None
        return f"status {status}" if status >= 0 else signal.Signals(-status).name

    def ask_to_stop(self) -> None:
        """Let it finish what it does."""
        if self.process.poll() is None:
            self.process.terminate()

    def finish(self) -> None:
        """Wait for its end as long as its grace allows, then kill what is left of its group."""
        # Reading on keeps it from blocking on a full pipe while it says goodbye.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.communicate(timeout=self.grace)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()


def record_children(record: Path, children: list[Child]) -> None:
    """Write down which processes run, for the next start to find what a killed supervisor left."""
    rows = [
        {
            "pid": child.process.pid,
            "created": psutil.Process(child.process.pid).create_time(),
            "command": child.command,
        }
        for child in children
    ]
    draft = record.with_suffix(".new")
    draft.write_text(json.dumps(rows))
    draft.replace(record)


def end_leftovers(record: Path) -> int:
    """End the processes that a killed supervisor wrote down, and tell how many there were.

    Only what has the same group, command line and age is ended: ids are used again.
    """
    try:
        rows = json.loads(record.read_text())
    except (FileNotFoundError, ValueError):
        return 0
    leftovers = [process for row in rows for process in _members(row)]
    for process in leftovers:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(leftovers, timeout=LEFTOVER_GRACE)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=LEFTOVER_GRACE)
    record.unlink(missing_ok=True)
    return len(leftovers)


def _members(row: dict[str, object]) -> Iterator[psutil.Process]:
    """Yield the live processes of a recorded child's group: the child and its own children."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if (
                os.getpgid(process.pid) == row["pid"]
                and process.cmdline() == row["command"]
                and process.create_time() >= float(str(row["created"])) - CLOCK_TOLERANCE
            ):
                yield process


def dying_with_parent() -> Callable[[], None] | None:
    """Return what a child has to do before it starts; None where the system can't do this."""
    if not sys.platform.startswith("linux"):
        return None
    libc, supervisor = ctypes.CDLL(None), os.getpid()

    def ask_kernel() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != supervisor:  # it died before we asked
            os.kill(os.getpid(), signal.SIGTERM)

    return ask_kernel
