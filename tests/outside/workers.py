"""The workers that the supervisor starts, with this app, and with leases that run out soon."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

CELERY = [sys.executable, "-m", "celery", "-A", "salesflow", "worker", "--without-gossip"]
# Seconds for a worker to end by itself.
GRACE = 30.0


@contextmanager
def at_work(environment: Mapping[str, str]) -> Iterator[None]:
    """Workers for all queues, and the scheduler, for the length of the block."""
    own = {
        **environment,
        "SALESFLOW_EXTRA_APPS": "tests.thirdparty,tests.outside",
        "SALESFLOW_EXTERNAL_LEASE_SECONDS": "1",
        "SALESFLOW_SWEEP_INTERVAL": "0.5",
    }
    schedule = f"--schedule={os.environ['SALESFLOW_HOME']}/beat-of-calls"
    with ExitStack() as stack:
        for options in (
            ["--hostname=external@%h", "--queues=external", "--concurrency=4"],
            ["--hostname=events@%h", "--queues=events,sweeps", "-c1", "--beat", schedule],
        ):
            command = [*CELERY, *options]
            stack.callback(_stop, subprocess.Popen(command, env=own, process_group=0))
        yield


def _stop(worker: "subprocess.Popen[bytes]") -> None:
    """Let it end; whoever hangs after a failed test is killed with all of its processes."""
    worker.terminate()
    try:
        worker.wait(GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
