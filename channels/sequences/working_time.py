"""Waits in working time: when a calendar's hours, told by the clocks of a zone, are open.

Pure. Clocks on the wall make the moments, and all else is reckoned between moments in UTC: two
times of one zone are subtracted as if clocks never changed (PEP 495, "Temporal arithmetic").
What clocks do twice a year, as it is here:

- where an hour comes twice, what opens in it opens the first time, and what closes in it closes the
  second time; a day ends when the next one first begins;
- what would open or close at a time that is skipped does so when clocks are put forward;
- a day that is skipped as a whole never opens (Apia, 30 December 2011).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import count
from typing import NamedTuple
from zoneinfo import ZoneInfo

from channels.sequences.calendars import DAY, Calendar

# So many closed days in a row mean that a calendar never opens: more than a year, so that one that
# opens once a year does.
LONGEST_CLOSURE = 400
# A calendar that never closes is said to close after so long.
LONGEST_OPENING = timedelta(days=7)
ONE_DAY = timedelta(days=1)
NOTHING = timedelta()
# Hours may run over midnight, and the clocks of a zone may skip a day.
DAYS_BEFORE = 2


class NeverOpens(Exception):
    """A calendar has no hours in more than a year."""


class Unit(StrEnum):
    """What a wait is counted in."""

    MINUTES, HOURS, DAYS = "minutes", "hours", "days"


# Longer ones would have to be walked, day after day: more than a year helps nobody.
LONGEST_WAITS = {Unit.MINUTES: 400 * DAY, Unit.HOURS: 400 * 24, Unit.DAYS: 400}


@dataclass(frozen=True)
class Wait:
    """How long to wait.

    Minutes and hours of working time are those in which the calendar is open. A working day later
    is the next open day at the same time of the day; whatever is then closed opens later. Time that
    is not working time passes day and night, and what comes of it while all is closed waits for the
    next opening.

    Attributes:
        amount: 0 waits for the next opening only; see `LONGEST_WAITS`.

    Raises:
        ValueError: the amount is below 0, or too large.
    """

    amount: int
    unit: Unit = Unit.DAYS
    is_working: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.amount <= LONGEST_WAITS[self.unit]:
            longest = LONGEST_WAITS[self.unit]
            raise ValueError(f"A wait is 0 to {longest} {self.unit}, not {self.amount}.")


class Opening(NamedTuple):
    """From when until when it is open, in UTC; the end does not belong to it."""

    opens: datetime
    closes: datetime


def add(start: datetime, wait: Wait, calendar: Calendar, zone: ZoneInfo) -> datetime:
    """The first open moment that lies a wait after `start`, in UTC.

    Args:
        start: aware, and open or not.

    Raises:
        NeverOpens: the calendar has no hours.
    """
    if not wait.is_working:
        return next_opening(_pass_time(start, wait, zone), calendar, zone)
    if wait.unit is Unit.DAYS:
        return _add_days(start, wait.amount, calendar, zone)
    return add_open_time(start, timedelta(**{wait.unit: wait.amount}), calendar, zone)


def add_open_time(
    start: datetime, amount: timedelta, calendar: Calendar, zone: ZoneInfo
) -> datetime:
    """The first open moment before which it was open for `amount` since `start`, in UTC.

    Raises:
        NeverOpens: the calendar has no hours.
    """
    left = amount
    for opening in openings(start, calendar, zone):
        length = opening.closes - opening.opens
        if left < length:
            return opening.opens + left
        left -= length
    raise NeverOpens


def open_time(start: datetime, end: datetime, calendar: Calendar, zone: ZoneInfo) -> timedelta:
    """How long it is open between two moments; nothing where the end is not later.

    It is what remains of a wait that is paused at `start` and was to end at `end`: `add_open_time`
    puts it in again.

    Raises:
        NeverOpens: the calendar has no hours.
    """
    total, last = NOTHING, _moment(end)
    if last <= _moment(start):
        return total
    for opening in openings(start, calendar, zone):
        if opening.opens >= last:
            break
        total += min(opening.closes, last) - opening.opens
    return total


def next_opening(at: datetime, calendar: Calendar, zone: ZoneInfo) -> datetime:
    """When it is open, in UTC: at once, or later.

    Raises:
        NeverOpens: the calendar has no hours.
    """
    return add_open_time(at, NOTHING, calendar, zone)


def is_open(at: datetime, calendar: Calendar, zone: ZoneInfo) -> bool:
    """Whether it is open at a moment."""
    return day_of(at, calendar, zone) is not None


def first_opening(day: date, calendar: Calendar, zone: ZoneInfo) -> datetime:
    """The first opening that belongs to a day or to a later one, in UTC.

    Raises:
        NeverOpens: the calendar has no hours.
    """
    return openings_on(_next_open_day(day - ONE_DAY, calendar, zone), calendar, zone)[0].opens


# A batch has one time: it is asked anew for everybody in it, as `day_of` is.
@lru_cache(maxsize=1024)
def closing(at: datetime, calendar: Calendar, zone: ZoneInfo) -> datetime:
    """When the opening at `at` ends, in UTC; a week later at most.

    Raises:
        ValueError: it is closed then.
    """
    end = start = _moment(at)
    if not is_open(at, calendar, zone):
        raise ValueError(f"It is closed at {at:%Y-%m-%d %H:%M %Z}.")
    for opening in openings(at, calendar, zone):
        if opening.opens > end or end - start >= LONGEST_OPENING:
            break
        end = opening.closes
    return min(end, start + LONGEST_OPENING)


def openings(start: datetime, calendar: Calendar, zone: ZoneInfo) -> Iterator[Opening]:
    """What is open from `start` on: in order, without overlaps, never ending.

    Raises:
        NeverOpens: after more than a year without any.
    """
    end = _moment(start)
    first = start.astimezone(zone).date() - DAYS_BEFORE * ONE_DAY
    closed = 0
    for number in count():
        found = openings_on(first + number * ONE_DAY, calendar, zone)
        closed = 0 if found else closed + 1
        if closed > LONGEST_CLOSURE:
            raise NeverOpens
        for opens, closes in found:
            if closes > end:
                yield Opening(max(opens, end), closes)
                end = closes


@lru_cache(maxsize=8192)
def openings_on(day: date, calendar: Calendar, zone: ZoneInfo) -> tuple[Opening, ...]:
    """What opens on a day of the zone, in order; it may close on the next one."""
    found = []
    end = datetime.min.replace(tzinfo=UTC)
    for span in calendar.spans_on(day):
        opens = max(_at_clock(day, span.opens, zone, last=False), end)
        # A day is over when the next one first begins, though midnight may come again.
        closes = _at_clock(day, span.closes, zone, last=span.closes != DAY)
        if opens < closes:
            found.append(Opening(opens, closes))
            end = closes
    return tuple(found)


@lru_cache(maxsize=1024)
def day_of(at: datetime, calendar: Calendar, zone: ZoneInfo) -> date | None:
    """The day whose hours a moment is in, the latest one of several; None: it is closed."""
    moment, local = _moment(at), at.astimezone(zone).date()
    for before in range(DAYS_BEFORE + 1):
        day = local - before * ONE_DAY
        if any(opens <= moment < closes for opens, closes in openings_on(day, calendar, zone)):
            return day
    return None


def _add_days(start: datetime, amount: int, calendar: Calendar, zone: ZoneInfo) -> datetime:
    begin = next_opening(start, calendar, zone)
    own = day_of(begin, calendar, zone)
    if amount == 0 or own is None:
        return begin
    day = own
    for _ in range(amount):
        day = _next_open_day(day, calendar, zone)
    # What opened yesterday and runs over midnight still counts as yesterday.
    local = begin.astimezone(zone)
    wall = datetime.combine(local.date() + (day - own), local.time())
    return next_opening(_at_wall(wall, zone, last=False), calendar, zone)


def _next_open_day(day: date, calendar: Calendar, zone: ZoneInfo) -> date:
    for number in range(1, LONGEST_CLOSURE + 1):
        later = day + number * ONE_DAY
        if openings_on(later, calendar, zone):
            return later
    raise NeverOpens


def _pass_time(start: datetime, wait: Wait, zone: ZoneInfo) -> datetime:
    if wait.unit is not Unit.DAYS:
        return _moment(start) + timedelta(**{wait.unit: wait.amount})
    if wait.amount == 0:
        return start
    local = start.astimezone(zone)
    wall = datetime.combine(local.date() + wait.amount * ONE_DAY, local.time())
    return _at_wall(wall, zone, last=False)


def _at_clock(day: date, minutes: int, zone: ZoneInfo, *, last: bool) -> datetime:
    days, minute = divmod(minutes, DAY)
    return _at_wall(
        datetime.combine(day + days * ONE_DAY, time(*divmod(minute, 60))), zone, last=last
    )


def _at_wall(wall: datetime, zone: ZoneInfo, *, last: bool) -> datetime:
    """When clocks show `wall`; if they skip it, the moment at which they do.

    Args:
        wall: naive.
        last: where clocks show it twice, the second time.
    """
    moment = wall.replace(tzinfo=zone, fold=int(last)).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == wall:
        return moment
    # With the offset after the change the time that is skipped lies before it, and the other way
    # round: PEP 495, "Invalid times".
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return _change_between(before, after, zone)


def _change_between(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first second at which the clocks of a zone show more than `before` has."""
    second = timedelta(seconds=1)
    old = before.astimezone(zone).utcoffset()
    # Whole seconds, so that there is one between any two that are not neighbours.
    before, after = before.replace(microsecond=0), after.replace(microsecond=0) + second
    while after - before > second:
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after


def _moment(at: datetime) -> datetime:
    if at.utcoffset() is None:
        raise ValueError("A time without a zone is no moment.")
    return at.astimezone(UTC)
