"""Sentences: the smallest parts that can be cut out of a draft and leave a draft."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

# After them a full stop ends no sentence. Those with blanks inside are tried as they stand.
ABBREVIATIONS = (
    r"mr|mrs|ms|dr|prof|st|nos|vs|etc|approx|dept|inc|ltd|corp|jr|sr|e\.g|i\.e|a\.m|p\.m"
    r"|hr|fr|nr|str|tel|bzw|ca|usw|inkl|exkl|zzgl|abzgl|evtl|ggf|vgl|mind|mio|mrd|tsd|std"
    r"|dipl|z\.\s?b|d\.\s?h|u\.\s?a|i\.\s?d\.\s?r|o\.\s?ä|s\.\s?o|v\.\s?a|u\.\s?u|z\.\s?t|i\.\s?a"
    r"|jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|okt|nov|dec|dez"
)
# Short words, initials, and the day of "24. November".
GOES_ON = re.compile(rf"(?:^|[\s(„“\"])(?:(?i:{ABBREVIATIONS})|[^\W\d_]|\d{{1,2}})\.$")
END = re.compile(r"[.!?…]+[)\]\"'”“»]*(?=\s)")
# A line goes on in the next one only where it was broken to fit.
BROKEN = re.compile(r"(?<![\n.!?:;,…])\n(?=[a-zäöüß])")
LOOKING_BACK = 12
GREETING = re.compile(
    r"(?:hi|hello|hey|dear|good (?:morning|afternoon|evening|day)|hallo|liebe[rs]?|moin|servus"
    r"|grüezi|guten (?:tag|morgen|abend)|sehr geehrte[rs]?)\b[^.!?\n]{0,60}[,!.]?$",
    re.IGNORECASE,
)
CLOSING = re.compile(
    r"(?:(?:with )?(?:best|kind|kindest|warm|warmest) (?:regards|wishes)|best|regards|cheers"
    r"|sincerely|yours (?:sincerely|faithfully|truly)|many thanks|thanks|thank you|all the best"
    r"|(?:mit )?(?:freundlichen?|besten?|vielen?|lieben?|herzlichen?|schönen?)"
    r" (?:grü(?:ß|ss)en?|gru(?:ß|ss))"
    r"|(?:vielen|besten|herzlichen) dank|mfg|vg|lg|gru(?:ß|ss)|grü(?:ß|ss)e)[,.!]?$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Sentence:
    """A sentence, or a line that is one by itself.

    Attributes:
        start: where, in characters, with the blanks after it up to before `end`.
    """

    text: str
    start: int
    end: int

    @property
    def is_greeting(self) -> bool:
        """Whether it only opens or closes the letter."""
        said = self.text.strip()
        return bool(GREETING.match(said) or CLOSING.match(said)) or len(said.split()) < 2


def sentences_of(text: str, whole: Iterable[tuple[int, int]] = ()) -> list[Sentence]:
    """The sentences of a text; together they are the text.

    Args:
        whole: beginnings and ends of parts within which no sentence ends, such as "Main St. 5".
    """
    found: list[Sentence] = []
    start = 0
    within = {place for first, last in whole for place in range(first + 1, last)}
    for end in [*(end for end in _ends(text) if end not in within), len(text)]:
        behind = end + len(text[end:]) - len(text[end:].lstrip())
        if behind > start and text[start:end].strip():
            found.append(Sentence(text[start:end].strip(), start, behind))
            start = behind
    return found


def _ends(text: str) -> list[int]:
    joined = BROKEN.sub(" ", text)
    lines = {match.start() for match in re.finditer(r"\n", joined)}
    stops = {match.end() for match in END.finditer(joined) if _is_stop(joined, match)}
    return sorted(lines | stops)


def _is_stop(text: str, match: re.Match[str]) -> bool:
    """Whether a mark ends its sentence, rather than a short word, an initial or "24."."""
    before = text[max(0, match.end() - LOOKING_BACK) : match.end()]
    return match.group() != "." or not GOES_ON.search(before)
