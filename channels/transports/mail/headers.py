"""The head of a mail, read as tolerantly as mail programs do."""

import re
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message as Part
from email.utils import getaddresses, parsedate_to_datetime
from quopri import decodestring

from django.core.exceptions import ValidationError

from channels.transports.mail.charsets import decode, storable
from leads.contact_points import normalise_email

WORD = re.compile(r"=\?([^?\s]{1,60})\?([bqBQ])\?([^?]*)\?=")
FOLD = re.compile(r"\r?\n(?=[ \t])|[\r\n]+")
NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
ANGLED = re.compile(r"<([^<>]{1,320})>")
ADDRESS = re.compile(r"[^\s<>\"(),:;@\[\]]{1,64}@[^\s<>\"(),:;@\[\]]{1,255}")
LONGEST, MOST_OF_A_NAME = 10_000, 100
MOST_ADDRESSES = 100
# Nobody wrote mails before; such a date is a broken clock.
OLDEST = datetime(1990, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Person:
    """A mailbox: the address in normal form where it has one, else in lower case."""

    address: str
    name: str = ""


class Headers:
    """The headers of one part of a mail, by name in any case."""

    def __init__(self, part: Part) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in part.raw_items():
            values = self._values.setdefault(name.lower(), [])
            if len(values) < MOST_OF_A_NAME:
                values.append(str(value)[:LONGEST])

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._values

    def raw(self, name: str) -> str:
        """The first header of that name on one line, not decoded; empty: there is none."""
        return next(iter(self.all_raw(name)), "")

    def all_raw(self, name: str) -> list[str]:
        """All headers of that name, the topmost first."""
        return [FOLD.sub("", value).strip() for value in self._values.get(name.lower(), [])]

    def token(self, name: str) -> str:
        """What stands before the first semicolon or bracket, in lower case."""
        return re.split(r"[;(]", self.raw(name), maxsplit=1)[0].strip().lower()

    def text(self, name: str) -> str:
        """The first header of that name, as people read it."""
        return " ".join(decode_words(self.raw(name)).split())

    def people(self, *names: str) -> list[Person]:
        """The mailboxes in all headers of these names, each once."""
        values = [value for name in names for value in self.all_raw(name)]
        found: dict[str, Person] = {}
        for name, address in _addresses(values[:MOST_ADDRESSES]):
            if "@" in address and len(found) < MOST_ADDRESSES:
                person = Person(normal_address(address), _name(name))
                found.setdefault(person.address, person)
        return list(found.values())

    def writer(self) -> Person | None:
        """Who the mail is from; None: it does not say."""
        for name in ("From", "Sender", "Reply-To", "Return-Path"):
            if person := _first_person(self.raw(name)):
                return person
        return None

    def date(self) -> datetime | None:
        """When our server got it; else when it says it was written; None: nobody knows.

        The topmost `Received` was added last, by the server that has the mailbox.
        """
        stamps = [value.rpartition(";")[2] for value in self.all_raw("Received")[:1]]
        dates = (_date(stamp) for stamp in [*stamps, self.raw("Date")])
        return next((date for date in dates if date), None)


def decode_words(raw: str) -> str:
    """A header's text: encoded words (RFC 2047) decoded, raw bytes read as what they may be."""
    pieces: list[tuple[str, str | bytes]] = []
    end = 0
    for match in WORD.finditer(raw):
        between = raw[end : match.start()]
        charset = match[1].partition("*")[0].lower()
        data = _word_bytes(match[2], match[3])
        # A letter may be parted over two words: they are one, if nothing is between them.
        before = pieces[-1] if pieces and not between.strip() else ("", "")
        if before[0] == charset and isinstance(before[1], bytes):
            data = before[1] + data
            pieces.pop()
        elif between.strip() or not pieces:
            pieces.append(("", between))
        pieces.append((charset, data))
        end = match.end()
    pieces.append(("", raw[end:]))
    return "".join(
        decode(piece, charset) if isinstance(piece, bytes) else _plain(piece)
        for charset, piece in pieces
    )


def normal_address(address: str) -> str:
    """The address as leads have it; one that is none in lower case."""
    plain = _plain(address).strip().strip("'\"")
    try:
        return normalise_email(plain)
    except ValidationError:
        return plain.lower()[:254]


def addresses_in(text: str) -> list[str]:
    """All that looks like an e-mail address in a text, in normal form."""
    return [normal_address(found) for found in ADDRESS.findall(text)]


def _addresses(values: Sequence[str]) -> list[tuple[str, str]]:
    """Names and addresses; of what Python's parser stumbles over what looks like addresses."""
    try:
        return getaddresses(values)
    except (RecursionError, LookupError, ValueError):
        return [("", address) for value in values for address in ADDRESS.findall(value)]


def _first_person(raw: str) -> Person | None:
    if match := ANGLED.search(raw):
        address, name = match[1], raw[: match.start()]
    else:
        found = [(name, a) for name, a in _addresses([raw]) if "@" in a]
        name, address = found[0] if found else ("", "")
    if "@" not in address:
        guessed = ADDRESS.search(raw)
        name, address = "", guessed[0] if guessed else ""
    return Person(normal_address(address), _name(name)) if address else None


def _name(raw: str) -> str:
    name = decode_words(raw).strip().strip("\"'").replace('\\"', '"')
    return " ".join(name.split())[:200]


def _word_bytes(kind: str, payload: str) -> bytes:
    data = payload.encode("ascii", "ignore")
    if kind in "qQ":
        return decodestring(data, header=True)
    known = NOT_BASE64.sub(b"", data)
    # One letter more than whole groups of four says nothing.
    whole = known[:-1] if len(known) % 4 == 1 else known
    return b64decode(whole + b"=" * (-len(whole) % 4))


def _plain(raw: str) -> str:
    """Text that may hold raw bytes, which the parser has put into surrogates."""
    if raw.isascii():
        return storable(raw)
    return decode(raw.encode("utf-8", "surrogateescape"))


def _date(raw: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(raw.strip())
        # "-0000" says that nobody knows the zone.
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        return date.astimezone(UTC) if date >= OLDEST else None
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
