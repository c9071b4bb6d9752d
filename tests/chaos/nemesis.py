"""The nemesis: strikes at random moments, lets harm overlap, and puts all right in the end."""

import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from tests.chaos.faults import FAULTS, NotNow, Remedy
from tests.chaos.stage import Stage
from tests.waiting import wait_until

TICK = 0.05  # seconds between two looks at what is to be healed
RECOVERY_SECONDS = 60.0


@dataclass
class Nemesis:
    """Does what a seed decides to a stage.

    Attributes:
        pause: seconds between two faults, on average.
        longest: seconds that no harm outlasts, so that a short run stays short.
        diary: seconds since the start → what was done, for whoever looks for the reason.
        faults: how often each was done.
    """

    stage: Stage
    random: Random
    pause: float = 1.5
    longest: float = 60.0
    diary: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    _started: float = field(default_factory=time.monotonic)
    _remedies: list[tuple[float, str, Remedy]] = field(default_factory=list)

    def strike(self) -> str:
        """Wait a random time, then do one harm that is possible now; returns which."""
        self._let_time_pass(self.random.uniform(0, 2 * self.pause))
        names = self.random.sample(list(FAULTS), len(FAULTS))
        while not (done := next(filter(self._try, names), "")):
            self._let_time_pass(TICK)
        self.faults[done] += 1
        return done

    def rest(self) -> float:
        """End all harm; returns the moment (of the monotonic clock) when everything ran again."""
        while self._remedies:
            self._let_time_pass(TICK)
        wait_until(self._is_whole, "all processes run again", RECOVERY_SECONDS)
        self._note("everything runs")
        return time.monotonic()

    def _is_whole(self) -> bool:
        self.stage.tend()
        return self.stage.services.is_complete() and self.stage.publishers.is_complete()

    def _try(self, name: str) -> bool:
        try:
            remedy = FAULTS[name](self.stage, self.random)
        except NotNow:
            return False
        if remedy and remedy.least > self.longest:
            remedy.heal()
            return False
        self._note(name)
        if remedy:
            until = time.monotonic() + min(remedy.seconds, self.longest)
            self._remedies.append((until, name, remedy))
        return True

    def _let_time_pass(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._heal_what_is_due()
            self.stage.tend()
            time.sleep(TICK)

    def _heal_what_is_due(self) -> None:
        now = time.monotonic()
        for entry in [entry for entry in self._remedies if entry[0] <= now]:
            self._remedies.remove(entry)
            _, name, remedy = entry
            remedy.heal()
            self._note(f"{name}: over")

    def _note(self, what: str) -> None:
        self.diary.append(f"{time.monotonic() - self._started:8.2f}  {what}")
