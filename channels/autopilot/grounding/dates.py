"""Days, weeks, months and times of day. English and German writing.

Words such as "tomorrow" mean a day only together with the day on which they were written.
"""

import re
from collections.abc import Hashable, Iterator
from datetime import date, timedelta

from channels.autopilot.grounding.claims import Claim, Kind, apart, claim
from channels.autopilot.grounding.number_words import ENGLISH_NTH, GERMAN_NTH, nth_in_words

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january januar jänner jan", "february februar feber feb",
            "march märz maerz mar mär mrz", "april apr", "may mai", "june juni jun",
            "july juli jul", "august aug", "september sept sep", "october oktober oct okt",
            "november nov", "december dezember dec dez",
        ),
        1,
    )
    for name in names.split()
}  # fmt: skip
WEEKDAYS = {
    name: number
    for number, names in enumerate(
        (
            "monday montag mon mo", "tuesday dienstag tues tue di", "wednesday mittwoch wed mi",
            "thursday donnerstag thurs thur thu do", "friday freitag fri fr",
            "saturday samstag sonnabend sat sa", "sunday sonntag sun so",
        )
    )
    for name in names.split()
}  # fmt: skip
LONG_WEEKDAY = "|".join(sorted((day for day in WEEKDAYS if len(day) > 5), key=len, reverse=True))
MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
WEEKDAY = "|".join(sorted(WEEKDAYS, key=len, reverse=True))
LED = rf"(?:\b(?P<weekday>{WEEKDAY})\b\.?,?\s+(?:(?:the|den|dem|der)\s+)?)?"
YEAR = r"(?P<year>\d{4})"
DAYS = [
    re.compile(LED + r"(?<![\d.-])" + YEAR + r"-(?P<month>\d{2})-(?P<day>\d{2})(?![\d-])", re.I),
    re.compile(
        LED + r"(?<![\d.,/-])(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\."
        r"(?:\s?(?P<year>\d{4}|\d{2})\b)?(?!\d)", re.I),
    re.compile(
        LED + rf"(?<![\w.,])(?P<day>\d{{1,2}})(?:st|nd|rd|th|\.)?\s+(?:of\s+)?"
        rf"(?P<name>{MONTH})\b\.?(?:,?\s+{YEAR}\b)?", re.I),
    re.compile(
        LED + rf"\b(?P<name>{MONTH})\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?!:)"
        rf"(?:,?\s+{YEAR}\b)?", re.I),
]  # fmt: skip
SLASHED = re.compile(
    LED + r"(?<![\w/])(?P<one>\d{1,2})/(?P<two>\d{1,2})/(?P<year>\d{4}|\d{2})(?![\d/])", re.I
)
MONTH_OF_YEAR = re.compile(rf"\b(?P<name>{MONTH})\.?,?\s+(?:of\s+)?{YEAR}\b", re.I)
# Words of nothing else: as months they need no word beside them. Those that are names as well do.
SURE_MONTH = (
    r"january|february|july|september|october|november|december|januar|jänner|februar|märz|maerz"
    r"|juni|juli|oktober|dezember"
)
# "May" and "March" with a capital, so that "you may march on" has none.
CAPITAL_MONTH = rf"(?:{SURE_MONTH}|april|june|august|mai|(?-i:May|MAY|March|MARCH))"
# With small letters they are months if no verb can follow: "what we ask for may change".
SMALL_MONTH = (
    r"(?<!this )(?:may|march)(?=\s?(?:[.,;:!?)/–-]|$)|\s(?:and|or(?! may)|we|is|at|onwards?)\b)"
)
MONTH_LEAD = (
    r"in|im|by|until|till|since|from|for|during|within|around|before|after|through|throughout|bis"
    r"|seit|ab|vor|nach|zum|für|gegen|um|spätestens|frühestens|anfang|beginn|mitte|ende|monat"
    r"|ganzen|early|mid|late|end|of|des|next|this|last|coming|between|zwischen"
    r"|(?:nächste|diese|kommende|letzte|vergangene)[nrms]"
)
BARE_MONTH = re.compile(
    rf"\b(?:{MONTH_LEAD})[\s-](?P<led>{CAPITAL_MONTH}|{SMALL_MONTH})\b|\b(?P<sure>{SURE_MONTH})\b",
    re.I,
)
# "The fifth of May", "am fünften Mai", "May fifth"; the last of them without a month.
WORDED_DAYS = [
    re.compile(
        LED + rf"(?<![\w-])(?P<day>{ENGLISH_NTH}|{GERMAN_NTH})\s(?:of\s)?"
        rf"(?P<name>{CAPITAL_MONTH}(?!\s(?:I|we|you)\b)|(?<=of\s)(?:may|march))\b"
        rf"(?:,?\s+{YEAR}\b)?", re.I),
    re.compile(
        LED + rf"\b(?P<name>{CAPITAL_MONTH}|(?<=on\s)(?:may|march))\s(?:the\s)?"
        rf"(?P<day>{ENGLISH_NTH})(?:,?\s+{YEAR}\b)?", re.I),
    re.compile(
        rf"\b(?:(?:on|by|until|till|before|since) the (?P<day>{ENGLISH_NTH})"
        rf"|(?:am|vom|bis zum|(?:ab|seit|vor|nach) dem) (?P<tag>{GERMAN_NTH}))"
        # The third floor, call or one is none.
        r"(?=\s?(?:[.,;:!?)]|$)|\s(?:of (?:the|this|next) month|des|at|we|i|you|it|if|works?|would"
        r"|will|um|bis|wir|ich|sie|es|ist|wird|werden|kann|können|könnten)\b)", re.I),
]  # fmt: skip
TWO_MONTHS = re.compile(
    rf"\b(?P<one>{CAPITAL_MONTH})\s?(?:-|–|/|und|oder|bis|and|or|to)\s?(?P<two>{CAPITAL_MONTH})\b",
    re.I,
)
NEXT = r"next|coming|following|nächste[nrsm]?|kommende[nrsm]?|folgende[nrsm]?"
THIS = r"this|diese[nrsm]?"
LAST = r"last|past|letzte[nrsm]?|vergangene[nrsm]?|vorige[nrsm]?"
BARE_WEEKDAY = re.compile(
    rf"\b(?:(?P<next>{NEXT})\s+|(?P<this>{THIS})\s+|(?P<last>{LAST})\s+)?(?P<weekday>{LONG_WEEKDAY})"
    r"(?:s|abend|morgen|nachmittag|vormittag|mittag)?\b",
    re.I,
)
PERIOD = re.compile(
    rf"\b(?:(?P<next>{NEXT})|(?P<this>{THIS})|(?P<last>{LAST}))\s+"
    r"(?:(?P<week>weeks?|woche)|(?P<weekend>wochenende|weekend)|(?P<month>months?|monate?s?)"
    r"|(?P<quarter>quarter|quartals?)|(?P<year>years?|jahre?s?))\b",
    re.I,
)
WEEKEND = re.compile(
    r"\b(?:(?:at|on|over|during|by|before|after|until) the"
    r"|am|übers|über das|bis zum|(?:vor|nach) dem) (?:weekend|wochenende)\b",
    re.I,
)
RELATIVE = re.compile(
    r"\b(?P<two>the day after tomorrow|day after tomorrow|übermorgen)\b"
    r"|\b(?P<minus>the day before yesterday|vorgestern)\b"
    r"|\b(?P<yesterday>yesterday|gestern)\b"
    r"|\b(?P<today>today|tonight|heute)\b(?:\s(?:Morgen|Abend|Nachmittag|Vormittag|Mittag)\b)?"
    r"|(?<!guten )(?<!Guten )(?<!am )(?<!Am )(?<!jeden )(?<!Jeden )"
    r"\b(?P<tomorrow>tomorrow|Tomorrow|morgen|Morgen(?=\s+[a-zäöü]))(?:\s(?:früh|Abend|Nachmittag|Vormittag|Mittag))?\b",
)
QUARTER = re.compile(r"\bQ(?P<quarter>[1-4])(?:[\s/-]{1,3}(?P<year>\d{4}|\d{2}))?\b")
WEEK = re.compile(r"\b(?:KW|CW|calendar week|kalenderwoche)\s?(?P<week>\d{1,2})\b", re.I)

HOUR = r"(?<![\w.,:])(?P<hour>\d{1,2})"
TIMES = [
    re.compile(HOUR + r"(?:[:.](?P<minute>[0-5]\d))?\s?(?P<half>[ap])\.?\s?m\b\.?", re.I),
    re.compile(HOUR + r"(?:[:.](?P<minute>[0-5]\d))?\s?(?:Uhr\b|o['’]?clock\b)(?P<german>)", re.I),
    re.compile(HOUR + r":(?P<minute>[0-5]\d)(?!\d)(?::[0-5]\d)?"),
]
NAMED_TIME = re.compile(
    r"\b(?:at\s+)?(?P<noon>noon|midday)\b|\b(?P<midnight>midnight|mitternacht)\b", re.I
)
HALF = re.compile(
    r"\bhalb\s(?P<hour>eins|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf)\b", re.I
)
HALVES = [
    "eins",
    "zwei",
    "drei",
    "vier",
    "fünf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "zehn",
    "elf",
    "zwölf",
]
RANGE = re.compile(
    r"(?<![\w.,:])(?P<hour>\d{1,2})(?:[:.](?P<minute>[0-5]\d))?\s?(?:-|–|—|bis|to|und|and)\s?$",
    re.I,
)
DAY_MINUTES, NOON = 24 * 60, 12 * 60
FRIDAY = 5
HALF_A_YEAR = timedelta(days=183)
PIVOT = 70


def dates(text: str, written: date | None) -> Iterator[Claim]:
    """Days, weeks, months, quarters and years.

    Args:
        written: the day on which the text was written; None: what is relative to it means nothing.
    """
    yield from apart(_dates(text, written))


def times(text: str) -> Iterator[Claim]:
    """Times of day, in minutes since midnight."""
    yield from apart(_times(text))


def _times(text: str) -> Iterator[Claim]:
    for match in HALF.finditer(text):
        minutes = 60 * HALVES.index(match["hour"].casefold()) + 30
        yield claim(Kind.TIME, match, minutes % DAY_MINUTES, (minutes + NOON) % DAY_MINUTES)
    for match in NAMED_TIME.finditer(text):
        yield claim(Kind.TIME, match, NOON if match["noon"] else 0)
    for pattern in TIMES:
        for match in pattern.finditer(text):
            yield from _time(text, match)


def _dates(text: str, written: date | None) -> Iterator[Claim]:
    for pattern in DAYS:
        for match in pattern.finditer(text):
            name = match.groupdict().get("name")
            month = MONTHS[name.casefold()] if name else int(match["month"])
            yield _day(match, match["year"], month, int(match["day"]), written)
    yield from _worded_days(text, written)
    for match in SLASHED.finditer(text):
        one, two, year = int(match["one"]), int(match["two"]), _full_year(match["year"])
        days = {_date(year, two, one), _date(year, one, two)} - {None}
        yield claim(Kind.DATE, match, *(("day", day) for day in days if _fits(match, day)))
    yield from _periods(text, written)
    for match in RELATIVE.finditer(text):
        steps = {"two": 2, "minus": -2, "yesterday": -1, "today": 0, "tomorrow": 1}
        step = next(days for name, days in steps.items() if match[name])
        yield _of_day(match, written and written + timedelta(days=step))
    for match in BARE_WEEKDAY.finditer(text):
        yield claim(Kind.DATE, match, *_weekdays(match, written))


def _worded_days(text: str, written: date | None) -> Iterator[Claim]:
    *of_months, alone = WORDED_DAYS
    for pattern in of_months:
        for match in pattern.finditer(text):
            month, day = MONTHS[match["name"].casefold()], nth_in_words(match["day"])
            yield _day(match, match["year"], month, day, written)
    for match in alone.finditer(text):
        yield _of_day(match, _coming(nth_in_words(match["day"] or match["tag"]), written))


def _periods(text: str, written: date | None) -> Iterator[Claim]:
    for match in MONTH_OF_YEAR.finditer(text):
        yield claim(
            Kind.DATE, match, ("month", int(match["year"]), MONTHS[match["name"].casefold()])
        )
    for match in TWO_MONTHS.finditer(text):
        for start, end in (match.span("one"), match.span("two")):
            yield Claim(Kind.DATE, text[start:end], start, end, _month(text[start:end], written))
    for match in BARE_MONTH.finditer(text):
        yield claim(Kind.DATE, match, *_month(match["led"] or match["sure"], written))
    for match in QUARTER.finditer(text):
        year = _full_year(match["year"]) if match["year"] else written and written.year
        yield claim(Kind.DATE, match, *([("quarter", year, int(match["quarter"]))] if year else []))
    for match in WEEK.finditer(text):
        week = int(match["week"])
        yield claim(Kind.DATE, match, *([("week", written.year, week)] if written else []))
    for match in WEEKEND.finditer(text):
        yield claim(Kind.DATE, match, *([_weekend(written)] if written else []))
    for match in PERIOD.finditer(text):
        yield claim(Kind.DATE, match, *([_period(match, written)] if written else []))


# --- Days ---------------------------------------------------------------------------------------


def _day(
    match: re.Match[str], year: str | None, month: int, day: int, written: date | None
) -> Claim:
    if year:
        return _of_day(match, _date(_full_year(year), month, day))
    return _of_day(match, _nearest(month, day, written))


def _of_day(match: re.Match[str], day: date | None) -> Claim:
    if day is None or not _fits(match, day):
        return claim(Kind.DATE, match)
    iso = day.isocalendar()
    wider: set[Hashable] = {
        ("month", day.year, day.month),
        ("week", iso.year, iso.week),
        ("quarter", day.year, (day.month + 2) // 3),
        ("year", day.year),
    }
    if iso.weekday > FRIDAY:
        wider.add(_weekend(day))
    return claim(Kind.DATE, match, ("day", day), implied=frozenset(wider))


def _fits(match: re.Match[str], day: date | None) -> bool:
    """Whether the day is the weekday that stands before it, if one does."""
    said = match.groupdict().get("weekday")
    return day is not None and (not said or WEEKDAYS[said.casefold()] == day.weekday())


def _weekdays(match: re.Match[str], written: date | None) -> list[Hashable]:
    """Days that a weekday can mean: the next one; "next Friday" also that of the week after."""
    if written is None:
        return []
    ahead = (WEEKDAYS[match["weekday"].casefold()] - written.weekday() - 1) % 7 + 1
    coming = written + timedelta(days=ahead)
    if match["last"]:
        return [("day", coming - timedelta(days=7))]
    later = [("day", coming + timedelta(days=7))] if match["next"] else []
    return [("day", coming), *later]


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _full_year(said: str) -> int:
    year = int(said)
    return year if year > 99 else year + (1900 if year >= PIVOT else 2000)


def _nearest(month: int, day: int, written: date | None) -> date | None:
    """The day without a year that lies closest to when it was written."""
    if written is None:
        return None
    candidates = [_date(written.year + step, month, day) for step in (-1, 0, 1)]
    near = [each for each in candidates if each and abs(each - written) <= HALF_A_YEAR]
    return near[-1] if near else None


def _month(name: str, written: date | None) -> frozenset[Hashable]:
    """The month of that name that lies closest; empty: nobody knows of which year."""
    month = MONTHS[name.casefold()]
    day = _nearest(month, 1, written)
    return frozenset({("month", day.year, month)} if day else ())


def _coming(day: int, written: date | None) -> date | None:
    """The next day of that number from when it was written."""
    if written is None:
        return None
    months = [(written.year + months // 12, months % 12 + 1)
              for months in range(written.month - 1, written.month + 2)]  # fmt: skip
    days = (_date(year, month, day) for year, month in months)
    return next((each for each in days if each and each >= written), None)


def _period(match: re.Match[str], written: date) -> Hashable:
    step = 1 if match["next"] else -1 if match["last"] else 0
    if match["weekend"]:
        return _weekend(written + timedelta(days=7 * step))
    if match["week"]:
        iso = (written + timedelta(days=7 * step)).isocalendar()
        return ("week", iso.year, iso.week)
    if match["year"]:
        return ("year", written.year + step)
    months = 12 * written.year + written.month - 1
    if match["month"]:
        return ("month", (months + step) // 12, (months + step) % 12 + 1)
    quarters = months // 3 + step
    return ("quarter", quarters // 4, quarters % 4 + 1)


def _weekend(day: date) -> Hashable:
    """The weekend of a day's week."""
    iso = day.isocalendar()
    return ("weekend", iso.year, iso.week)


# --- Times --------------------------------------------------------------------------------------


def _time(text: str, match: re.Match[str]) -> Iterator[Claim]:
    named = match.groupdict()
    half = (named.get("half") or "").casefold()
    is_open = "clock" in match.group().casefold()
    yield claim(Kind.TIME, match, *_minutes(match["hour"], match["minute"], half, is_open))
    before = max(0, match.start() - 20)
    if first := RANGE.search(text[before : match.start()]):
        values = _minutes(first["hour"], first["minute"], half, is_open)
        start, end = before + first.start(), before + first.end()
        yield Claim(Kind.TIME, first.group(), start, end, frozenset(values))


def _minutes(hour: str, minute: str | None, half: str, is_open: bool) -> list[int]:
    hours, minutes = int(hour), int(minute or 0)
    if half:
        return (
            [hours % 12 * 60 + minutes + (NOON if half == "p" else 0)] if 1 <= hours <= 12 else []
        )
    if hours > 24:
        return []
    said = (60 * hours + minutes) % DAY_MINUTES
    return [said, (said + NOON) % DAY_MINUTES] if is_open and 1 <= hours <= 12 else [said]
