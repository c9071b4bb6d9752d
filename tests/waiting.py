"""Waiting for a condition instead of sleeping."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Return as soon as `condition()` is true.

    Raises:
        AssertionError: naming `what`, after so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"Waited {seconds:g} s in vain until {what}."
        time.sleep(0.02)
