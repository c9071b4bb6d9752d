"""What the log that is made looks like: how much of what, at whom, since when."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from functools import cached_property
from itertools import accumulate

# Each tenant's share of the events: one that is big, some, and the many small ones.
TENANTS = (0.62, 0.14, 0.08, 0.05, 0.03, 0.025, 0.02, 0.015, 0.008, 0.004, 0.003, 0.005)
# Events older than a day, and older than an hour: the rest of 60 days' events lie in that time.
OLDER_THAN_A_DAY, OLDER_THAN_AN_HOUR = 0.9, 0.98
DAYS = 60
GROUPS = 40
# The events of each group lie this far apart: those of two groups never meet.
STRIDE = GROUPS + 4
# Parts of all events: standing failures, the events of one import, those of one busy lead.
FAILED, IMPORTED, BUSY_LEAD = Fraction(1, 100), Fraction(1, 100), Fraction(1, 2500)

# Fate → how many events of a group met it, for each that stands as failed. Of those, some were
# replayed in vain, and some wait in a replay that runs.
FATES = {
    "healed alone": 0.2,
    "healed": 0.4,
    "healed just now": 0.08,
    "released": 0.04,
    "corrected": 0.02,
    "retried": 0.5,
}
STANDING = {"failed again": 0.02, "failed again just now": 0.004, "waiting": 0.08}


@dataclass(frozen=True)
class Window:
    """Where in the log a group's events lie: numbers of the first and the last."""

    first: int
    last: int


@dataclass(frozen=True)
class Shape:
    """A log of so many events.

    Attributes:
        moment: when the last of them was recorded.
    """

    events: int
    moment: datetime

    @property
    def failed(self) -> int:
        """Events that stand as failed."""
        return int(self.events * FAILED)

    @property
    def leads(self) -> int:
        """Leads of each tenant that events may be about."""
        return max(1, self.events // 12)

    @property
    def imported(self) -> Window:
        """The events of one request, yesterday."""
        first = int(self.events * OLDER_THAN_A_DAY)
        return Window(first, first + int(self.events * IMPORTED) - 1)

    @property
    def finished_at(self) -> datetime:
        """When the large replay that has ended was started."""
        return self.moment - timedelta(minutes=40)

    @property
    def running_since(self) -> datetime:
        """When the replay was started that runs."""
        return self.moment - timedelta(minutes=3)

    def upto(self, share: float) -> int:
        """The number of the event at which this share of the log ends."""
        return int(self.events * share)

    @cached_property
    def failed_of_groups(self) -> list[int]:
        """How many events stand as failed in each group, the largest group first."""
        weights = [1 / (place + 4) for place in range(GROUPS)]
        ends = [round(self.failed * end / sum(weights)) for end in accumulate(weights)]
        return [end - start for start, end in zip([0, *ends], ends, strict=False)]

    def fates_of(self, group: int) -> dict[str, int]:
        """Fate → how many events of the group met it, in the order in which they are dealt out.

        What was replayed long ago comes first: the earliest events are dealt out first.
        """
        failed = self.failed_of_groups[group]
        fates = {fate: round(failed * part) for fate, part in FATES.items()}
        standing = {fate: round(failed * part) for fate, part in STANDING.items()}
        return fates | standing | {"failed": failed - sum(standing.values())}

    def window_of(self, group: int) -> Window:
        """Every second group fails until now; the others ended some time ago."""
        count = sum(self.fates_of(group).values())
        width = max(self.upto(0.15 + 0.01 * group), int(count * STRIDE * 1.05))
        last = self.upto(0.995 if group % 2 == 0 else 0.88 - 0.01 * group)
        return Window(max(STRIDE, last - width), last)


def ends_of(shares: tuple[float, ...]) -> Iterator[float]:
    """Where each share begins, but for the first: what `width_bucket` wants."""
    yield from list(accumulate(shares))[:-1]
