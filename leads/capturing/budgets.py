"""Finds what a deal is worth: an amount with its currency beside a word such as budget."""

import re
from collections.abc import Iterator
from decimal import Decimal

from leads.capturing.pieces import Finding, Piece, find, lines_of
from leads.capturing.words import BUDGET, CURRENCIES, TIMES
from leads.importing.amounts import LARGEST

NUMBER = (
    r"(?:[0-9]{1,3}(?:[.,'’ \u00a0\u202f][0-9]{3}){1,4}|[0-9]{1,12})(?:[.,][0-9]{1,2})?(?:,-{1,2})?"
)
TIMES_WORD = rf"(?:{'|'.join(sorted(TIMES, key=len, reverse=True))})\b\.?"
CURRENCY = r"(?:(?:us\$|[€$£])|\b(?:eur|euros?|usd|dollars?|gbp|pounds|chf)\b)"
AMOUNT = re.compile(
    rf"(?P<before>{CURRENCY})?\s?(?<![\w.,])(?P<number>{NUMBER})(?![0-9])\s?(?P<times>{TIMES_WORD})?"
    rf"(?:\s?(?:-|–|bis|to)\s?{CURRENCY}?\s?{NUMBER}\s?(?P<times_of_end>{TIMES_WORD})?)?"
    rf"(?:\s?(?P<after>{CURRENCY}))?",
    re.IGNORECASE,
)
# How far an amount may stand behind a word such as budget, and before one, in characters.
BEHIND, BEFORE = 60, 30


def find_budget(text: str) -> Iterator[Finding]:
    """Amounts beside a word for a budget in their line."""
    for line in lines_of(text):
        for word in BUDGET.finditer(line.text):
            first = max(0, word.start() - BEFORE)
            near = line.part(first, word.end() + BEHIND)
            yield from read_amount(near, "budget", at=word.start() - first)


def read_amount(piece: Piece, rule: str, *, at: int = 0) -> Iterator[Finding]:
    """Value and currency of the piece's first amount with a currency.

    Args:
        at: amounts behind this place in the line come first.
    """
    amounts = [match for match in AMOUNT.finditer(piece.text) if match["before"] or match["after"]]
    amounts.sort(key=lambda match: match.start() < at)
    for match in amounts[:1]:
        value = _value(match["number"], match["times"] or match["times_of_end"] or "")
        sign = "before" if match["before"] else "after"
        if 0 < value <= LARGEST:
            amount = piece.part(match.start("number"), match.end("times"))
            amount = amount if match["times"] else piece.part(*match.span("number"))
            yield find("value", amount.strip("."), rule, str(value))
            currency = CURRENCIES[match[sign].lower()]
            yield find("currency", piece.part(*match.span(sign)), rule, currency)


def _value(number: str, times: str) -> Decimal:
    """A number as people write it: a mark before three digits groups, another is the decimal's."""
    plain = re.sub(r",-{1,2}$", "", number)
    if not plain.startswith("0"):
        plain = re.sub(r"[.,'’\s](?=[0-9]{3}(?![0-9]))", "", plain)
    factor = TIMES.get(times.lower().rstrip("."), 1)
    return (Decimal(plain.replace(",", ".")) * factor).quantize(Decimal("0.01"))
