"""What a lead gave of themselves, found again in what we wrote to them.

A message does not tell what was put into it: one of a sequence, a canned reply and a letter that a
colleague typed look the same once they are sent. So what the lead's fields hold is looked for in
the text. Taking too much only leaves a decision to a person; taking too little would make what
somebody typed into a form a word of ours.
"""

import re
from collections.abc import Iterable
from datetime import date

from channels.autopilot.grounding import Kind, claims_of
from channels.templating import one_line
from channels.variables import values_for
from leads.models import Lead

# Stands where something was taken out: neither a letter nor a blank, and no end of a sentence.
BLANK = "█"
# Nothing in it ends a sentence, or begins another one.
PLAIN_NAME = re.compile(r"[^\W\d_]{1,40}(?:[ '’-][^\W\d_]{1,40}){0,4}")
# Characters up to which a value may stand in our words by chance, as “n/a” does in “Wien/Aspern”.
SHORT = 12
# What templates can say that no lead has given.
OURS = "team"


def is_bare_name(text: str, today: date) -> bool:
    """Whether a field holds a name at most: an amount or a link in it is nothing that we say."""
    return all(each.kind is Kind.NAME for each in claims_of(text, today))


def given_by(lead: Lead, today: date) -> list[str]:
    """What templates can put in for a lead, but for plain names: those may be said by anybody."""
    values = values_for(lead)
    values.pop(OURS, None)
    lines = dict.fromkeys(map(one_line, values.values()))
    told = (line for line in lines if any(map(str.isalnum, line)))
    return [line for line in told if not _is_plain_name(line, today)]


def without(text: str, values: Iterable[str]) -> str:
    """The text with a sign in the place of each of the values."""
    taken = {place for value in values for place in _places(value, text)}
    kept = (BLANK if place in taken else sign for place, sign in enumerate(text))
    return re.sub(f"{BLANK}+", BLANK, "".join(kept)) if taken else text


def _is_plain_name(value: str, today: date) -> bool:
    """Whether it may stay: neither “90 % off” nor “Ninety Percent Off”."""
    return bool(PLAIN_NAME.fullmatch(value)) and is_bare_name(value, today)


def _places(value: str, text: str) -> Iterable[int]:
    """Where a value stands; two that lie upon each other are both found."""
    for match in re.finditer(_pattern(value), text, re.IGNORECASE):
        yield from range(match.start(), match.end())


def _pattern(value: str) -> str:
    """The value, however its lines are broken; a short one is no part of a word or a number."""
    found = r"\s+".join(map(re.escape, value.split()))
    if not any(map(str.isalpha, value)):
        return rf"(?<!\d)(?<!\d[.,]){found}(?!\d)(?![.,]\d)"
    return rf"(?<![^\W_]){found}(?![^\W_])" if len(value) <= SHORT else found
