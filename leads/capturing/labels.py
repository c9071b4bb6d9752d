"""Reads what is labelled: "Firma: Engines GmbH", "Phone - 030 901820", a label above its value."""

import re
from collections.abc import Iterator

from leads.capturing.budgets import read_amount
from leads.capturing.contacts import EMAIL
from leads.capturing.people import find_name
from leads.capturing.pieces import LONGEST, Finding, Piece, find, lines_of
from leads.capturing.words import FIELD_OF_LABEL, NOTHING_SAID

WORDS = "|".join(re.escape(label) for label in sorted(FIELD_OF_LABEL, key=len, reverse=True))
# A line begins with a label, or has it behind a comma, a semicolon or a bar. A dash separates
# label and value only where the line begins; a label that is the whole line has its value below.
LABEL = re.compile(
    rf"(?:(?P<first>^[\s>*•|_-]*)|[,;|]\s*)(?P<label>{WORDS})\.?(?: ?\*| ?\(required\))?[*_]{{0,2}}"
    r"(?P<mark>\s*[:=|]|\s*\t|\s+[-–—]\s|\s*$)[*_]{0,2}\s*",
    re.IGNORECASE,
)
REST = re.compile(r"\s{0,9}(?:[|;<(]|,\s|\s[–—-]\s).*")
HONORIFIC_TITLE = re.compile(r"(?:mr|mrs|ms|miss|dr|prof|herr|frau)\.?", re.IGNORECASE)


def find_labelled(text: str) -> Iterator[Finding]:
    """What labelled values say, in order; first and last name together are one finding."""
    names: dict[str, Piece] = {}
    for field, value in _labelled(text):
        if field in ("first_name", "last_name"):
            names.setdefault(field, value)
        elif field == "name":
            if found := _name(value):
                yield found
        elif field == "value":
            yield from read_amount(value, "label")
        elif field in ("company", "title") and (piece := _words(value, field)):
            yield find(field, piece, "label")
    yield from _joined(names)


def _labelled(text: str) -> Iterator[tuple[str, Piece]]:
    """Field and value of every label that has a value, in its line or the next."""
    lines = lines_of(text)
    for number, line in enumerate(lines):
        marks = [m for m in LABEL.finditer(line.text) if _separates(m)]
        for at, match in enumerate(marks):
            end = marks[at + 1].start() if at + 1 < len(marks) else None
            value = line.part(match.end(), end).strip("|*_,;")
            below = lines[number + 1] if number + 1 < len(lines) else value
            if not value.text and not LABEL.match(below.text):
                value = below
            if value.text and value.text.lower() not in NOTHING_SAID:
                yield FIELD_OF_LABEL[match["label"].lower()], value


def _separates(match: re.Match[str]) -> bool:
    """A dash within a sentence is none: "the budget, email - or call"."""
    return match["first"] is not None or match["mark"].strip() in (":", "=")


def _name(value: Piece) -> Finding | None:
    if address := EMAIL.search(value.text):
        value = value.part(0, address.start()).strip(" <([,;|-")
    whole = find_name(value, "label")
    rest = REST.search(value.text)
    return whole or (find_name(value.part(0, rest.start()), "label") if rest else None)


def _words(value: Piece, field: str) -> Piece | None:
    """The value without what follows a bar, unless it is no company or job."""
    piece = (
        value.part(0, cut.start()) if (cut := re.search(r"\s{0,9}[|;\t]", value.text)) else value
    )
    piece = piece.strip("\"'*_<>,")
    honorific = field == "title" and HONORIFIC_TITLE.fullmatch(piece.text)
    sentence = len(piece.text) > LONGEST or "@" in piece.text or "://" in piece.text
    wordless = not re.search(r"[^\W\d_]|\d", piece.text)
    return None if honorific or sentence or wordless else piece


def _joined(names: dict[str, Piece]) -> Iterator[Finding]:
    """First and last name as one, which stands from the earlier to the end of the later."""
    parts = [
        names[field].strip("\"'*_,") for field in ("first_name", "last_name") if field in names
    ]
    if parts and all(re.search(r"[^\W\d_]", p.text) and len(p.text) <= 80 for p in parts):
        value = " ".join(" ".join(part.text.split()) for part in parts)
        start, end = min(p.start for p in parts), max(p.end for p in parts)
        yield Finding("name", value, "label", start, end)
