"""Numbers, and what they count: money, percents, time. English and German writing.

A single separator before three digits parts thousands, in both languages: "1.000" is a thousand.
Nobody writes a price with three digits after the point.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from channels.autopilot.grounding.claims import Claim, Kind, claim
from channels.autopilot.grounding.number_words import HALVES, WORD, ZEROS, number_in_words

# They count only where a unit follows: "a week", not "a question".
SINGLE = ["one", "a", "an", "ein", "eine", "einen", "einem", "einer", "eines"]
# Harmless to count: one's own questions are no fact about anybody.
RHETORICAL = r"(?:questions?|points?|things?|ideas?|fragen?|punkte?n?|dinge?n?|ideen?|sachen?)"

# --- Numbers as digits --------------------------------------------------------------------------

GROUPED = r"\d{1,3}(?:[\u00a0\u202f'’ ]\d{3})+(?:[.,]\d{1,9})?(?!\d)"
DIGITS = rf"(?<![\w.,])(?:{GROUPED}|\d{{1,15}}(?:[.,]\d{{1,15}}){{0,6}})"
# So does nothing: "null Euro", not "null und nichtig".
ONE = rf"(?<!\w)(?:{'|'.join([*SINGLE, *ZEROS])})"
HALVED = rf"(?<!\w)(?:{'|'.join(HALVES)})"
MULTIPLES = {
    "k": 1000, "tsd": 1000, "tausend": 1000, "thousand": 1000,
    "mio": 10**6, "mn": 10**6, "m": 10**6, "million": 10**6, "millions": 10**6,
    "millionen": 10**6, "mrd": 10**9, "bn": 10**9, "billion": 10**9, "milliarde": 10**9,
    "milliarden": 10**9,
}  # fmt: skip
LONG_MULTIPLE = (
    r"(?:\s?k(?!\w)|\s?(?:tsd|mio|mrd|mn|bn)\b\.?"
    r"|\s?(?:tausend|thousand|millions?|millionen|billion|milliarden?)\b)"
)
MULTIPLE = rf"(?:{LONG_MULTIPLE}|\s?m(?!\w))"
ROUND = r"(?:[.,](?:--?|–|—))?"
NUMBER = rf"(?:{DIGITS}|{WORD})"

CURRENCIES = {
    "€": "EUR", "eur": "EUR", "euro": "EUR", "euros": "EUR",
    "$": "USD", "us$": "USD", "usd": "USD", "dollar": "USD", "dollars": "USD",
    "£": "GBP", "gbp": "GBP", "pound": "GBP", "pounds": "GBP", "pfund": "GBP",
    "chf": "CHF", "sfr": "CHF", "franken": "CHF", "francs": "CHF", "¥": "JPY", "jpy": "JPY",
    "yen": "JPY", "pln": "PLN", "zł": "PLN", "sek": "SEK", "nok": "NOK", "dkk": "DKK", "czk": "CZK",
    "huf": "HUF", "aud": "AUD", "cad": "CAD", "nzd": "NZD", "inr": "INR", "₹": "INR", "cny": "CNY",
    "cent": "cent", "cents": "cent", "ct": "cent",
}  # fmt: skip
SIGNS = r"(?:US\$|[€$£¥₹])"
CODES = r"(?:EUR|USD|GBP|CHF|JPY|PLN|SEK|NOK|DKK|CZK|HUF|AUD|CAD|NZD|INR|CNY)"
NAMES = r"(?:euros?|dollars?|pounds?|pfund|franken|francs|yen|zł|sfr|cents?|ct)"
BEHIND = rf"(?:{SIGNS}|(?:{CODES}|{NAMES})(?!\w))"

PERCENT = re.compile(
    rf"(?P<number>{NUMBER}|{ONE})[\s-]?(?:%|percent\b|per cent\b|prozent(?:punkte?n?)?\b)"
    rf"|(?P<attached>{NUMBER})-?prozentig\w*",
    re.IGNORECASE,
)
MONEY_BEFORE = re.compile(
    rf"(?<!\d)(?<!\d\s)(?P<currency>{SIGNS}|\b{CODES})\s?(?P<number>{DIGITS}){ROUND}(?P<multiple>{MULTIPLE})?",
    re.IGNORECASE,
)
MONEY_BEHIND = re.compile(
    rf"(?P<number>{NUMBER}|{ONE}){ROUND}(?P<multiple>{MULTIPLE})?[\s-]?(?P<currency>{BEHIND})",
    re.IGNORECASE,
)
# Unit → its normal unit, and how many of those it is. Weeks are seven days, years twelve months;
# hours and days, days and months are not exchanged: contracts differ in them.
UNITS = {
    "second": ("second", 1), "sekunde": ("second", 1), "sek": ("second", 1), "sec": ("second", 1),
    "minute": ("second", 60), "min": ("second", 60), "minüt": ("second", 60),
    "hour": ("second", 3600), "hr": ("second", 3600), "stunde": ("second", 3600),
    "std": ("second", 3600), "h": ("second", 3600), "stünd": ("second", 3600),
    "day": ("day", 1), "tag": ("day", 1), "täg": ("day", 1),
    "workday": ("workday", 1), "fortnight": ("day", 14),
    "week": ("day", 7), "woche": ("day", 7), "wöch": ("day", 7),
    "month": ("month", 1), "monat": ("month", 1), "quarter": ("month", 3), "quartal": ("month", 3),
    "year": ("month", 12), "jahr": ("month", 12), "jähr": ("month", 12),
}  # fmt: skip
DURATION = re.compile(
    rf"(?P<number>{HALVED}|{NUMBER}|{ONE})(?:"
    r"[\s-]?(?P<work>(?:business|working|work)[\s-]?days?|(?:werk|arbeits|geschäfts|bank)tage?[ns]?)"
    r"|[\s-]?(?:calendar |kalender)?(?P<unit>seconds?|secs?|sekunden?|minutes?|minuten?|mins?"
    r"|hours?|hrs?|stunden?|std|h|days?|tage?[ns]?|weeks?|wochen?|fortnights?|months?|monate?[ns]?|quarters?|quartale?n?"
    r"|years?|jahre?[ns]?)"
    r"|-?(?P<adjective>minütig|stündig|tägig|wöchig|monatig|jährig)\w{0,2})(?!\w)",
    re.IGNORECASE,
)
FEW = (
    r"(?:a few|(?:a )?couple of|several|some|ein paar|(?:einige|mehrere|wenige)[nr]?"
    r"|(?:next|coming|following)(?: few| couple of)?|(?:nächsten|kommenden|folgenden)(?: paar)?)"
)
# Who asks for a few minutes claims nothing; who does something within them does.
FEW_OF_TIME = re.compile(
    rf"(?<!\w)(?:{FEW}\s(?:(?P<work>(?:business|working)[\s-]days|(?:werk|arbeits)tagen?)"
    r"|(?P<unit>hours|days|weeks|months|years|stunden|tagen?|wochen|monaten?|jahren?))"
    rf"|(?:in|within|after|nach|binnen|innerhalb(?: von)?)\s(?:the\s|den\s)?{FEW}"
    r"\s(?P<short>seconds|minutes|sekunden|minuten))(?!\w)",
    re.IGNORECASE,
)
PLAIN = re.compile(
    rf"(?P<number>{DIGITS}){ROUND}(?P<multiple>{LONG_MULTIPLE})?(?![\w])"
    rf"|(?P<word>{WORD})(?:mal|fach\w{{0,2}}|-?fold)?(?!\w)(?!\s{RHETORICAL}\b)(?P<more>{LONG_MULTIPLE})?",
    re.IGNORECASE,
)
# How many it is, or how much of something, without a number. In normal form: what the word before
# the colon stands for.
VAGUE = {
    "hundreds": r"hundreds|hunderte[nr]?",
    "thousands": r"thousands|tausende[nr]?",
    "millions": r"millions|millionen",
    "dozens": r"dozens|dutzende[nr]?",
    "half": r"half(?! an? \w| past)|½|hälfte|halbiert\w*"
    r"|halbe[nrs]? (?:preis|betrag|summe|kosten)\w*",
    "double": r"double(?:d|s)?(?![\w-])(?! (?:check|click|room))|twice|doppelt\w*|verdoppel\w*",
    "triple": r"triple\w*|verdreifach\w*",
}
VAGUELY = re.compile(
    "|".join(rf"(?P<{name}>(?<!\w)(?:{words})(?!\w))" for name, words in VAGUE.items()),
    re.IGNORECASE,
)
# What an English share is told by: a third colleague is another one.
OF_ALL = r"(?=\s?(?:[.,;:!)]|$)| (?:of|off|less|more|cheaper|faster|lower|higher)\b)"
SHARES = {
    "two_thirds": r"two[- ]thirds|zwei drittel|⅔",
    "three_quarters": r"three[- ]quarters(?= (?:of|off|less|more))"
    r"|drei[ -]?viertel(?! (?:stunden?|jahre?))|¾",
    "third": rf"(?:a|one)[- ]third{OF_ALL}|drittel|⅓",
    "quarter": r"ein(?:e[nm])? viertel(?! (?:nach|vor|stunde|jahr))|¼",
    "fifth": rf"(?:a|one)[- ]fifth{OF_ALL}|fünftel|⅕",
    "sixth": rf"(?:a|one)[- ]sixth{OF_ALL}|sechstel|⅙",
    "eighth": rf"(?:an|one)[- ]eighth{OF_ALL}|achtel|⅛",
    "tenth": rf"(?:a|one)[- ]tenth{OF_ALL}|zehntel|⅒",
}
SHARE = re.compile(
    "|".join(
        rf"(?P<{name}>(?<!\w)(?:(?:ein(?:e[nm])? )?(?:{words}))(?!\w))"
        for name, words in SHARES.items()
    ),
    re.IGNORECASE,
)
# "10 to 15 %": the first number counts the same.
BEFORE = re.compile(
    rf"(?P<number>{NUMBER}){ROUND}\s{{0,2}}(?:-|–|—|bis|to|or|oder)\s{{0,2}}(?:zu\s)?$",
    re.IGNORECASE,
)
AFTER = re.compile(rf"\s{{0,2}}(?:-|–|—|bis|to)\s{{0,2}}(?P<number>(?<!\w){DIGITS})", re.IGNORECASE)
LOOKING_BACK = 60
LIST_MARK = re.compile(r"(?:^|\n)[ \t>]*\(?$")


def number_of(said: str) -> Decimal | None:
    """The number that digits or words say; None: they are none, such as a version "3.11.2"."""
    bare = said.strip().casefold()
    if bare in HALVES:
        return HALVES[bare]
    if bare in ZEROS:
        return Decimal(0)
    if (word := number_in_words(bare)) is not None:
        return Decimal(word)
    bare = re.sub(r"[\u00a0\u202f'’ ]", "", bare)
    signs = re.findall(r"[.,]", bare)
    if not signs:
        return Decimal(bare) if bare.isdecimal() else None
    *groups, last = re.split(r"[.,]", bare)
    if len(set(signs)) == 2 and signs.count(signs[-1]) == 1:
        whole = [*groups]
        return Decimal(f"{''.join(whole)}.{last}") if _is_grouped(whole) else None
    if len(signs) == 1 and not (len(last) == 3 and _is_grouped([*groups, last])):
        return Decimal(f"{groups[0]}.{last}")
    return Decimal("".join([*groups, last])) if _is_grouped([*groups, last]) else None


def percents(text: str) -> Iterator[Claim]:
    """Percents."""
    for match in PERCENT.finditer(text):
        number = match["number"] or match["attached"]
        yield from _counted(text, match, Kind.PERCENT, number, ("percent", 1))


def amounts(text: str) -> Iterator[Claim]:
    """Amounts of money, each with its currency."""
    seen: set[int] = set()
    for pattern in (MONEY_BEFORE, MONEY_BEHIND):
        for match in pattern.finditer(text):
            if match.start("number") not in seen:
                seen.add(match.start("number"))
                unit = CURRENCIES[match["currency"].casefold()], _multiple(match["multiple"])
                yield from _counted(text, match, Kind.AMOUNT, match["number"], unit)


def durations(text: str) -> Iterator[Claim]:
    """How long something takes or holds."""
    for match in DURATION.finditer(text):
        yield from _counted(text, match, Kind.DURATION, match["number"], _unit(match))
    for match in FEW_OF_TIME.finditer(text):
        yield claim(Kind.DURATION, match, ("few", *_unit(match)))


def plain_numbers(text: str) -> Iterator[Claim]:
    """Numbers of anything else."""
    for match in PLAIN.finditer(text):
        if _is_list_mark(text, match):
            continue
        number = number_of(match["number"] or match["word"])
        if number is None:
            yield claim(Kind.CODE, match, match.group())
        else:
            size = _multiple(match["multiple"] or match["more"])
            yield claim(Kind.NUMBER, match, number * size)


def shares(text: str) -> Iterator[Claim]:
    """Shares of something, in words."""
    for match in SHARE.finditer(text):
        yield claim(Kind.NUMBER, match, match.lastgroup)


def vague_numbers(text: str) -> Iterator[Claim]:
    """How many it is by and large."""
    for match in VAGUELY.finditer(text):
        yield claim(Kind.NUMBER, match, match.lastgroup)


def _counted(
    text: str, match: re.Match[str], kind: Kind, said: str, unit: tuple[str, int]
) -> Iterator[Claim]:
    """The claim that a match is, and the other end of its range if it is one of a range's."""
    yield _claim_of(kind, match, said, unit)
    before = max(0, match.start() - LOOKING_BACK)
    if first := BEFORE.search(text[before : match.start()]):
        start = before + first.start()
        found = _claim_of(kind, first, first["number"], unit)
        yield replace(found, start=start, end=before + first.end())
    # "€ 10 to 15": the sign stands before the first number only.
    is_before = kind is Kind.AMOUNT and match.start("number") > match.start()
    if is_before and (last := AFTER.match(text, match.end())):
        yield _claim_of(kind, last, last["number"], unit)


def _claim_of(kind: Kind, match: re.Match[str], said: str, unit: tuple[str, int]) -> Claim:
    number = number_of(said)
    name, times = unit
    return claim(kind, match, *([] if number is None else [(name, number * times)]))


def _is_grouped(groups: list[str]) -> bool:
    first, *others = groups
    starts_well = len(first) <= 3 and not (others and first.startswith("0"))
    return not others or (starts_well and all(len(group) == 3 for group in others))


def _multiple(said: str | None) -> int:
    return MULTIPLES[said.strip().rstrip(".").casefold()] if said else 1


def _unit(match: re.Match[str]) -> tuple[str, int]:
    if match["work"]:
        return UNITS["workday"]
    named = match.groupdict()
    said = (named["unit"] or named.get("short") or named["adjective"].removesuffix("ig")).casefold()
    return next(UNITS[stem] for stem in sorted(UNITS, key=len, reverse=True)
                if said.startswith(stem))  # fmt: skip


def _is_list_mark(text: str, match: re.Match[str]) -> bool:
    """Whether a number only counts the lines: "1. First", "(2) Second"."""
    behind = text[match.end() : match.end() + 2]
    begins = LIST_MARK.search(text[max(0, match.start() - 20) : match.start()])
    return bool(begins) and bool(re.match(r"[.)][ \t]?", behind)) and len(match.group()) <= 2
