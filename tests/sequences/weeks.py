"""Calendars that tests use, and days in words."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from channels.sequences.calendars import Calendar, read_calendar

BERLIN = ZoneInfo("Europe/Berlin")
AUCKLAND = ZoneInfo("Pacific/Auckland")
NEW_YORK = ZoneInfo("America/New_York")
OFFICE_HOURS = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
OFFICE = read_calendar(OFFICE_HOURS)
DAILY = read_calendar({**OFFICE_HOURS, "sat": [["09:00", "17:00"]], "sun": [["09:00", "17:00"]]})
ALWAYS = read_calendar(
    {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
)
NEVER = Calendar(hours=((),) * 7)


def only(weekday: str, *spans: tuple[str, str]) -> Calendar:
    """Open on one day of the week."""
    return read_calendar({weekday: [list(span) for span in spans]})


def local(text: str, zone: ZoneInfo) -> datetime:
    """Such as 2026-11-23 09:00, as the clocks of a zone show it (the first time)."""
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def utc(text: str) -> datetime:
    """Such as 2026-11-23 09:00, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
