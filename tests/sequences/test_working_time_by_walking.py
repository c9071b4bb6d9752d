"""Waits in working time against a walk from minute to minute, which knows nothing but what clocks
show at each."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import accumulate, count, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from channels.sequences.calendars import DAY, Calendar, Span
from channels.sequences.working_time import (
    LONGEST_OPENING,
    NeverOpens,
    Unit,
    Wait,
    add,
    add_open_time,
    closing,
    is_open,
    next_opening,
    open_time,
)

MINUTE = timedelta(minutes=1)
# So many minutes are walked, from some days before the clocks change.
WALK = 17 * DAY
BEFORE = 4 * DAY
# Zones, and days on which their clocks do something; UTC has none.
CHANGES = [
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("Pacific/Auckland", "2026-04-04"),
    ("Pacific/Auckland", "2026-09-26"),
    ("Australia/Lord_Howe", "2026-04-04"),
    ("Australia/Lord_Howe", "2026-10-03"),
    ("America/Havana", "2026-03-08"),
    ("America/Havana", "2026-11-01"),
    ("Pacific/Apia", "2011-12-30"),
    ("America/Santiago", "2026-04-05"),
    ("America/Santiago", "2026-09-06"),
    ("Pacific/Honolulu", "2027-01-01"),
    ("UTC", "2028-02-29"),
]


class Walk:
    """Minutes one after the other, and what the clocks of a zone show at each."""

    def __init__(self, start: datetime, shown: Sequence[datetime]) -> None:
        self.start, self.shown = start, shown
        self._latest = list(accumulate(shown, max))
        self._last = {wall: minute for minute, wall in enumerate(shown)}

    def first(self, wall: datetime) -> int:
        """The minute at which clocks show `wall` for the first time, or skip it."""
        return bisect_left(self._latest, wall)

    def last(self, wall: datetime) -> int:
        """The minute at which clocks show `wall` for the last time, or skip it."""
        return self._last.get(wall, self.first(wall))

    def openings(self, calendar: Calendar) -> dict[date, list[range]]:
        """The open minutes of each day."""
        days = sorted({shown.date() for shown in self.shown})
        lost = {day + timedelta(days=1) for day in days} - {*days}
        return {
            day: [self._minutes(day, span) for span in calendar.spans_on(day)]
            for day in [*days, *lost]
        }

    def _minutes(self, day: date, span: Span) -> range:
        midnight = datetime.combine(day, time())
        opens = midnight + span.opens * MINUTE
        closes = midnight + span.closes * MINUTE
        # Where a day ends, the next one has begun.
        end = self.first(closes) if span.closes == DAY else self.last(closes)
        return range(self.first(opens), end)


@cache
def walk_through(zone: str, change: str) -> Walk:
    start = datetime.combine(date.fromisoformat(change), time(), UTC) - BEFORE * MINUTE
    own = ZoneInfo(zone)
    moments = (start + minute * MINUTE for minute in range(WALK))
    return Walk(start, [moment.astimezone(own).replace(tzinfo=None) for moment in moments])


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    """Hours at quarters, often in the night, when clocks change; some days are closed."""
    quarters = st.integers(0, 95).map(lambda n: n * 15)
    week = []
    for _ in range(7):
        times = sorted(draw(st.sets(quarters, max_size=4)))
        spans = [Span(*pair) for pair in zip(times[::2], times[1::2], strict=False)]
        if times and len(times) % 2:
            # The last one runs to midnight, or over it.
            spans.append(Span(times[-1], draw(st.sampled_from([DAY, DAY + 60, DAY + 150]))))
        week.append(tuple(spans))
    return Calendar(hours=tuple(week))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Walk, ZoneInfo, Calendar, list[int], set[int]]:
    """A walk, a zone, a calendar, minutes of the walk to start at, and all that are open."""
    name, change = draw(st.sampled_from(CHANGES))
    walk, calendar = walk_through(name, change), draw(calendars())
    starts = draw(st.lists(st.integers(2 * DAY, 9 * DAY), min_size=2, max_size=2).map(sorted))
    minutes = {n for spans in walk.openings(calendar).values() for span in spans for n in span}
    return walk, ZoneInfo(name), calendar, starts, minutes


def after(minutes: set[int], start: int, amount: int) -> int:
    """The first open minute before which `amount` were open since `start`."""
    for minute in range(start, WALK):
        if minute in minutes:
            if amount == 0:
                return minute
            amount -= 1
    return WALK


@given(case=cases(), amount=st.integers(0, 2 * DAY))
@settings(max_examples=150, deadline=None)
def test_minutes_are_those_of_the_walk(
    case: tuple[Walk, ZoneInfo, Calendar, list[int], set[int]], amount: int
) -> None:
    walk, zone, calendar, starts, minutes = case
    expected = [after(minutes, start, amount) for start in starts]
    assume(max(expected) < WALK - 2 * DAY)
    wait = Wait(amount, Unit.MINUTES)
    begins = [walk.start + start * MINUTE for start in starts]
    ends = [add(begin, wait, calendar, zone) for begin in begins]
    assert ends == [walk.start + minute * MINUTE for minute in expected]
    assert ends[0] <= ends[1]
    closes = next(minute for minute in count(expected[0]) if minute not in minutes)
    if closes < WALK - DAY:
        latest = ends[0] + LONGEST_OPENING
        assert closing(ends[0], calendar, zone) == min(walk.start + closes * MINUTE, latest)
    for begin, end in zip(begins, ends, strict=True):
        assert end >= begin
        assert is_open(end, calendar, zone)


@given(case=cases(), amount=st.integers(1, 3))
@settings(max_examples=150, deadline=None)
def test_days_are_those_of_the_walk(
    case: tuple[Walk, ZoneInfo, Calendar, list[int], set[int]], amount: int
) -> None:
    walk, zone, calendar, starts, minutes = case
    begin = after(minutes, starts[0], 0)
    assume(begin < WALK - 2 * DAY)
    openings = walk.openings(calendar)
    own = max(day for day, spans in openings.items() if any(begin in span for span in spans))
    later = sorted(day for day, spans in openings.items() if day > own and any(spans))
    assume(len(later) > amount)
    wall = walk.shown[begin] + (later[amount - 1] - own)
    expected = after(minutes, walk.first(wall), 0)
    assume(expected < WALK - 2 * DAY)
    found = add(walk.start + starts[0] * MINUTE, Wait(amount, Unit.DAYS), calendar, zone)
    assert found == walk.start + expected * MINUTE


@given(case=cases())
@settings(max_examples=100, deadline=None)
def test_open_time_is_that_of_the_walk_and_can_be_put_in_again(
    case: tuple[Walk, ZoneInfo, Calendar, list[int], set[int]],
) -> None:
    walk, zone, calendar, (start, end), minutes = case
    # Beyond what is open then, nothing has to be.
    assume(after(minutes, end, 0) < WALK - 2 * DAY)
    first, last = walk.start + start * MINUTE, walk.start + end * MINUTE
    found = open_time(first, last, calendar, zone)
    assert found == sum(minute in minutes for minute in range(start, end)) * MINUTE
    again = add_open_time(first, found, calendar, zone)
    assert again == next_opening(last, calendar, zone)


@pytest.mark.parametrize(("zone", "change"), CHANGES)
def test_walk_sees_the_change_that_it_is_about(zone: str, change: str) -> None:
    """Else the properties above would hold of ordinary days only."""
    walk = walk_through(zone, change)
    steps = {later - now for now, later in pairwise(walk.shown)}
    changes = zone not in ("UTC", "Pacific/Honolulu")
    assert (steps != {MINUTE}) == changes


def test_calendar_without_hours_is_refused() -> None:
    with pytest.raises(NeverOpens):
        open_time(
            datetime(2026, 1, 1, tzinfo=UTC),
            datetime(2026, 1, 2, tzinfo=UTC),
            Calendar(hours=((),) * 7),
            ZoneInfo("UTC"),
        )
