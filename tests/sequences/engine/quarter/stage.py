"""The stage: it tells the time, starts workers and kills them at random."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import time_machine
from django.db.models import Min, Q

from channels.sequences.mending import mend_enrolments
from channels.sequences.models import Enrolment
from events.models import Event, EventStatus
from tests.sequences.engine.quarter.contacts import Contacts
from tests.sequences.engine.quarter.worker import held
from tests.sequences.engine.quarter.world import BEGINNING, WAVES, Team, enrol_wave
from tests.waiting import wait_until

WORKER = [sys.executable, "-m", "tests.sequences.engine.quarter.worker"]
WEEKS = 13
GRID = timedelta(minutes=15)
# Seconds of real time in which most of what is due at a moment is done.
MOMENT = 0.2
# Seconds of real time until everything that is due at a moment is done.
PATIENCE = 300.0


@dataclass
class Workers:
    """Processes that work by a clock; now and then one of them is killed at work.

    Attributes:
        danger: in how many of the moments at which something is due one is killed: 0.05 is
            each twentieth.
        kills: how many were.
    """

    clock: Path
    environment: Mapping[str, str]
    random: Random
    number: int = 2
    danger: float = 0.05
    kills: int = 0
    _processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    _killed: set[int] = field(default_factory=set)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Workers for the length of the block."""
        self._processes = [self._start(each) for each in range(self.number)]
        try:
            yield
        finally:
            for process in self._processes:
                process.kill()
                process.wait()

    def endanger(self) -> None:
        """Something is due: perhaps one of them is killed within the next moment."""
        if self.random.random() < self.danger:
            number, delay = self.random.randrange(self.number), self.random.uniform(0, MOMENT)
            threading.Timer(delay, self._kill, [self._file_of(number)]).start()

    def _start(self, number: int) -> "subprocess.Popen[bytes]":
        command = [*WORKER, str(self.clock), str(self._file_of(number))]
        return subprocess.Popen(command, env={**self.environment})

    def _file_of(self, number: int) -> Path:
        return self.clock.with_name(f"worker-{number}")

    def _kill(self, file: Path) -> None:
        worker = int(file.read_text() or 0) if file.exists() else 0
        # One who was killed is named until the next one works.
        if worker and worker not in self._killed:
            os.kill(worker, signal.SIGKILL)
            self._killed.add(worker)
            self.kills += 1


@dataclass
class Quarter:
    """A quarter of a year, from one moment at which something is due to the next."""

    teams: list[Team]
    clock: Path
    contacts: Contacts
    workers: Workers
    now: datetime = BEGINNING

    def run(self) -> datetime:
        """Let the quarter pass; returns its end."""
        end = BEGINNING + timedelta(weeks=WEEKS)
        waves = [(BEGINNING + timedelta(weeks=number), number) for number in range(WAVES)]
        mended = BEGINNING
        with time_machine.travel(BEGINNING, tick=False) as traveller:
            while self.now < end:
                traveller.move_to(self.now)
                tell(self.clock, self.now)
                self.workers.endanger()
                while waves and waves[0][0] <= self.now:
                    self._enrol(waves.pop(0)[1])
                self.contacts.act(self.now)
                if self.now - mended > timedelta(hours=6):
                    mended = self.now
                    mend_enrolments(self.now)
                wait_until(self._is_quiet, f"all that is due at {self.now} is done", PATIENCE)
                self.contacts.read(self.now)
                self.now = self._next(waves, mended, end)
            self.now = end
            traveller.move_to(end)
            mend_enrolments(end)
            tell(self.clock, end)
            wait_until(self._is_quiet, "the quarter is over", PATIENCE)
        return end

    def _enrol(self, wave: int) -> None:
        for team in self.teams:
            enrol_wave(team, team.leads[wave::WAVES], self.now)

    def _is_quiet(self) -> bool:
        time.sleep(0.01)
        due = Q(state="active", next_step_at__lte=self.now)
        back = Q(state="paused", resume_at__lte=self.now)
        return not (
            Enrolment.unscoped.filter(due | back).exists()
            or Event.unscoped.filter(status=EventStatus.PENDING).exists()
        )

    def _next(self, waves: list[tuple[datetime, int]], mended: datetime, end: datetime) -> datetime:
        """The next moment at which there is something to do, at a quarter of an hour."""
        found = Enrolment.unscoped.aggregate(
            due=Min("next_step_at", filter=Q(state="active")),
            back=Min("resume_at", filter=Q(state="paused")),
        )
        # Whoever waits for a message of which nobody knows is mended by and by.
        known = [*found.values(), self.contacts.next_at, mended + timedelta(hours=7), end]
        known += [at for at, _number in waves]
        first: datetime = max(min(filter(None, known)), self.now + timedelta(seconds=1))
        seconds = (first - datetime(2026, 1, 1, tzinfo=UTC)) / GRID
        return datetime(2026, 1, 1, tzinfo=UTC) + -(-seconds // 1) * GRID


def tell(clock: Path, now: datetime) -> None:
    """Tell the time once nobody works by the one before."""
    with held(clock, fcntl.LOCK_EX):
        clock.write_text(now.isoformat())


def environment_of_workers(given: Mapping[str, str]) -> dict[str, str]:
    """What workers are started with: leases of the dead run out soon."""
    return {
        **given,
        "SALESFLOW_EXTERNAL_LEASE_SECONDS": "1",
        "SALESFLOW_LOG_LEVEL": "ERROR",
        "PYTHONPATH": os.getcwd(),
    }
