"""A worker that lives by the clock of the stage: `python -m tests.sequences.engine.quarter.worker`.

It does what Celery's workers do, through the functions that their tasks call. Whoever is killed is
followed at once by another one: the process that was started only forks them, and tells whom.
"""

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import django
import time_machine

PAUSE, SWEEP = 0.02, 1.0


def main(clock: Path, worker: Path) -> None:
    """Have one worker after the other, until somebody ends this process.

    Args:
        worker: a file that holds the process id of the one who works.
    """
    django.setup()
    _load()
    parent = os.getpid()
    while True:
        child = os.fork()
        if not child:
            _live(clock, parent)
        worker.write_text(str(child))
        os.waitpid(child, 0)


def _load() -> None:
    """Import what work needs, once for all workers."""
    from salesflow.celery import app

    app.loader.import_default_modules()


def _live(clock: Path, parent: int) -> None:
    """Work until somebody kills this process, or the one that has forked it."""
    # A clock that is being told another time is empty for a moment.
    with held(clock, fcntl.LOCK_SH):
        begun = read_clock(clock)
    with time_machine.travel(begun, tick=False) as traveller:
        swept = time.monotonic()
        while os.getppid() == parent:
            with held(clock, fcntl.LOCK_SH):
                at = read_clock(clock)
                traveller.move_to(at)
                if time.monotonic() - swept > SWEEP:
                    _sweep()
                    swept = time.monotonic()
                done = _work(at)
            if not done:
                time.sleep(PAUSE)
    os._exit(0)


@contextmanager
def held(clock: Path, how: int) -> Iterator[None]:
    """Keep the clock as it is, with others, or alone to tell another time: nobody sends by a
    quarter of an hour ago what a colleague has just written. Whoever is killed lets it go.

    Args:
        how: fcntl.LOCK_SH or fcntl.LOCK_EX.
    """
    with clock.with_suffix(".held").open("w") as file:
        fcntl.flock(file, how)
        yield


def read_clock(clock: Path) -> datetime:
    """The time that the stage tells, while it is held."""
    return datetime.fromisoformat(clock.read_text())


def _work(at: datetime) -> int:
    """Do what is due; returns how much that was."""
    from channels.sequences.executing import advance_due
    from events.external import run_due
    from events.settling import settle_due

    done = advance_due(at=at)
    while settled := settle_due():
        done += settled
    return done + run_due()


def _sweep() -> None:
    """What the sweeper does about workers that are gone."""
    from events import external, journal

    external.sweep()
    journal.delete_dead_entries()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
