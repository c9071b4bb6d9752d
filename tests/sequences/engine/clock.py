"""A clock for this process, and for the engine, which is told the time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import time_machine
from django.db.models import Min, Q

from channels.sequences.executing import advance_due
from channels.sequences.models import Enrolment
from events.testing import settle_events
from tests.sequences.weeks import BERLIN, local


class Clock:
    """Stands still until it is set; PostgreSQL's own clock goes on, and decides nothing here."""

    def __init__(self, traveller: time_machine.Traveller) -> None:
        self._traveller = traveller

    @property
    def now(self) -> datetime:
        """The time."""
        return datetime.now(UTC)

    def set(self, at: datetime | str) -> None:
        """Let it be `at`; a text is a time in Berlin."""
        self._traveller.move_to(local(at, BERLIN) if isinstance(at, str) else at)

    def skip(self, **parts: float) -> None:
        """Let so much time pass: `days=1`."""
        self._traveller.shift(timedelta(**parts))

    def run(self) -> int:
        """Let the engine and all handlers do what is due now; returns how many people moved."""
        moved = 0
        settle_events()
        while done := advance_due(at=self.now):
            moved += done
            settle_events()
        return moved

    def run_at(self, at: datetime | str) -> int:
        """`set` and `run`."""
        self.set(at)
        return self.run()

    def run_until(self, end: datetime | str) -> None:
        """Let time pass until then, from one due step to the next."""
        last = local(end, BERLIN) if isinstance(end, str) else end
        self.run()
        while (due := _next_due()) and due <= last:
            self.set(max(due, self.now))
            self.run()
        self.set(last)


def _next_due() -> datetime | None:
    active = Q(state=Enrolment.State.ACTIVE)
    found = Enrolment.unscoped.aggregate(
        due=Min("next_step_at", filter=active), back=Min("resume_at", filter=~active)
    )
    return min(filter(None, found.values()), default=None)


@contextmanager
def stopped_clock(at: datetime) -> Iterator[Clock]:
    """A clock that stands at `at`."""
    with time_machine.travel(at, tick=False) as traveller:
        yield Clock(traveller)
