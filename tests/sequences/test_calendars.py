"""Calendars: how they are written down, public holidays of a country, own closed days."""

import threading
from datetime import date, timedelta
from typing import Any

import holidays
import pytest

from channels.sequences.calendars import (
    Calendar,
    Span,
    Unusable,
    closed_days,
    holiday_names,
    read_calendar,
)
from channels.sequences.working_time import Wait, add
from tests.sequences.weeks import BERLIN, OFFICE, OFFICE_HOURS, local, utc

GERMAN = read_calendar(OFFICE_HOURS, country="DE")
# Source: the holiday laws of the Länder, what is common to all sixteen; Easter is on 5 April.
GERMAN_2026 = {
    *(date(2026, 1, 1), date(2026, 4, 3), date(2026, 4, 6), date(2026, 5, 1), date(2026, 5, 14)),
    *(date(2026, 5, 25), date(2026, 10, 3), date(2026, 12, 25), date(2026, 12, 26)),
}


def test_hours_are_read() -> None:
    calendar = read_calendar(
        {"mon": [["13:00", "17:30"], ["09:00", "12:00"]], "fri": [["22:00", "02:00"]]}
    )
    assert calendar.hours[0] == (Span(540, 720), Span(780, 1050))
    assert calendar.hours[4] == (Span(1320, 1560),)
    assert calendar.hours[5] == ()


def test_whole_day_ends_at_24() -> None:
    assert read_calendar({"sun": [["00:00", "24:00"]]}).hours[6] == (Span(0, 1440),)


@pytest.mark.parametrize(
    ("field", "settings"),
    [
        ("hours", {"hours": {}}),
        ("hours", {"hours": {"mon": []}}),
        ("hours", {"hours": {"monday": [["09:00", "17:00"]]}}),
        ("hours", {"hours": {"mon": [["9:00", "17:00"]]}}),
        ("hours", {"hours": {"mon": [["09:00", "25:00"]]}}),
        ("hours", {"hours": {"mon": [["09:60", "17:00"]]}}),
        ("hours", {"hours": {"mon": [["09:00"]]}}),
        ("hours", {"hours": {"mon": ["09:00-17:00"]}}),
        ("hours", {"hours": {"mon": [["09:00", "09:00"]]}}),
        ("hours", {"hours": {"mon": [["24:00", "09:00"]]}}),
        ("hours", {"hours": {"mon": [["09:00", "12:00"], ["11:59", "17:00"]]}}),
        ("country", {"country": "XX"}),
        ("country", {"country": "Germany"}),
        ("subdivision", {"country": "DE", "subdivision": "CA"}),
        ("subdivision", {"subdivision": "BY"}),
        ("closed", {"closed": ["24.12.2026"]}),
        ("closed", {"closed": ["2026-02-29"]}),
        ("yearly", {"yearly": ["2026-12-24"]}),
        ("yearly", {"yearly": ["02-30"]}),
        ("yearly", {"yearly": ["13-01"]}),
    ],
)
def test_unusable_setting_is_named(field: str, settings: dict[str, Any]) -> None:
    with pytest.raises(Unusable) as refusal:
        read_calendar(**{"hours": OFFICE_HOURS, **settings})
    assert refusal.value.field == field
    assert str(refusal.value.reason)


def test_public_holidays_are_those_of_the_law() -> None:
    assert closed_days("DE", "", 2026) == GERMAN_2026
    assert closed_days("", "", 2026) == frozenset()


def test_part_of_a_country_has_more_of_them() -> None:
    epiphany = date(2026, 1, 6)
    assert epiphany not in closed_days("DE", "", 2026)
    assert epiphany in closed_days("DE", "BY", 2026)
    bavarian = read_calendar(OFFICE_HOURS, country="DE", subdivision="BY")
    assert bavarian.spans_on(epiphany) == ()
    assert GERMAN.spans_on(epiphany) == OFFICE.hours[1]


@pytest.mark.parametrize(
    ("country", "day"),
    [
        # Independence Day on a Saturday is kept on Friday, Boxing Day on a Saturday on Monday.
        ("US", date(2026, 7, 3)),
        ("GB", date(2026, 12, 28)),
        # New Year's Day of 2028 is a Saturday: the day before belongs to another year.
        ("US", date(2027, 12, 31)),
        # Waitangi Day on a Saturday.
        ("NZ", date(2027, 2, 8)),
    ],
)
def test_holiday_is_kept_on_another_day(country: str, day: date) -> None:
    assert day in closed_days(country, "", day.year)


def test_years_far_away_have_holidays() -> None:
    for year in (2030, 2055, 2099):
        assert date(year, 12, 25) in closed_days("DE", "", year)


def test_holiday_of_the_contact_counts_and_not_that_of_the_tenant() -> None:
    french, unity, bastille = GERMAN.of_contact("FR"), date(2028, 10, 3), date(2026, 7, 14)
    assert unity.weekday() == bastille.weekday() == 1
    assert not french.is_closed(unity)
    assert french.is_closed(bastille)
    assert GERMAN.is_closed(unity)
    assert not GERMAN.is_closed(bastille)


def test_own_closed_days_count_for_every_contact() -> None:
    calendar = read_calendar(
        OFFICE_HOURS, country="DE", subdivision="BY", closed=["2026-11-24"], yearly=["12-24"]
    )
    for country in ("FR", "DE", "", "XX"):
        own = calendar.of_contact(country)
        assert own.is_closed(date(2026, 11, 24))
        assert own.is_closed(date(2026, 12, 24))
        assert own.is_closed(date(2031, 12, 24))
        assert not own.is_closed(date(2027, 11, 24))


def test_contact_in_an_unknown_country_has_the_holidays_of_the_calendar() -> None:
    bavarian = read_calendar(OFFICE_HOURS, country="DE", subdivision="BY")
    assert bavarian.of_contact("XX") == bavarian.of_contact("") == bavarian
    assert bavarian.of_contact("DE").subdivision == "BY"
    assert bavarian.of_contact("US").subdivision == ""


def test_day_of_the_contacts_clock_decides() -> None:
    """Late on 30 April in New York it is 1 May in Berlin, which is closed."""
    moment = local("2026-05-01 00:30", BERLIN)
    assert add(moment, Wait(0), GERMAN, BERLIN) == utc("2026-05-04 07:00")


def test_29_february_is_closed_in_leap_years_only() -> None:
    calendar = read_calendar(OFFICE_HOURS, yearly=["02-29"])
    assert calendar.is_closed(date(2028, 2, 29))
    assert not any(calendar.is_closed(date(2027, 2, 28) + timedelta(days=n)) for n in range(3))


def test_names_are_in_the_language_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "uk")
    holiday_names.cache_clear()
    closed_days.cache_clear()
    christmas = date(2026, 12, 25)
    assert GERMAN.holiday_on(christmas, "de") == "Erster Weihnachtstag"
    assert GERMAN.holiday_on(christmas, "en") == "Christmas Day"
    # Norwegian has no German names: English ones stand in, whatever the environment says.
    assert GERMAN.of_contact("NO").holiday_on(date(2026, 5, 17), "de") == "Constitution Day"
    assert GERMAN.holiday_on(date(2026, 12, 24), "de") == ""


def test_cache_cannot_be_changed() -> None:
    names: Any = holiday_names("DE", "", 2026, "de")
    with pytest.raises(TypeError):
        names[date(2026, 12, 24)] = "Heiligabend"


def test_many_threads_see_the_same_days() -> None:
    countries = ["DE", "FR", "US", "NZ", "GB", "JP", "BR", "ZA"]
    wanted = {
        (country, year): frozenset(
            holidays.country_holidays(country, years=year, language="en_US", expand=False)
        )
        for country in countries
        for year in range(2024, 2030)
    }
    closed_days.cache_clear()
    holiday_names.cache_clear()
    barrier, wrong = threading.Barrier(8), list[tuple[str, int]]()

    def look(offset: int) -> None:
        barrier.wait()
        keys = sorted(wanted)
        for country, year in keys[offset:] + keys[:offset]:
            if closed_days(country, "", year) != wanted[country, year]:
                wrong.append((country, year))

    threads = [threading.Thread(target=look, args=(6 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_calendar_is_a_key() -> None:
    assert len({GERMAN, read_calendar(OFFICE_HOURS, country="DE"), OFFICE}) == 2
    assert Calendar(hours=OFFICE.hours) == OFFICE
