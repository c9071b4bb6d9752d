"""That somebody is away, and until when, as their mail program says it in four languages."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

# These words only programs put in front of a subject.
BY_PROGRAM = re.compile(
    r"^\s*(?:automatic reply|auto(?:matic)?[- ]?(?:re(?:ply|sponse|sponder))|autoreply|"
    r"out of (?:the )?office(?: auto ?reply| reply| message| notification)?|"
    r"automatische antwort|abwesenheitsnotiz|abwesenheitsassistent|abwesenheitsmeldung|"
    r"réponse automatique|message d'absence|absence du bureau|notification d'absence|"
    r"respuesta automática|fuera de (?:la )?oficina|mensaje de ausencia|aviso de ausencia|"
    r"risposta automatica|automatisch antwoord|resposta automática)\s*(?::|-|–|$|\()",
    re.IGNORECASE,
)
# These words say that somebody is away, once it is known that a program wrote.
AWAY = re.compile(
    r"out of (?:the )?office|on (?:annual |parental |sick |maternity |paternity )?leave\b|"
    r"on (?:vacation|holiday)|\baway from|currently away|\baway until|not in the office|\booo\b|"
    r"limited access to (?:my )?e-?mail|back (?:in the office )?on\b|(?:will|'ll) be back|"
    r"\bi(?:'ll| will) (?:be )?return|"
    r"nicht im (?:büro|hause?)|außer haus|abwesen|im urlaub|in elternzeit|im mutterschutz|"
    r"auf dienstreise|nicht erreichbar|bin ich wieder|\bkehre ich\b|\bich kehre\b|"
    r"wieder (?:erreichbar|da\b|am\b|ab\b|für sie da|zur verfügung|zu erreichen|"
    r"im (?:büro|hause?))|"
    r"\babsente?\b|en congés?|absence du bureau|de retour le|hors du bureau|en déplacement|"
    r"fuera de (?:la )?oficina|de vacaciones|\bausente\b|ausencia|estaré de vuelta|regreso el|"
    r"abwesenheit",
    re.IGNORECASE,
)
# A day between German words, as "ab Montag, den 30.11.2026 wieder" has one.
DATED = (
    r"(?:[^\W\d_]{2,12}\.?,?\s+)?(?:de[nm]\s+)?\d[\d.]{0,9},?\s+"
    r"(?:[^\W\d_]{3,9}\.?,?\s+)?(?:\d{4},?\s+)?"
)
OFFICE = r"(?: (?:in|to) the office| (?:at|to) work)?"
# What stands before the day of the return …
BACK = re.compile(
    rf"(?:\b(?:back|return(?:ing)?){OFFICE} (?:on|by|from)|"
    r"available again (?:on|from)|wieder (?:ab|am|ab dem|erreichbar ab)|ab dem|zurück (?:am|ab)|"
    rf"\b(?:ab|am)(?=\s+{DATED}(?:bin|komme|stehe) ich\b)|"
    r"de retour (?:le|à partir du)|(?:à|a) partir du|a partir del|regreso (?:el|al trabajo el)|"
    r"de vuelta (?:el|a partir del)|vuelvo el)\s*:?\s*",
    re.IGNORECASE,
)
# … and before the last day of the absence.
UNTIL = re.compile(
    r"(?:\b(?:until|till|through|thru)\b|"
    r"bis(?: zum| einschließlich(?: zum)?)?|jusqu['’](?:au|à)|hasta el)"
    r"\s*:?\s*",
    re.IGNORECASE,
)
# Words that may mean a colleague, opening hours or a fair as well: where no others give a day.
PERHAPS_BACK = re.compile(
    rf"(?:(?<!\bis )\b(?:back|return(?:ing)?){OFFICE}|"
    rf"(?<!\bist )\b(?:ab|am)(?=\s+{DATED}(?:wieder|zurück)\b))\s*:?\s*",
    re.IGNORECASE,
)
PERHAPS_UNTIL = re.compile(r"(?:\bto\b|(?<=[\d.])\s*[-–])\s*", re.IGNORECASE)
# The point behind a day's number ends nothing.
SENTENCE_END = re.compile(r"(?<!\b\d)(?<!\b\d\d)[.!?]\s+|\n\s*\n")
CLOCK = re.compile(r"\s*(?:uhr|h|o['’]clock)\b", re.IGNORECASE)
WEEKDAY = re.compile(
    r"(?:(?:the|den|dem|le|el)\s+)?(?:[^\W\d_]{2,12}\.?,?\s+(?:(?:the|den|dem|le|el)\s+)?)?"
)
MONTHS = {
    name: number
    for number, names in enumerate(
        [
            "january jan januar jänner janvier enero ene",
            "february feb februar février fevrier febrero",
            "march mar märz maerz mrz mars marzo",
            "april apr avril abril abr",
            "may mai mayo",
            "june jun juni juin junio",
            "july jul juli juillet julio",
            "august aug août aout agosto ago",
            "september sep sept septembre septiembre",
            "october oct oktober okt octobre octubre",
            "november nov novembre noviembre",
            "december dec dezember dez décembre decembre diciembre dic",
        ],
        start=1,
    )
    for name in names.split()
}
ISO = re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})")
NUMERIC = re.compile(
    r"(?P<day>\d{1,2})(?P<mark>[./])\s?(?P<month>\d{1,2})(?:[./]\s?(?P<year>\d{4}|\d{2})?)?"
)
DAY_FIRST = re.compile(
    r"(?P<day>\d{1,2})(?:st|nd|rd|th|er)?\.?\s+(?:of\s+|de\s+)?(?P<name>[^\W\d_]{3,12})\.?"
    r"(?:,?\s+(?:de\s+)?(?P<year>\d{4}))?"
)
MONTH_FIRST = re.compile(
    r"(?P<name>[^\W\d_]{3,12})\.?\s+(?P<day>\d{1,2})(?!\d)(?:st|nd|rd|th)?(?:,?\s+(?P<year>\d{4}))?"
)
MONTH_ALONE = re.compile(r"(?P<name>[^\W\d_]{3,12})\.?\s+(?P<year>\d{4})")
LONGEST_ABSENCE = timedelta(days=400)
LONGEST_TEXT = 5_000


def is_by_program(subject: str) -> bool:
    """Whether a subject is one that programs write before an automatic answer."""
    return BY_PROGRAM.match(subject) is not None


def tells_absence(subject: str, text: str) -> bool:
    """Whether an automatic answer says that somebody is away."""
    return AWAY.search(subject) is not None or AWAY.search(text[:LONGEST_TEXT]) is not None


def return_of(text: str, received: datetime) -> datetime | None:
    """When somebody is back, at the start of that day in UTC; None: the text does not say.

    Of two days that it may be the later one: who is written to too late is not disturbed.

    Args:
        received: a date without a year is the next one after it.
    """
    text = text[:LONGEST_TEXT]
    away = [each for each in SENTENCE_END.split(text) if AWAY.search(each)]

    def first(words: re.Pattern[str], texts: Sequence[str], later: int) -> datetime | None:
        days = (day for each in texts for day in _days_behind(words, each, received))
        day = next(days, None)
        return day + timedelta(days=later) if day else None

    firm = (first(BACK, [text], 0), first(UNTIL, away, 1))
    return (
        max(filter(None, firm), default=None)
        or first(UNTIL, [text], 1)
        or first(PERHAPS_BACK, [text], 0)
        or first(PERHAPS_UNTIL, away, 1)
    )


def _days_behind(words: re.Pattern[str], text: str, received: datetime) -> Iterator[datetime]:
    for match in words.finditer(text):
        day = _day(text[match.end() : match.end() + 60], received)
        if day:
            yield day


def _day(text: str, received: datetime) -> datetime | None:
    start = WEEKDAY.match(text)
    for place in {0, start.end() if start else 0}:
        for pattern in (ISO, NUMERIC, DAY_FIRST, MONTH_FIRST, MONTH_ALONE):
            match = pattern.match(text, place)
            day = _date(match, received) if match else None
            if match and day and not CLOCK.match(text, match.end()):
                return day
    return None


def _date(match: re.Match[str], received: datetime) -> datetime | None:
    found = match.groupdict()
    month = int(found["month"]) if "month" in found else MONTHS.get(found["name"].lower(), 0)
    day, year = int(found.get("day", 1)), found.get("year")
    years = [_full(year)] if year else [received.year, received.year + 1]
    date = _plausible(years, month, day, received)
    if date is None and found.get("mark") == "/":
        # Americans write the month first: here nothing else can be meant.
        date = _plausible(years, day, month, received)
    return date


def _plausible(years: Sequence[int], month: int, day: int, received: datetime) -> datetime | None:
    """The first such day on which an absence that is told now may end."""
    for year in years:
        try:
            date = datetime(year, month, day, tzinfo=UTC)
        except ValueError:
            continue
        if received - timedelta(days=1) < date < received + LONGEST_ABSENCE:
            return date
    return None


def _full(year: str) -> int:
    return int(year) + (2000 if len(year) == 2 else 0)
