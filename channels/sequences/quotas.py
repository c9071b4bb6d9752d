"""Places of accounts and senders, as they are kept: a ledger of what a batch gives and takes back.

Whoever opens a ledger holds its keys until the transaction ends, so nobody gives a place twice.
It is opened behind the locks of enrolments and leads, and before those of conversations.
"""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Self
from uuid import UUID
from zoneinfo import ZoneInfo

from channels.sequences.calendars import Calendar
from channels.sequences.documents import Document
from channels.sequences.models import DayQuota, PlaceLine
from channels.sequences.spreading import Line, Place, Quota, Room
from channels.sequences.working_time import DAYS_BEFORE, ONE_DAY
from events.rows import execute, fetch_rows
from salesflow.accounts.context import current_tenant

# Days for which what was sent, and places given, are remembered.
KEPT = timedelta(days=14)
# So many messages that are over are remembered, for the gap to the next one: that one more than
# the last may have had a place that comes back.
OVER = 10

# In one order, so that no two wait for each other.
LOCK = """
    SELECT pg_advisory_xact_lock(hashtextextended(key, 0))
    FROM (SELECT key FROM unnest(%(keys)s::text[]) AS key ORDER BY key) AS keys
"""
USED = """
    SELECT key, day, used, moments FROM sequences_dayquota
    WHERE tenant_id = %(tenant)s AND key = ANY(%(keys)s) AND day >= %(since)s
"""
LINES = """
    SELECT key, opens_at, next_at, free FROM sequences_placeline
    WHERE tenant_id = %(tenant)s AND key = ANY(%(keys)s) AND opens_at >= %(since)s
"""
# Each row has a list of its own: as texts, they are unnested one by one.
SAVE_DAYS = """
    INSERT INTO sequences_dayquota (tenant_id, key, day, used, moments)
    SELECT %(tenant)s, key, day, used, moments::timestamptz[] FROM unnest(
        %(keys)s::text[], %(days)s::date[], %(used)s::integer[], %(moments)s::text[]
    ) AS given (key, day, used, moments)
    ON CONFLICT (tenant_id, key, day)
    DO UPDATE SET used = excluded.used, moments = excluded.moments
"""
SAVE_LINES = """
    INSERT INTO sequences_placeline (tenant_id, key, opens_at, next_at, free)
    SELECT %(tenant)s, key, opens_at, next_at, free::timestamptz[] FROM unnest(
        %(keys)s::text[], %(opens)s::timestamptz[], %(next)s::timestamptz[], %(free)s::text[]
    ) AS given (key, opens_at, next_at, free)
    ON CONFLICT (tenant_id, key, opens_at)
    DO UPDATE SET next_at = excluded.next_at, free = excluded.free
"""


@dataclass(frozen=True)
class Caps:
    """What a version lets through an account, and in the name of a sender.

    Attributes:
        keys: of the quotas, the account's first.
        limits: messages a day, for each of the keys; None: no cap. It is counted all the same:
            another version may have one.
        line: the key in whose lines places stand.
        gap: the least distance to what else goes through the account.
    """

    keys: tuple[str, ...]
    limits: tuple[int | None, ...]
    line: str
    gap: timedelta

    @classmethod
    def of(cls, document: Document, account_id: UUID, sender_id: int | None) -> Self:
        """The caps of a version for an account, and for a sender if there is one."""
        account = account_key(account_id)
        limits = {account: document.account_cap}
        if sender_id:
            limits[sender_key(sender_id)] = document.sender_cap
        # Senders with a cap of their own wait for each other where their account has to.
        line = account if document.account_cap or document.gap else [*limits][-1]
        return cls(tuple(limits), tuple(limits.values()), line, timedelta(seconds=document.gap))


def account_key(account_id: UUID) -> str:
    """Under which an account's messages are counted."""
    return f"account:{account_id}"


def sender_key(sender_id: int) -> str:
    """Under which the messages in somebody's name are counted."""
    return f"sender:{sender_id}"


@dataclass
class Ledger:
    """Days and lines of some keys of the current tenant, held, and changed in memory.

    Attributes:
        zone: the tenant's, whose days are counted.
        used, lines: by key; what is not there is 0, or a line in which nobody stood yet.
        moments: by key of an account, when its messages go, in order.
    """

    zone: ZoneInfo
    now: datetime
    used: dict[str, dict[date, int]] = field(default_factory=dict)
    lines: dict[str, dict[datetime, Line]] = field(default_factory=dict)
    moments: dict[str, list[datetime]] = field(default_factory=dict)
    _days_changed: set[tuple[str, date]] = field(default_factory=set)
    _lines_changed: set[tuple[str, datetime]] = field(default_factory=set)

    @classmethod
    def held(cls, keys: Collection[str], zone: ZoneInfo, now: datetime) -> Self:
        """The ledger of these keys, once nobody else holds one of them."""
        ledger = cls(zone, now)
        if keys:
            tenant, listed = current_tenant().id, sorted(keys)
            fetch_rows(LOCK, {"keys": [f"{tenant} {key}" for key in listed]})
            ledger._read({"tenant": tenant, "keys": listed})
        return ledger

    def room(self, caps: Caps) -> Room:
        """The places within some caps as they are now."""
        quotas = tuple(
            Quota(key, cap, self.used.get(key, {}))
            for key, cap in zip(caps.keys, caps.limits, strict=True)
        )
        lines, moments = self.lines.get(caps.line, {}), self.moments.get(caps.keys[0], ())
        return Room(quotas, self.zone, lines, caps.gap, moments)

    def take(self, caps: Caps, place: Place) -> None:
        """Count a place that was given, or a message that goes in it."""
        self.count(caps.keys, place.day, 1)
        moments = self.moments.setdefault(caps.keys[0], [])
        # Those who stand in no line all go now: once is enough, for none of them gives it back.
        if place.line or place.at not in moments:
            insort(moments, place.at)
        if place.name and place.line:
            self._set_line(caps.line, place.name, place.line)

    def give_back(self, caps: Caps, at: datetime, calendar: Calendar, zone: ZoneInfo) -> None:
        """Let somebody else have the place that a contact had at `at`."""
        room = self.room(caps)
        self.count(caps.keys, room.day_of(at), -1)
        after = room.returned(at, calendar, zone)
        self.moments[caps.keys[0]] = [*after.moments]
        for name, line in after.lines.items():
            if room.lines.get(name) != line:
                self._set_line(caps.line, name, line)

    def count(self, keys: Iterable[str], day: date, by: int) -> None:
        """Count messages of a day, on or off."""
        for key in keys:
            days = self.used.setdefault(key, {})
            days[day] = max(0, days.get(day, 0) + by)
            self._days_changed.add((key, day))

    def save(self) -> None:
        """Write what has changed, in two statements at most."""
        tenant = current_tenant().id
        if self._days_changed:
            execute(SAVE_DAYS, {"tenant": tenant, **self._changed_days()})
        if self._lines_changed:
            execute(SAVE_LINES, {"tenant": tenant, **self._changed_lines()})
        self._days_changed.clear()
        self._lines_changed.clear()

    def _read(self, values: Mapping[str, object]) -> None:
        today = self.now.astimezone(self.zone).date()
        for key, day, used, moments in fetch_rows(USED, {**values, "since": today - ONE_DAY}):
            self.used.setdefault(key, {})[day] = used
            self.moments.setdefault(key, []).extend(moments)
        for moments in self.moments.values():
            moments.sort()
            del moments[: max(0, bisect_right(moments, self.now) - OVER)]
        # Hours of a contact's day may be over midnight, and their day behind the tenant's.
        since = self.now - (DAYS_BEFORE + 1) * ONE_DAY
        for key, opens_at, next_at, free in fetch_rows(LINES, {**values, "since": since}):
            open_yet = tuple(at for at in sorted(free) if at >= self.now)
            self.lines.setdefault(key, {})[opens_at] = Line(next_at, open_yet)

    def _set_line(self, key: str, name: datetime, line: Line) -> None:
        self.lines.setdefault(key, {})[name] = line
        self._lines_changed.add((key, name))

    def _changed_days(self) -> dict[str, list[object]]:
        changed = sorted(self._days_changed)
        moments: dict[tuple[str, date], list[datetime]] = defaultdict(list)
        for key, given in self.moments.items():
            for at in given:
                moments[key, at.astimezone(self.zone).date()].append(at)
        return {
            "keys": [key for key, _day in changed],
            "days": [day for _key, day in changed],
            "used": [self.used[key][day] for key, day in changed],
            "moments": [_as_array(moments[each]) for each in changed],
        }

    def _changed_lines(self) -> dict[str, list[object]]:
        changed = [(*each, self.lines[each[0]][each[1]]) for each in sorted(self._lines_changed)]
        return {
            "keys": [key for key, _name, _line in changed],
            "opens": [name for _key, name, _line in changed],
            "next": [line.next_at for _key, _name, line in changed],
            "free": [_as_array(line.free) for _key, _name, line in changed],
        }


def forget_quotas(now: datetime) -> int:
    """Delete what was counted for days long over, of all tenants; returns how many rows."""
    before = now - KEPT
    days = DayQuota.unscoped.filter(day__lt=before.date())
    lines = PlaceLine.unscoped.filter(opens_at__lt=before)
    return sum(int(rows._raw_delete(rows.db)) for rows in (days, lines))


def _as_array(moments: Iterable[datetime]) -> str:
    return "{" + ",".join(f'"{moment.isoformat()}"' for moment in moments) + "}"
