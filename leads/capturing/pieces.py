"""Parts of a text that know where they stand in it."""

from __future__ import annotations

import re
from dataclasses import dataclass

# What is longer is no company's name and no job, in characters.
LONGEST = 120


@dataclass(frozen=True)
class Piece:
    """A part of the text.

    Attributes:
        start: its place in the whole text, in characters.
    """

    text: str
    start: int

    @property
    def end(self) -> int:
        """Where it ends in the whole text."""
        return self.start + len(self.text)

    def part(self, start: int, end: int | None = None) -> Piece:
        """The characters from `start` to before `end`, counted within the piece."""
        return Piece(self.text[start:end], self.start + start)

    def strip(self, also: str = "") -> Piece:
        """The piece without blanks and the characters `also` around it."""
        skipped = {*also}
        start, end = 0, len(self.text)
        while start < end and (self.text[start].isspace() or self.text[start] in skipped):
            start += 1
        while end > start and (self.text[end - 1].isspace() or self.text[end - 1] in skipped):
            end -= 1
        return self.part(start, end)

    def split(self, separator: re.Pattern[str]) -> list[Piece]:
        """What stands between the matches of `separator`, stripped, without what is empty."""
        edges = [0, *(edge for match in separator.finditer(self.text) for edge in match.span())]
        edges.append(len(self.text))
        parts = (self.part(*edges[at : at + 2]).strip() for at in range(0, len(edges), 2))
        return [part for part in parts if part.text]


@dataclass(frozen=True)
class Finding:
    """A fact about the lead.

    Attributes:
        field: name, company, title, email, phone, value or currency.
        value: in normal form.
        rule: what found it; docs/capture.md lists them.
        start: where in the text the words stand that say so, in characters.
        end: the place after the last of them.
    """

    field: str
    value: str
    rule: str
    start: int
    end: int


def find(field: str, piece: Piece, rule: str, value: str | None = None) -> Finding:
    """A finding; its value is the piece with one blank between words, unless another is given."""
    said = " ".join(piece.text.split()) if value is None else value
    return Finding(field, said, rule, piece.start, piece.end)


def lines_of(text: str) -> list[Piece]:
    """The lines of a text, the empty ones too, stripped."""
    lines, start = [], 0
    for line in text.splitlines(keepends=True):
        lines.append(Piece(line, start).strip())
        start += len(line)
    return lines


def blank_out(text: str, start: int, end: int) -> str:
    """The text with blanks from `start` to `end`: everything else stays where it was."""
    hidden = "".join(mark if mark in "\r\n" else " " for mark in text[start:end])
    return text[:start] + hidden + text[end:]
