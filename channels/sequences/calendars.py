"""When somebody may be written to: hours of the week, public holidays, own closed days.

Pure. Hours are what a clock on the wall shows; `working_time` makes moments of them. Public
holidays come from the package `holidays`, whose lists change with its releases: they are asked for
late, and never kept. It counts no half days (24 and 31 December) and no religious ones that are
optional: those are a tenant's own closed days.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, lru_cache
from itertools import pairwise
from types import MappingProxyType

import holidays
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = 24 * 60
CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")
COUNTRY = re.compile(r"[A-Z]{2}")
YEARLY = re.compile(r"(\d{2})-(\d{2})")
# The language of names where the library has none in the one that was asked for.
OTHERWISE = "en_US"


class Unusable(Exception):
    """Settings of a calendar cannot be used.

    Attributes:
        field: hours, country, subdivision, closed or yearly.
        reason: what is wrong, in words.
    """

    def __init__(self, field: str, reason: str | Promise) -> None:
        super().__init__(field, reason)
        self.field, self.reason = field, reason


@dataclass(frozen=True, order=True)
class Span:
    """Open from one time of the day to another.

    Attributes:
        opens: in minutes since midnight, 0 to 1439.
        closes: likewise, and not included; above 1440 on the next day, whose own rules do not
            matter to it.
    """

    opens: int
    closes: int


@dataclass(frozen=True)
class Calendar:
    """Rules by which days are open.

    Attributes:
        hours: for each day of the week from Monday on, its spans in order, without overlaps.
        country: whose public holidays are kept, ISO 3166-1 alpha-2; empty: nobody's.
        subdivision: a part of the country with holidays of its own, as ISO 3166-2 names it: "BY".
        closed: own days.
        yearly: own days of every year, as (month, day); 29 February counts in leap years only.
    """

    hours: tuple[tuple[Span, ...], ...]
    country: str = ""
    subdivision: str = ""
    closed: frozenset[date] = frozenset()
    yearly: frozenset[tuple[int, int]] = frozenset()

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        # Calendars are keys of caches that are asked several times for each step.
        return hash((self.hours, self.country, self.subdivision, self.closed, self.yearly))

    def spans_on(self, day: date) -> tuple[Span, ...]:
        """The hours that begin on a day; none if it is closed."""
        return () if self.is_closed(day) else self.hours[day.weekday()]

    def is_closed(self, day: date) -> bool:
        """Whether a day is closed whatever its day of the week."""
        return (
            day in self.closed
            or (day.month, day.day) in self.yearly
            or day in closed_days(self.country, self.subdivision, day.year)
        )

    def holiday_on(self, day: date, language: str) -> str:
        """The name of a public holiday, in this language if the library knows it; or empty."""
        return holiday_names(self.country, self.subdivision, day.year, language).get(day, "")

    def of_contact(self, country: str) -> "Calendar":
        """The same with the holidays of a contact's country, where the library knows it."""
        if not is_country(country) or country == self.country:
            return self
        return _in_country(self, country)


@lru_cache(maxsize=1024)
def _in_country(calendar: Calendar, country: str) -> Calendar:
    # The same object for all who live there: what is kept by it is found without comparing.
    return replace(calendar, country=country, subdivision="")


def read_calendar(
    hours: Mapping[str, Sequence[Sequence[str]]],
    *,
    country: str = "",
    subdivision: str = "",
    closed: Sequence[str] = (),
    yearly: Sequence[str] = (),
) -> Calendar:
    """A calendar as it is written down.

    Args:
        hours: such as {"mon": [["09:00", "12:00"], ["13:00", "17:00"]]}; "24:00" ends a day, and
            an end before its start is on the next day.
        closed: days such as "2026-12-24".
        yearly: days such as "12-24".

    Raises:
        Unusable: something cannot be read, spans overlap, or it never opens.
    """
    if unknown := sorted(set(hours) - set(WEEKDAYS)):
        raise Unusable("hours", _("“%s” is no day of the week.") % unknown[0])
    week = tuple(_read_day(hours.get(weekday, ())) for weekday in WEEKDAYS)
    if not any(week):
        raise Unusable("hours", _("The calendar has no hours: it would never open."))
    _check_region(country, subdivision)
    return Calendar(
        hours=week,
        country=country,
        subdivision=subdivision,
        closed=frozenset(map(_read_date, closed)),
        yearly=frozenset(map(_read_yearly, yearly)),
    )


def is_country(country: str) -> bool:
    """Whether the public holidays of a country are known."""
    return _region_of(country) is not None


def is_subdivision(country: str, subdivision: str) -> bool:
    """Whether a country has such a part with holidays of its own."""
    region = _region_of(country)
    return region is not None and subdivision in region.subdivisions


@lru_cache(maxsize=1024)
def closed_days(country: str, subdivision: str, year: int) -> frozenset[date]:
    """The public holidays of a year; none where `country` is empty."""
    return frozenset(holiday_names(country, subdivision, year, OTHERWISE))


@lru_cache(maxsize=1024)
def holiday_names(country: str, subdivision: str, year: int, language: str) -> Mapping[date, str]:
    """The names of a year's public holidays, also where they are kept on another day than theirs.

    Args:
        language: such as "de".

    Raises:
        NotImplementedError: the library knows no such country or part of it.
    """
    if not country:
        return MappingProxyType({})
    # `expand` would let a look-up change the object.
    known = holidays.country_holidays(
        country,
        subdiv=subdivision or None,
        years=year,
        expand=False,
        observed=True,
        language=_language_of(country, language),
    )
    return MappingProxyType(dict(known))


@dataclass(frozen=True)
class _Region:
    """What the library has of a country."""

    subdivisions: frozenset[str]
    languages: tuple[str, ...]


@lru_cache(maxsize=512)
def _region_of(country: str) -> _Region | None:
    # The library also answers to names and codes of three letters.
    if not COUNTRY.fullmatch(country):
        return None
    try:
        known = holidays.country_holidays(country, expand=False, language=OTHERWISE)
    except NotImplementedError:
        return None
    return _Region(frozenset(known.subdivisions), tuple(known.supported_languages))


def _language_of(country: str, language: str) -> str | None:
    # One that the library has not would make the names follow the environment.
    region = _region_of(country)
    languages = region.languages if region else ()
    alike = [known for known in languages if known.split("_")[0] == language.split("_")[0]]
    wanted = [language, *alike, OTHERWISE, *languages]
    return next((known for known in wanted if known in languages), None)


def _check_region(country: str, subdivision: str) -> None:
    if country and not is_country(country):
        raise Unusable("country", _("No public holidays are known for “%s”.") % country)
    if subdivision and not is_subdivision(country, subdivision):
        raise Unusable(
            "subdivision",
            _("“%(part)s” is no part of “%(country)s” with public holidays of its own.")
            % {"part": subdivision, "country": country},
        )


def _read_day(written: Sequence[Sequence[str]]) -> tuple[Span, ...]:
    spans = sorted(map(_read_span, written))
    for before, after in pairwise(spans):
        if after.opens < before.closes:
            raise Unusable("hours", _("Two spans of hours on one day overlap."))
    return tuple(spans)


def _read_span(written: Sequence[str]) -> Span:
    if isinstance(written, str) or len(written) != 2:
        raise Unusable("hours", _("Hours have a start and an end, such as 09:00 and 17:00."))
    opens, closes = map(_read_clock, written)
    if opens in (closes, DAY):
        raise Unusable(
            "hours", _("Hours start and end at different times; a whole day is 00:00 to 24:00.")
        )
    return Span(opens, closes if closes > opens else closes + DAY)


def _read_clock(written: str) -> int:
    match = CLOCK.fullmatch(written)
    if match is None:
        raise Unusable("hours", _("“%s” is no time of the day, such as 09:00.") % written)
    return int(match[1]) * 60 + int(match[2]) if match[1] else DAY


def _read_date(written: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise Unusable("closed", _("“%s” is no day, such as 2026-12-24.") % written) from None


def _read_yearly(written: str) -> tuple[int, int]:
    match = YEARLY.fullmatch(written)
    try:
        # A leap year has every day that a year may have.
        day = date(2028, int(match[1]), int(match[2])) if match else None
    except ValueError:
        day = None
    if day is None:
        raise Unusable("yearly", _("“%s” is no day of a year, such as 12-24.") % written)
    return day.month, day.day
