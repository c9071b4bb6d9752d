"""What somebody changed in a draft, word by word, and which of its words stand on what. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

WORDS = re.compile(r"\s+|\w+|[^\w\s]")
# Beyond it, comparing takes longer than people wait.
MOST_WORDS = 6_000


class Change(StrEnum):
    """What became of a piece."""

    SAME, ADDED, REMOVED = "same", "added", "removed"


@dataclass(frozen=True)
class Piece:
    """A part of one text or the other."""

    text: str
    change: Change


@dataclass(frozen=True)
class Marked:
    """A part of a draft.

    Attributes:
        trust: who says it: "ours", "theirs", "nobody"; empty where nothing is claimed.
        source: the label of the fact.
    """

    text: str
    trust: str = ""
    source: str = ""


def differences(before: str, after: str) -> list[Piece]:
    """Both texts as one row of pieces: what stayed, what went, what came."""
    old, new = WORDS.findall(before), WORDS.findall(after)
    if len(old) + len(new) > MOST_WORDS:
        return [Piece(before, Change.REMOVED), Piece(after, Change.ADDED)]
    return [piece for piece in _pieces(old, new) if piece.text]


def share_changed(before: str, after: str) -> float:
    """How much of a text is otherwise now, by its words, from 0 to 1."""
    old, new = before.split(), after.split()
    if old == new:
        return 0.0
    if len(old) + len(new) > MOST_WORDS:
        return 1.0
    return round(1 - SequenceMatcher(None, old, new, autojunk=False).ratio(), 4)


def marked(text: str, claims: Iterable[Mapping[str, str]]) -> list[Marked]:
    """A draft in pieces, each claim that it still makes with its source.

    Args:
        claims: of the run's report; what was cut, or edited away, is not found.
    """
    known = {each["said"]: each for each in claims if each.get("said")}
    if not known:
        return [Marked(text)] if text else []
    # Longer ones first: “10 May 2027” before “10”.
    longest = sorted(known, key=len, reverse=True)
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(said)}(?!\w)" for said in longest))
    return list(_marks(text, pattern, known))


def _pieces(old: list[str], new: list[str]) -> Iterator[Piece]:
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            yield Piece("".join(old[i:j]), Change.SAME)
        else:
            yield Piece("".join(old[i:j]), Change.REMOVED)
            yield Piece("".join(new[k:m]), Change.ADDED)


def _marks(
    text: str, pattern: re.Pattern[str], known: Mapping[str, Mapping[str, str]]
) -> Iterator[Marked]:
    end = 0
    for match in pattern.finditer(text):
        if match.start() > end:
            yield Marked(text[end : match.start()])
        claim = known[match.group()]
        yield Marked(match.group(), claim.get("trust", ""), claim.get("source", ""))
        end = match.end()
    if end < len(text):
        yield Marked(text[end:])
