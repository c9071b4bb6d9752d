"""The end of a call that takes too long."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

# Seconds between two alarms, should the call outlive the first one.
AGAIN = 1.0


class TimedOut(Exception):
    """The handler was interrupted since its timeout was over."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"interrupted: it took longer than {seconds:g} s")


class Interruption(BaseException):
    """Raised inside a call; not an Exception, so that the call does not take it for its own."""


def call_within(seconds: float, function: Callable[..., T], *arguments: object) -> T:
    """Call a function, and interrupt it when the time is over.

    Only the main thread of a process can be interrupted, which is where Celery's prefork and solo
    workers run their tasks. In other threads the function takes as long as it takes.

    Args:
        seconds: how long it may take, by the wall clock.

    Raises:
        TimedOut: it was interrupted.
    """
    if threading.current_thread() is not threading.main_thread():
        return function(*arguments)
    before = signal.signal(signal.SIGALRM, _ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        return _interruptible(function, *arguments)
    except Interruption as interruption:
        raise TimedOut(seconds) from interruption
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _interruptible(function: Callable[..., T], *arguments: object) -> T:
    return function(*arguments)


def _ring(_number: int, frame: FrameType | None) -> None:
    """Interrupt what runs below `_interruptible` alone, never our own cleaning up."""
    while frame is not None:
        caller = frame.f_back
        if caller is not None and caller.f_code is _interruptible.__code__:
            raise Interruption
        frame = caller
