"""Waits in working time: over nights, weekends, holidays, and days that are not 24 hours long."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from channels.sequences.calendars import Calendar, read_calendar
from channels.sequences.working_time import (
    LONGEST_OPENING,
    NeverOpens,
    Unit,
    Wait,
    add,
    add_open_time,
    closing,
    first_opening,
    is_open,
    next_opening,
    open_time,
    openings_on,
)
from tests.sequences.weeks import (
    ALWAYS,
    AUCKLAND,
    BERLIN,
    DAILY,
    NEVER,
    OFFICE,
    OFFICE_HOURS,
    local,
    only,
    utc,
)

LORD_HOWE, HONOLULU = ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Pacific/Honolulu")
HAVANA, APIA = ZoneInfo("America/Havana"), ZoneInfo("Pacific/Apia")
LONDON = ZoneInfo("Europe/London")
GERMAN = read_calendar(OFFICE_HOURS, country="DE")
NIGHTS = read_calendar({"mon": [["22:00", "02:00"]], "thu": [["22:00", "02:00"]]})
LUNCH = read_calendar(
    {"mon": [["09:00", "12:00"], ["13:00", "17:00"]], "tue": [["10:00", "15:00"]]}
)
LEAP = read_calendar(OFFICE_HOURS, yearly=["02-29"])
NOW = Wait(0)


def minutes(amount: int) -> Wait:
    return Wait(amount, Unit.MINUTES)


def hours(amount: int) -> Wait:
    return Wait(amount, Unit.HOURS)


def days(amount: int) -> Wait:
    return Wait(amount, Unit.DAYS)


def passing(amount: int, unit: Unit) -> Wait:
    return Wait(amount, unit, is_working=False)


# Worked out by hand: calendar, zone, start as its clocks show it, wait, end in UTC.
TABLE: list[tuple[Calendar, ZoneInfo, str, Wait, str]] = [
    # An ordinary week, in winter: Berlin is an hour ahead.
    (OFFICE, BERLIN, "2026-11-23 10:00", NOW, "2026-11-23 09:00"),
    (OFFICE, BERLIN, "2026-11-23 07:59", NOW, "2026-11-23 08:00"),
    (OFFICE, BERLIN, "2026-11-23 17:00", NOW, "2026-11-24 08:00"),
    (OFFICE, BERLIN, "2026-11-23 16:59", minutes(1), "2026-11-24 08:00"),
    (OFFICE, BERLIN, "2026-11-23 16:58", minutes(1), "2026-11-23 15:59"),
    (OFFICE, BERLIN, "2026-11-23 09:00", hours(8), "2026-11-24 08:00"),
    (OFFICE, BERLIN, "2026-11-27 16:30", hours(1), "2026-11-30 08:30"),
    (OFFICE, BERLIN, "2026-11-27 16:30", hours(41), "2026-12-07 08:30"),
    # Working days keep the time of the day; what is closed then opens later.
    (OFFICE, BERLIN, "2026-11-23 10:15", days(1), "2026-11-24 09:15"),
    (OFFICE, BERLIN, "2026-11-27 10:15", days(1), "2026-11-30 09:15"),
    (OFFICE, BERLIN, "2026-11-27 17:30", days(1), "2026-12-01 08:00"),
    (OFFICE, BERLIN, "2026-11-28 10:00", days(1), "2026-12-01 08:00"),
    (OFFICE, BERLIN, "2026-11-23 10:15", days(10), "2026-12-07 09:15"),
    (LUNCH, BERLIN, "2026-11-23 16:30", days(1), "2026-11-30 08:00"),
    (LUNCH, BERLIN, "2026-11-23 11:30", days(1), "2026-11-24 10:30"),
    (LUNCH, BERLIN, "2026-11-24 12:30", days(1), "2026-11-30 12:00"),
    (LUNCH, BERLIN, "2026-11-23 11:30", hours(1), "2026-11-23 12:30"),
    # Other waits pass day and night.
    (OFFICE, BERLIN, "2026-11-23 16:00", passing(2, Unit.HOURS), "2026-11-24 08:00"),
    (OFFICE, BERLIN, "2026-11-23 16:00", passing(17, Unit.HOURS), "2026-11-24 08:00"),
    (OFFICE, BERLIN, "2026-11-23 16:00", passing(18, Unit.HOURS), "2026-11-24 09:00"),
    (OFFICE, BERLIN, "2026-11-26 16:00", passing(1, Unit.DAYS), "2026-11-27 15:00"),
    (OFFICE, BERLIN, "2026-11-27 16:00", passing(1, Unit.DAYS), "2026-11-30 08:00"),
    (OFFICE, BERLIN, "2026-03-27 16:00", passing(4, Unit.DAYS), "2026-03-31 14:00"),
    (OFFICE, BERLIN, "2026-03-27 16:00", passing(96, Unit.HOURS), "2026-04-01 07:00"),
    # Auckland goes back on 5 April (from +13 to +12) and forward on 27 September.
    (OFFICE, AUCKLAND, "2026-04-03 16:00", hours(2), "2026-04-05 22:00"),
    (OFFICE, AUCKLAND, "2026-04-03 16:00", days(1), "2026-04-06 04:00"),
    (OFFICE, AUCKLAND, "2026-09-25 16:00", hours(2), "2026-09-27 21:00"),
    (OFFICE, AUCKLAND, "2026-09-25 16:00", days(1), "2026-09-28 03:00"),
    # Berlin skips 02:00 to 03:00 on Sunday, 29 March …
    (only("sun", ("02:30", "05:00")), BERLIN, "2026-03-28 12:00", NOW, "2026-03-29 01:00"),
    (only("sun", ("02:30", "05:00")), BERLIN, "2026-03-28 12:00", hours(1), "2026-03-29 02:00"),
    (only("sun", ("02:15", "02:45")), BERLIN, "2026-03-28 12:00", NOW, "2026-04-05 00:15"),
    (only("sun", ("00:00", "02:30")), BERLIN, "2026-03-28 12:00", minutes(119), "2026-03-29 00:59"),
    (only("sun", ("00:00", "02:30")), BERLIN, "2026-03-28 12:00", minutes(120), "2026-04-04 22:00"),
    (DAILY, BERLIN, "2026-03-28 16:30", hours(1), "2026-03-29 07:30"),
    (ALWAYS, BERLIN, "2026-03-28 02:30", days(1), "2026-03-29 01:00"),
    # … and has it twice on 25 October.
    (only("sun", ("02:30", "02:45")), BERLIN, "2026-10-24 12:00", NOW, "2026-10-25 00:30"),
    (only("sun", ("02:30", "02:45")), BERLIN, "2026-10-24 12:00", hours(1), "2026-10-25 01:30"),
    (only("sun", ("02:30", "02:45")), BERLIN, "2026-10-24 12:00", minutes(75), "2026-11-01 01:30"),
    (ALWAYS, BERLIN, "2026-10-24 12:00", hours(24), "2026-10-25 10:00"),
    (ALWAYS, BERLIN, "2026-10-24 12:00", days(1), "2026-10-25 11:00"),
    # Lord Howe moves its clocks by half an hour, from +11 to +10:30 on 5 April, back on 4 October.
    (OFFICE, LORD_HOWE, "2026-10-02 16:00", hours(2), "2026-10-04 23:00"),
    (only("sun", ("01:00", "02:00")), LORD_HOWE, "2026-04-04 12:00", NOW, "2026-04-04 14:00"),
    (only("sun", ("01:00", "02:00")), LORD_HOWE, "2026-04-04 12:00", hours(1), "2026-04-04 15:00"),
    (
        only("sun", ("01:00", "02:00")),
        LORD_HOWE,
        "2026-04-04 12:00",
        minutes(90),
        "2026-04-11 14:30",
    ),
    # Honolulu never does.
    (OFFICE, HONOLULU, "2026-03-06 16:00", hours(2), "2026-03-09 20:00"),
    (OFFICE, HONOLULU, "2026-10-30 16:00", hours(2), "2026-11-02 20:00"),
    # Havana skips midnight on 8 March, and has the hour after it twice on 1 November.
    (ALWAYS, HAVANA, "2026-03-07 23:30", hours(1), "2026-03-08 05:30"),
    (only("sun", ("00:00", "24:00")), HAVANA, "2026-03-07 12:00", NOW, "2026-03-08 05:00"),
    (only("sun", ("00:00", "24:00")), HAVANA, "2026-03-07 12:00", hours(23), "2026-03-15 04:00"),
    (only("sun", ("00:00", "24:00")), HAVANA, "2026-10-31 12:00", hours(24), "2026-11-02 04:00"),
    (only("sat", ("00:00", "24:00")), HAVANA, "2026-10-31 00:00", hours(24), "2026-11-07 05:00"),
    # Apia went from Thursday, 29 December 2011, to Saturday.
    (DAILY, APIA, "2011-12-29 16:00", hours(2), "2011-12-30 20:00"),
    (DAILY, APIA, "2011-12-29 16:00", days(1), "2011-12-31 02:00"),
    (OFFICE, APIA, "2011-12-29 16:00", days(1), "2012-01-02 02:00"),
    # Over the end of a year, and of February.
    (GERMAN, BERLIN, "2026-12-31 16:00", hours(2), "2027-01-04 09:00"),
    (GERMAN, BERLIN, "2026-12-24 16:00", days(1), "2026-12-28 15:00"),
    (OFFICE, LONDON, "2028-02-28 16:00", days(1), "2028-02-29 16:00"),
    (OFFICE, LONDON, "2028-02-28 16:00", days(2), "2028-03-01 16:00"),
    (OFFICE, LONDON, "2028-02-29 16:00", passing(366, Unit.DAYS), "2029-03-01 16:00"),
    (LEAP, LONDON, "2028-02-28 16:00", days(1), "2028-03-01 16:00"),
    (LEAP, LONDON, "2027-02-26 16:00", days(1), "2027-03-01 16:00"),
    # Hours that run over midnight belong to the day on which they start.
    (NIGHTS, LONDON, "2026-11-23 23:00", hours(2), "2026-11-24 01:00"),
    (NIGHTS, LONDON, "2026-11-24 01:00", hours(1), "2026-11-26 22:00"),
    (NIGHTS, LONDON, "2026-11-24 01:00", days(1), "2026-11-27 01:00"),
    (NIGHTS, LONDON, "2026-11-23 23:00", days(1), "2026-11-26 23:00"),
]


@pytest.mark.parametrize(("calendar", "zone", "start", "wait", "end"), TABLE)
def test_wait_ends(calendar: Calendar, zone: ZoneInfo, start: str, wait: Wait, end: str) -> None:
    found = add(local(start, zone), wait, calendar, zone)
    assert found == utc(end)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(("calendar", "zone", "start", "wait", "end"), TABLE)
def test_same_moment_in_another_zone_waits_as_long(
    calendar: Calendar, zone: ZoneInfo, start: str, wait: Wait, end: str
) -> None:
    elsewhere = local(start, zone).astimezone(ZoneInfo("Asia/Kathmandu"))
    assert add(elsewhere, wait, calendar, zone) == utc(end)


def test_second_of_two_equal_hours_is_another_one() -> None:
    second = local("2026-10-25 02:30", BERLIN).replace(fold=1)
    assert add(second, minutes(15), ALWAYS, BERLIN) == utc("2026-10-25 01:45")


@pytest.mark.parametrize(
    ("day", "length"),
    [("2026-03-08", 23), ("2026-11-01", 25), ("2026-11-08", 24)],
)
def test_whole_day_is_as_long_as_it_is(day: str, length: int) -> None:
    (opening,) = openings_on(date.fromisoformat(day), only("sun", ("00:00", "24:00")), HAVANA)
    assert opening.closes - opening.opens == timedelta(hours=length)


def test_hours_that_meet_in_an_hour_that_comes_twice_are_counted_once() -> None:
    calendar = only("sun", ("01:00", "02:30"), ("02:30", "04:00"))
    start, end = local("2026-10-25 00:00", BERLIN), local("2026-10-25 12:00", BERLIN)
    assert open_time(start, end, calendar, BERLIN) == timedelta(hours=4)
    first, second = openings_on(date(2026, 10, 25), calendar, BERLIN)
    assert first.closes == second.opens == utc("2026-10-25 01:30")


def test_lost_day_has_no_hours() -> None:
    assert openings_on(date(2011, 12, 30), ALWAYS, APIA) == ()


@pytest.mark.parametrize("wait", [NOW, minutes(1), days(1), passing(1, Unit.DAYS)])
def test_calendar_without_hours_never_opens(wait: Wait) -> None:
    with pytest.raises(NeverOpens):
        add(utc("2026-11-23 12:00"), wait, NEVER, BERLIN)


def test_day_that_is_open_once_a_year_is_found() -> None:
    closed = [date(2026, 1, 1) + timedelta(days=day) for day in range(800)]
    open_days = {date(2026, 11, 23), date(2027, 11, 23)}
    calendar = read_calendar(
        {**OFFICE_HOURS}, closed=[f"{day}" for day in closed if day not in open_days]
    )
    assert add(local("2026-11-23 10:00", BERLIN), days(1), calendar, BERLIN) == utc(
        "2027-11-23 09:00"
    )


def test_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        add(datetime(2026, 11, 23, 12), NOW, OFFICE, BERLIN)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("amount", "unit"),
    [(-1, Unit.DAYS), (401, Unit.DAYS), (9_601, Unit.HOURS), (10**12, Unit.MINUTES)],
)
def test_wait_lies_neither_in_the_past_nor_years_away(amount: int, unit: Unit) -> None:
    with pytest.raises(ValueError, match=f"not {amount}"):
        Wait(amount, unit)


def test_paused_wait_goes_on_with_what_was_left_of_it() -> None:
    """Two of three days have passed: one working day is left, whenever it goes on."""
    start = local("2026-11-23 10:00", BERLIN)
    due = add(start, days(3), OFFICE, BERLIN)
    paused = local("2026-11-25 10:00", BERLIN)
    left = open_time(paused, due, OFFICE, BERLIN)
    assert left == timedelta(hours=8)
    resumed = local("2026-12-04 15:00", BERLIN)
    assert add_open_time(resumed, left, OFFICE, BERLIN) == utc("2026-12-07 14:00")
    assert add_open_time(paused, left, OFFICE, BERLIN) == due


def test_nothing_is_left_of_a_wait_that_is_over() -> None:
    late, due = utc("2026-11-24 12:00"), utc("2026-11-23 12:00")
    assert open_time(late, due, OFFICE, BERLIN) == timedelta()
    assert open_time(due, due, NEVER, BERLIN) == timedelta()


def test_closing_is_when_the_present_opening_ends() -> None:
    assert closing(local("2026-11-23 09:00", BERLIN), LUNCH, BERLIN) == utc("2026-11-23 11:00")
    assert closing(local("2026-11-24 01:00", LONDON), NIGHTS, LONDON) == utc("2026-11-24 02:00")
    with pytest.raises(ValueError, match="closed"):
        closing(local("2026-11-23 12:00", BERLIN), LUNCH, BERLIN)


def test_hours_that_touch_at_midnight_are_one_opening() -> None:
    calendar = read_calendar({"mon": [["20:00", "24:00"]], "tue": [["00:00", "03:00"]]})
    assert closing(local("2026-11-23 21:00", LONDON), calendar, LONDON) == utc("2026-11-24 03:00")


def test_what_never_closes_closes_in_a_week() -> None:
    start = utc("2026-11-23 12:00")
    assert closing(start, ALWAYS, BERLIN) == start + LONGEST_OPENING


def test_first_opening_of_a_day_or_of_a_later_one() -> None:
    assert first_opening(date(2026, 11, 24), OFFICE, BERLIN) == utc("2026-11-24 08:00")
    assert first_opening(date(2026, 11, 28), OFFICE, BERLIN) == utc("2026-11-30 08:00")
    # What runs over midnight is still the day before.
    assert first_opening(date(2026, 11, 24), NIGHTS, LONDON) == utc("2026-11-26 22:00")


def test_end_of_an_opening_is_closed() -> None:
    assert is_open(local("2026-11-23 09:00", BERLIN), OFFICE, BERLIN)
    assert not is_open(local("2026-11-23 17:00", BERLIN), OFFICE, BERLIN)
    assert next_opening(local("2026-11-23 17:00", BERLIN), OFFICE, BERLIN) == utc(
        "2026-11-24 08:00"
    )


def test_seconds_are_kept() -> None:
    start = local("2026-11-23 16:59:59.250000", BERLIN)
    assert add(start, days(1), OFFICE, BERLIN) == utc("2026-11-24 15:59:59.250000")
    assert add(start, minutes(1), OFFICE, BERLIN) == utc("2026-11-24 08:00:59.250000")
    # Also where the time of the day is skipped: at once when clocks go forward.
    for skipped in ("02:00:00.300000", "02:30:00.300000", "02:59:59.999999"):
        night = local(f"2026-03-28 {skipped}", BERLIN)
        assert add(night, days(1), ALWAYS, BERLIN) == utc("2026-03-29 01:00")
