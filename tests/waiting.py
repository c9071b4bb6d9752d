"""Waiting for a condition instead of sleeping."""

import os
import time
from collections.abc import Callable

# How much longer a promised time may take while other tests run on the same machine.
SLACK = 3.0


def wait_until(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Return as soon as `condition()` is true.

    Raises:
        AssertionError: naming `what`, after so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"Waited {seconds:g} s in vain until {what}."
        time.sleep(0.02)


def promised(seconds: float) -> float:
    """A promised time as the tests demand it.

    Other tests run beside them, on machines that others use too: `STRICT=1` takes a promise
    literally, for a run by itself.
    """
    return seconds if os.environ.get("STRICT") else SLACK * seconds
