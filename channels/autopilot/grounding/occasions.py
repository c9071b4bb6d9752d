"""Deadlines without a date: feasts, the ends of months, quarters by their number."""

import re
from collections.abc import Iterator
from datetime import date

from channels.autopilot.grounding.claims import Claim, Kind, claim

# Led by a word that makes it a time: nobody promises anything who wishes a merry Christmas.
LED = r"\b(?:by|before|until|till|after|over|at|bis|vor|nach|über|zu|an|am|zum)\s(?:the\s)?"
FEASTS = {
    "christmas": r"christmas|xmas|weihnachten",
    "easter": r"easter|ostern",
    "whitsun": r"whitsun|pentecost|pfingsten",
    "new year": r"new year(?:['’]s(?: (?:eve|day))?)?|neujahr|silvester|jahreswechsel",
}
FEAST = re.compile(
    LED + rf"(?P<feast>{'|'.join(FEASTS.values())})(?!\w)",
    re.IGNORECASE,
)
UNITS = {
    "month": r"month|monats",
    "quarter": r"quarter|quartals",
    "year": r"year|jahres",
    "week": r"week|woche",
    "day": r"(?:business |working )?day|(?:arbeits)?tages",
}
UNIT = "|".join(UNITS.values())
END = re.compile(
    rf"\b(?:(?:the )?end of (?:the )?(?P<english>{UNIT})|ende de[sr] (?P<german>{UNIT})"
    r"|(?P<joined>monats|quartals|jahres)ende)(?!\w)",
    re.IGNORECASE,
)
ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4,
    "erst": 1, "zweit": 2, "dritt": 3, "viert": 4,
}  # fmt: skip
QUARTER = re.compile(
    rf"\b(?P<number>{'|'.join(ORDINALS)})(?:e[nms]?)?\s(?:quarter|quartals?)(?!\w)", re.IGNORECASE
)

NEXT_DAY = re.compile(
    r"\b(?:(?P<next>next|following|(?:nächste|folgende)[nrms]?)|(?P<later>übernächste[nrms]?)"
    r"|(?P<same>same|selben|gleichen))[\s-]"
    r"(?:(?P<work>(?:business|working|work)[\s-]?day|(?:werk|arbeits|geschäfts|bank)tag(?:es?)?)"
    r"|(?:day|tag(?:es?)?))(?!\w)",
    re.IGNORECASE,
)


def occasions(text: str, written: date | None) -> Iterator[Claim]:
    """Deadlines that no calendar is needed for.

    Args:
        written: the day on which the text was written.
    """
    for match in FEAST.finditer(text):
        yield claim(Kind.DATE, match, ("feast", _named(match["feast"], FEASTS)))
    for match in END.finditer(text):
        said = match["english"] or match["german"] or match["joined"]
        yield claim(Kind.DATE, match, ("end", _named(said, UNITS)))
    for match in NEXT_DAY.finditer(text):
        which = next(name for name in ("next", "later", "same") if match[name])
        yield claim(Kind.DATE, match, (which, "workday" if match["work"] else "day"))
    for match in QUARTER.finditer(text):
        number = ORDINALS[match["number"].casefold()]
        yield claim(Kind.DATE, match, *([("quarter", written.year, number)] if written else []))


def _named(said: str, names: dict[str, str]) -> str:
    return next(name for name, words in names.items() if re.fullmatch(words, said, re.IGNORECASE))
