"""Sends Celery tasks that do nothing, with pauses."""

import time

from benchmarks.acts.pauses import pauses
from benchmarks.waiting import wait_until
from benchmarks.workload.tasks import NO_OPS, do_nothing

WARM_UP = 20


def main(count: str) -> list[float]:
    """Returns how many milliseconds each of `count` tasks took to start."""
    NO_OPS.write_text("")
    _send(WARM_UP)
    _send(int(count))
    return [1000 * float(line) for line in _lines()[WARM_UP:]]


def _send(count: int) -> None:
    """Send tasks; return when they have run."""
    expected = len(_lines()) + count
    for pause in pauses(count):
        do_nothing.delay(time.time())
        time.sleep(pause)
    wait_until(lambda: len(_lines()) == expected, "all tasks have run")


def _lines() -> list[str]:
    return NO_OPS.read_text().splitlines()
