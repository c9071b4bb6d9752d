"""Places in a day: messages of one account go out spread over the hours in which they may.

Pure. A day has as many places as the smallest cap allows messages, at equal distances over the
hours of the contact; each message stands a little before or behind its place, by a number that
follows from who gets it, so that the same question always has the same answer. What finds no place
today finds one on a later day: nothing is dropped, and nobody looks twice.

Contacts whose days begin at other moments stand in other lines: what waits for the morning in
Auckland takes no place from a morning in Berlin, but all count for the account's caps, and where
there is a gap nobody gets a place too near to one in whichever line.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

from channels.sequences.calendars import Calendar
from channels.sequences.working_time import (
    LONGEST_CLOSURE,
    NOTHING,
    ONE_DAY,
    Opening,
    day_of,
    next_opening,
    openings_on,
)

# Open days on which a place is looked for. Whoever finds none looks again after them: a step that
# waited a year would cost a look at each day of it.
FARTHEST = 30


@dataclass(frozen=True)
class Quota:
    """How many messages may go on a day, and how many do.

    Attributes:
        key: whose, such as "account:…" or "sender:…".
        cap: messages a day, 1 or more; None: it is counted, and nothing is held back.
        used: sent on a day, and places given for it; days are those of the tenant's zone.
    """

    key: str
    cap: int | None
    used: Mapping[date, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.cap is not None and self.cap < 1:
            raise ValueError(f"{self.key}: a cap of {self.cap} would let nothing out, ever.")

    def has_room(self, day: date) -> bool:
        """Whether one more message may go on a day."""
        return self.cap is None or self.used.get(day, 0) < self.cap

    def is_kept(self, day: date) -> bool:
        """Whether those that are counted for a day are no more than may go."""
        return self.cap is None or self.used.get(day, 0) <= self.cap

    def changed(self, day: date, by: int) -> "Quota":
        """The same after `by` more messages on a day."""
        return replace(self, used={**self.used, day: self.used.get(day, 0) + by})


@dataclass(frozen=True)
class Line:
    """The places of one day, for contacts whose day begins at the same moment.

    Attributes:
        next_at: where the next one is; at the end of the day none is left.
        free: those that were given and came back, in order.
    """

    next_at: datetime
    free: tuple[datetime, ...] = ()


@dataclass(frozen=True)
class Place:
    """When one message may go.

    Attributes:
        at: in UTC.
        day: for which it counts, in the zone of the quotas.
        name: of its line: the first opening of the contact's day.
        line: what its line is once it is taken; None: it stands in none.
    """

    at: datetime
    day: date
    name: datetime | None = None
    line: Line | None = None


@dataclass(frozen=True)
class NoPlace:
    """There is none within `FARTHEST` open days; `at` is when to look again."""

    at: datetime


@dataclass(frozen=True)
class Room:
    """The places of one account and sender.

    Attributes:
        quotas: all of them are kept; one or more.
        zone: whose days the quotas count.
        lines: by name; one in which nobody stood yet is not there.
        gap: the least distance to any message of the account that has its place already.
        moments: at which those go, in order, whatever their lines; of what is over, the last ones.
    """

    quotas: tuple[Quota, ...]
    zone: ZoneInfo
    lines: Mapping[datetime, Line] = field(default_factory=dict)
    gap: timedelta = NOTHING
    moments: Sequence[datetime] = ()

    def draw(
        self, now: datetime, calendar: Calendar, zone: ZoneInfo, share: float
    ) -> Place | NoPlace:
        """The first place from `now` on: `now` itself where nobody waits and it is open, and also
        where nothing holds anybody back.

        Args:
            calendar: the contact's, as is `zone`.
            share: from 0 to less than 1, see `share_of`; how far behind its place it stands.

        Raises:
            NeverOpens: the calendar has no hours.
        """
        begin = next_opening(now, calendar, zone)
        if self.is_unlimited:
            return Place(begin, self.day_of(begin))
        looked = 0
        for number in range(LONGEST_CLOSURE):
            # From the day before on, which may run over midnight.
            day = begin.astimezone(zone).date() + (number - 1) * ONE_DAY
            found = openings_on(day, calendar, zone)
            if found and found[-1].closes > begin:
                if looked == FARTHEST:
                    return NoPlace(found[0].opens)
                if place := self._on(found, begin, share):
                    return place
                looked += 1
        return NoPlace(next_opening(begin + LONGEST_CLOSURE * ONE_DAY, calendar, zone))

    def keeps(self, at: datetime) -> bool:
        """Whether a place that was given for `at` may be used: caps may have been lowered, or be
        gone, so that nobody has to wait for one."""
        day = self.day_of(at)
        return not self.is_unlimited and all(quota.is_kept(day) for quota in self.quotas)

    @property
    def is_unlimited(self) -> bool:
        """Whether messages are counted, and none is held back."""
        return not self.gap and all(quota.cap is None for quota in self.quotas)

    def taken(self, place: Place) -> "Room":
        """The same after a place was given, or a message went in it."""
        moments = sorted([*self.moments, place.at])
        room = replace(self._changed(place.day, 1), moments=moments)
        if place.name is None or place.line is None:
            return room
        return replace(room, lines={**self.lines, place.name: place.line})

    def returned(self, at: datetime, calendar: Calendar, zone: ZoneInfo) -> "Room":
        """The same after a contact who had a place at `at` does not need it any more."""
        moments = [*self.moments]
        if at in moments:
            moments.remove(at)
        room = replace(self._changed(self.day_of(at), -1), moments=moments)
        name = _line_of(at, calendar, zone)
        line = self.lines.get(name) if name else None
        if name is None or line is None:
            # The hours were other ones when it was given.
            return room
        freed = replace(line, free=tuple(sorted({*line.free, at})))
        return replace(room, lines={**self.lines, name: freed})

    def day_of(self, at: datetime) -> date:
        """The day for which a message counts."""
        return at.astimezone(self.zone).date()

    def _changed(self, day: date, by: int) -> "Room":
        return replace(self, quotas=tuple(quota.changed(day, by) for quota in self.quotas))

    def _on(self, found: Sequence[Opening], begin: datetime, share: float) -> Place | None:
        name = found[0].opens
        line = self.lines.get(name, Line(begin))
        free = [at for at in line.free if at >= begin]
        clear = next((at for at in free if self._first_clear(found, at) == at), None)
        if clear:
            at, after = clear, Line(line.next_at, tuple(each for each in free if each != clear))
        elif new := self._new(found, line, begin, share):
            at, after = new
        else:
            return None
        day = self.day_of(at)
        has_room = all(quota.has_room(day) for quota in self.quotas)
        return Place(at, day, name, after) if has_room else None

    def _new(
        self, found: Sequence[Opening], line: Line, begin: datetime, share: float
    ) -> tuple[datetime, Line] | None:
        start = _walk(found, max(begin, line.next_at), NOTHING)
        if start is None:
            return None
        total = sum((closes - opens for opens, closes in found), NOTHING)
        caps = [quota.cap for quota in self.quotas if quota.cap]
        distance = max(total / min(caps), self.gap) if caps else self.gap
        # Two neighbours stand half to one and a half of the distance apart, or the gap.
        behind = min(distance / 2, distance - self.gap) * share
        wanted = start if line.next_at <= begin else _walk(found, start, behind) or start
        at = self._first_clear(found, wanted)
        after = _walk(found, start, distance) or found[-1].closes
        # Who comes next does not pass those again who have pushed this one on.
        return (at, Line(max(after, at))) if at else None

    def _first_clear(self, found: Sequence[Opening], wanted: datetime) -> datetime | None:
        """The first open moment from `wanted` on to which no other message is too near."""
        at: datetime | None = wanted
        if self.gap:
            number = bisect_right(self.moments, wanted - self.gap)
            while at and number < len(self.moments) and self.moments[number] < at + self.gap:
                at = _walk(found, max(at, self.moments[number] + self.gap), NOTHING)
                number += 1
        return at


def share_of(*parts: object) -> float:
    """A number from 0 to less than 1 that looks like chance, and is the same for the same parts."""
    digest = sha256("|".join(map(str, parts)).encode()).digest()
    # What a double holds exactly.
    return (int.from_bytes(digest[:8]) >> 11) / 2**53


def _walk(found: Sequence[Opening], start: datetime, by: timedelta) -> datetime | None:
    """The moment before which it is open for `by` since `start`; None: the day is over."""
    for opens, closes in found:
        begin = max(opens, start)
        if begin < closes:
            if by < closes - begin:
                return begin + by
            by -= closes - begin
    return None


def _line_of(at: datetime, calendar: Calendar, zone: ZoneInfo) -> datetime | None:
    day = day_of(at, calendar, zone)
    return openings_on(day, calendar, zone)[0].opens if day else None
