"""Tells which part of a pasted mail is the lead's own words, by headers and quotes."""

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass, field

from leads.capturing.pieces import Piece, blank_out, lines_of

HEADER = re.compile(
    r"[*_]{0,2}(?P<name>from|von|reply-to|antwort an|to|an|cc|bcc|kopie|date|datum|sent|gesendet"
    r"|subject|betreff)[*_]{0,2} ?:[*_]{0,2}(?P<value>.*)",
    re.IGNORECASE,
)
SENDERS = {"from", "von"}
ANSWER_TO = {"reply-to", "antwort an"}
SUBJECTS = {"subject", "betreff"}
# What stands above a mail that is passed on, or answered.
MARKER = re.compile(
    r"[-_*\s]*(?:begin )?(?:forwarded message|original message|weitergeleitete nachricht"
    r"|anfang der weitergeleiteten nachricht|ursprüngliche nachricht)[-:_*\s]*",
    re.IGNORECASE,
)
ATTRIBUTION = re.compile(r"[^\w]*(?:on|am) .{5,300}\b(?:wrote|schrieb\b.{0,200}):", re.IGNORECASE)
ADDRESS = re.compile(r"[^\s<>()\[\]:;,\"]{1,64}@[^\s<>()\[\]:;,\"]{3,255}")


@dataclass
class Header:
    """The lines above a mail.

    Attributes:
        first: the index of its first line.
        last: the index of its last line.
        senders: the values of From and, before it, Reply-To.
        hidden: the lines that speak of others than the sender.
    """

    first: int
    last: int
    senders: list[Piece] = field(default_factory=list)
    hidden: list[Piece] = field(default_factory=list)
    lines: list[Piece] = field(default_factory=list)

    def is_from(self, addresses: Set[str]) -> bool:
        """Whether all addresses that it names as the sender's are among `addresses`."""
        named = [a.group().lower() for s in self.senders for a in ADDRESS.finditer(s.text)]
        return bool(named) and addresses >= set(named)


@dataclass(frozen=True)
class Mail:
    """What to read.

    Attributes:
        text: the whole text with blanks where it is not the lead who speaks, or is spoken of.
        header: of the mail, if the text has one.
    """

    text: str
    header: Header | None


def read_mail(text: str, own_addresses: Set[str]) -> Mail:
    """Leave out quotes, what stands above a forwarded mail, recipients and dates.

    Args:
        own_addresses: of colleagues, in lower case; a mail of theirs is never the lead's.
    """
    lines = lines_of(text)
    headers = list(_headers(lines))
    chosen = next((h for h in headers if not h.is_from(own_addresses)), None)
    first = _first_line(lines, headers, chosen)
    last = _first_quoted(lines, headers, first, chosen)
    shown = blank_out(text, 0, lines[first].start) if first else text
    if last < len(lines):
        shown = blank_out(shown, lines[last].start, len(text))
    quoted = [line for line in lines if line.text.startswith((">", "|>"))]
    for line in [*quoted, *(line for header in headers for line in header.hidden)]:
        shown = blank_out(shown, line.start, line.end)
    return Mail(shown, chosen)


def _headers(lines: list[Piece]) -> Iterator[Header]:
    """Every run of header lines that names a sender with an address, or a sender and more."""
    at = 0
    while at < len(lines):
        end = at
        while end < len(lines) and HEADER.fullmatch(lines[end].text):
            end += 1
        if end > at:
            header = _header(lines, at, end)
            if header.senders and (end - at > 1 or ADDRESS.search(lines[at].text)):
                yield header
        at = max(end, at + 1)


def _header(lines: list[Piece], first: int, end: int) -> Header:
    header = Header(first, end - 1, lines=lines[first:end])
    for line in header.lines:
        match = HEADER.fullmatch(line.text)
        name = match["name"].lower() if match else ""
        value = line.part(match.start("value")).strip() if match else line
        if name in ANSWER_TO:
            header.senders.insert(0, value)
        elif name in SENDERS:
            header.senders.append(value)
        elif name not in SUBJECTS:
            header.hidden.append(line)
    return header


def _first_line(lines: list[Piece], headers: list[Header], chosen: Header | None) -> int:
    """The chosen header's line if what stands above it was written by who passed it on, else 0."""
    if chosen is None:
        return 0
    above = next((line.text for line in reversed(lines[: chosen.first]) if line.text), "")
    passed_on = chosen is not headers[0] or MARKER.fullmatch(above)
    return chosen.first if passed_on else 0


def _first_quoted(
    lines: list[Piece], headers: list[Header], first: int, chosen: Header | None
) -> int:
    """The line from which on everything is quoted; the number of lines if nothing is."""
    inside = chosen.last if chosen else -1
    ends = [h.first for h in headers if h.first > inside]
    for number in range(max(first, inside + 1), len(lines)):
        line = lines[number].text
        two = f"{line} {lines[number + 1].text}" if number + 1 < len(lines) else line
        if MARKER.fullmatch(line) and chosen and number < chosen.first:
            continue
        if MARKER.fullmatch(line) or ATTRIBUTION.fullmatch(line) or ATTRIBUTION.fullmatch(two):
            ends.append(number)
            break
    # Above a quote stands the mail itself; with nothing above, it is no quote.
    with_words = (end for end in sorted(ends) if any(line.text for line in lines[first:end]))
    return next(with_words, len(lines))
