"""The processes of a measurement: started together, their logs in files, ended together."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from salesflow.home import PROJECT

TICK_SECONDS = 0.05
GRACE_SECONDS = 15.0
TAIL = 2000  # characters of a log that tell what went wrong


class ProcessFailed(Exception):
    """A process of a measurement did not end well; the message has its log."""


@contextlib.contextmanager
def running(
    commands: Sequence[list[str]], environment: dict[str, str], logs: Path
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run these commands meanwhile; their output goes to files in `logs`."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for number, command in enumerate(commands):
            with (logs / f"worker-{number}.log").open("wb") as log:
                processes.append(_start(command, environment, log, log))
        yield processes
    finally:
        _end(processes)


def _start(
    command: list[str], environment: dict[str, str], output: BinaryIO, errors: BinaryIO
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=PROJECT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        start_new_session=True,
    )


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.terminate()
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
        # Its children are in its group; none may go on into the next measurement.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def output_of(
    command: list[str],
    environment: dict[str, str],
    logs: Path,
    workers: Sequence[subprocess.Popen[bytes]] = (),
    watch: Callable[[Sequence[subprocess.Popen[bytes]]], object] = lambda workers: None,
) -> str:
    """What a process prints that runs to its end while those workers live.

    Args:
        watch: called with the workers, again and again.

    Raises:
        ProcessFailed: it failed, or a worker died; with the last lines of all logs.
    """
    output = logs / "output"
    with output.open("wb") as printed, (logs / "output.log").open("wb") as errors:
        process = _start(command, environment, printed, errors)
    try:
        while process.poll() is None:
            time.sleep(TICK_SECONDS)
            if any(worker.poll() is not None for worker in workers):
                raise ProcessFailed(f"A worker died.\n{_tails(logs)}")
            watch(workers)
    finally:
        _end([process])
    if process.returncode:
        raise ProcessFailed(f"{' '.join(command)} failed.\n{_tails(logs)}")
    return output.read_text()


def _tails(logs: Path) -> str:
    """The last lines of all logs, for the person who has to find out."""
    return "\n".join(
        f"--- {log.name}\n{log.read_text(errors='replace')[-TAIL:]}"
        for log in sorted(logs.glob("*.log"))
    )
