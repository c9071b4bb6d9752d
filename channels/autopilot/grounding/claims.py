"""Claims: the parts of a text that are true or false by themselves, wherever they stand."""

import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is claimed."""

    URL = "url"
    EMAIL = "email"
    IBAN = "iban"
    PHONE = "phone"
    STREET = "street"
    DATE = "date"
    TIME = "time"
    AMOUNT = "amount"
    PERCENT = "percent"
    DURATION = "duration"
    NUMBER = "number"
    CODE = "code"
    NAME = "name"
    PROMISE = "promise"


@dataclass(frozen=True)
class Claim:
    """A claim as it stands in a text.

    Attributes:
        start: where, in characters; `end` is the place after it.
        values: in normal form. Several: it can be read in several ways; none: it means nothing
            that could be compared.
        implied: what is true as well if the claim is: a day lies in a month.
    """

    kind: Kind
    said: str
    start: int
    end: int
    values: frozenset[Hashable]
    implied: frozenset[Hashable] = frozenset()

    def follows_from(self, fact: "Claim") -> bool:
        """Whether a fact says this. What a fact leaves open must be left open."""
        if self.kind != fact.kind or not self.values:
            return False
        if self.values == fact.values:
            return True
        return len(fact.values) == 1 and self.values <= fact.implied


def claim(
    kind: Kind, match: re.Match[str], *values: Hashable, implied: frozenset[Hashable] = frozenset()
) -> Claim:
    """The claim that a match is."""
    return Claim(kind, match.group(), match.start(), match.end(), frozenset(values), implied)


def apart(found: Iterable[Claim]) -> Iterator[Claim]:
    """The claims without those that lie upon an earlier one."""
    taken: list[Claim] = []
    for each in found:
        if all(each.end <= other.start or other.end <= each.start for other in taken):
            taken.append(each)
            yield each


# No letter, no digit and no blank: what stands around a claim does not grow together.
TAKEN = "\x1f"


class Rest:
    """A text of which the claims found so far are blanked out, each place where it was."""

    def __init__(self, text: str) -> None:
        self.text = text

    def take(self, found: Iterator[Claim]) -> list[Claim]:
        """Blank the claims out; returns them."""
        claims = list(found)
        for each in claims:
            hidden = TAKEN * (each.end - each.start)
            self.text = self.text[: each.start] + hidden + self.text[each.end :]
        return claims
