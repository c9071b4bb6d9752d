"""Reads the dates of one column, whose order of day, month and year the whole column decides."""

import re
from collections import Counter
from datetime import datetime, tzinfo

from dateutil.parser import ParserError, parser, parserinfo
from django.utils.translation import gettext as _

from leads.importing.report import ImportRefused

NUMERIC = re.compile(
    r"(?P<a>\d{1,4})\s?(?P<sep>[-./])\s?(?P<b>\d{1,2})(?P=sep)\s?(?P<c>\d{1,4})"
    r"(?:[T,\s]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?"
    r"\s*(?P<half>[AaPp][Mm])?)?"
)
ORDERS = {"day first": "DD-MM-YY", "month first": "MM-DD-YY", "year first": "YY-MM-DD"}
# What people write for a format, and what strptime calls it, longest first.
TOKENS = {"YYYY": "%Y", "YY": "%y", "MM": "%m", "DD": "%d", "hh": "%H", "mm": "%M", "ss": "%S"}


class _GermanAndEnglish(parserinfo):
    MONTHS = [
        (*names, *german)
        for names, german in zip(
            parserinfo.MONTHS,
            [
                ("Januar", "Jän", "Jänner"),
                ("Februar",),
                ("März", "Mär", "Mrz"),
                (),
                ("Mai",),
                ("Juni",),
                ("Juli",),
                (),
                (),
                ("Oktober", "Okt"),
                (),
                ("Dezember", "Dez"),
            ],
            strict=True,
        )
    ]


_words = parser(_GermanAndEnglish())


class DateColumn:
    """The dates of a column.

    First show it every value with `observe`, then `read` them: "03-04-17" alone could be in March
    or in April, but "25-04-17" further down tells.

    Args:
        name: the column's name in the file.
        zone: the time zone of dates that name none.
        day_first: what to assume when no value tells.
        layout: decides instead of the values: strptime's ("%d-%m-%y") or people's ("DD-MM-YY").

    Raises:
        ImportRefused: the layout is none.
    """

    def __init__(self, name: str, *, zone: tzinfo, day_first: bool, layout: str = "") -> None:
        self.name = name
        self._zone = zone
        self._day_first = day_first
        self._layout = _strptime_layout(layout) if layout else ""
        self._fits: Counter[str] = Counter()
        self._dotted = False

    def observe(self, value: str) -> None:
        """Take note of which orders fit a value."""
        match = None if self._layout else NUMERIC.fullmatch(value)
        if not match or len(match["a"]) > 2:
            return
        a, b, c = int(match["a"]), int(match["b"]), int(match["c"])
        self._dotted |= match["sep"] == "."
        self._fits["day first"] += a <= 31 and b <= 12
        self._fits["month first"] += a <= 12 and b <= 31
        self._fits["year first"] += len(match["c"]) < 3 and b <= 12 and c <= 31
        self._fits["either"] += a == b

    @property
    def is_ambiguous(self) -> bool:
        """Whether day and month could be swapped in every value."""
        fits = self._fits
        told = fits["day first"] != fits["month first"] or fits["day first"] <= fits["either"]
        return not (told or self._dotted or self.order == "year first")

    @property
    def order(self) -> str:
        """One of `ORDERS`. A broken value here and there does not outvote the rest."""
        day, month = self._fits["day first"], self._fits["month first"]
        if self._fits["year first"] > max(day, month):
            return "year first"
        if day == month:
            return "day first" if self._day_first or self._dotted else "month first"
        return "day first" if day > month else "month first"

    @property
    def ambiguity(self) -> str:
        """A sentence that says what was assumed, and what settles it."""
        assumed = ORDERS[self.order]
        return _(
            "The dates in “%(column)s” could be day or month first; they were read as "
            "%(assumed)s. --date-format settles it."
        ) % {"column": self.name, "assumed": assumed}

    def read(self, value: str) -> datetime:
        """The point in time; a date without a time is midnight in the column's zone.

        Raises:
            ValueError: it is no date; the message is a sentence.
        """
        try:
            moment = self._parse(value)
        except (ValueError, OverflowError, ParserError):
            expected = self._layout or ORDERS[self.order]
            raise ValueError(
                _("This is no date (expected: %(format)s).") % {"format": expected}
            ) from None
        return moment if moment.tzinfo else moment.replace(tzinfo=self._zone)

    def _parse(self, value: str) -> datetime:
        if self._layout:
            return datetime.strptime(value, self._layout)  # noqa: DTZ007
        if match := NUMERIC.fullmatch(value):
            return _from_numbers(match, self.order)
        if value[:4].isdigit():
            return datetime.fromisoformat(value)
        return self._from_words(value)

    def _from_words(self, value: str) -> datetime:
        """A date with a month's name. What it leaves out dateutil would take from today."""
        if not any(letter.isalpha() for letter in value):
            raise ValueError(value)
        day_first = self.order != "month first"
        first, second = (
            _words.parse(value, dayfirst=day_first, default=datetime(year, month, day))  # noqa: DTZ001
            for year, month, day in ((2000, 1, 1), (2004, 12, 28))
        )
        if first != second:
            raise ValueError(value)
        return first


def _from_numbers(match: re.Match[str], order: str) -> datetime:
    a, b, c = match["a"], match["b"], match["c"]
    if len(a) == 4 or order == "year first":
        year, month, day = a, b, c
    elif order == "day first":
        day, month, year = a, b, c
    else:
        month, day, year = a, b, c
    if len(year) not in (2, 4):
        raise ValueError(year)
    return datetime(  # noqa: DTZ001
        _full_year(year), int(month), int(day), _hour(match), *_minutes(match)
    )


def _full_year(year: str) -> int:
    """Two digits are 1969 to 2068.

    Source: POSIX, strptime, %y.
    """
    return int(year) + (0 if len(year) == 4 else 1900 if int(year) >= 69 else 2000)


def _hour(match: re.Match[str]) -> int:
    hour = int(match["hour"] or 0)
    if not match["half"]:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError(hour)
    return hour % 12 + (12 if match["half"].lower() == "pm" else 0)


def _minutes(match: re.Match[str]) -> tuple[int, int]:
    return int(match["minute"] or 0), int(match["second"] or 0)


def _strptime_layout(layout: str) -> str:
    if "%" not in layout:
        for token, directive in TOKENS.items():
            layout = layout.replace(token, directive)
    try:
        today = datetime(2001, 12, 31, 23, 58, 59)  # noqa: DTZ001
        complete = datetime.strptime(today.strftime(layout), layout).date() == today.date()  # noqa: DTZ007
    except ValueError:
        complete = False
    if not complete:
        raise ImportRefused(
            _("The date format “%(layout)s” names no day, month and year; try DD-MM-YY.")
            % {"layout": layout}
        )
    return layout
