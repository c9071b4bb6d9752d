"""Finds the e-mail addresses and phone numbers of a text."""

import re
from collections.abc import Iterator, Set

import phonenumbers
from django.core.exceptions import ValidationError

from leads.capturing.pieces import Finding, Piece, find
from leads.capturing.words import MACHINES
from leads.contact_points import normalise_email, normalise_phone, region_of

AT = r"(?:@| ?[(\[](?:at|ät)[)\]] ?)"
EMAIL = re.compile(
    rf"(?<![\w.+&-])(?<!\w')\w[\w.+'&-]{{0,63}}{AT}[\w-]{{1,63}}(?:\.[\w-]{{1,63}}){{1,8}}"
)
FAX = re.compile(r"\b(?:tele)?fax(?: ?(?:no|nr|number|nummer)\b)?\W{0,4}$|\bF[:.]?\s*$", re.I)
DIALLED = re.compile(
    r"\b(?:tel|telefon\w*|telephone|phone|mobile?|mobil\w*|handy\w*|cell|call|ruf\w*|durchwahl"
    r"|number|nummer|T|M|P)\b\W*(?:\w+\W+){0,4}$",
    re.IGNORECASE,
)
# Numbers behind these words are for books and registers.
REGISTERED = re.compile(
    r"(?:\b(?:hr[ab]|iban|bic|vat|ust|steuer\w*|tax|ein|order|invoice|ticket|case|reference|ref"
    r"|customer|account|auftrag\w*|bestell\w*|rechnung\w*|kunden\w*|angebot\w*|vorgang\w*"
    r"|artikel\w*|serien\w*|konto\w*|id)\b[^\n:;,]{0,25}:?\s*|#\s?|[€$£]\s?)$",
    re.IGNORECASE,
)


def find_emails(text: str) -> Iterator[Finding]:
    """Every e-mail address that a person reads, each once, in order."""
    seen: set[str] = set()
    for match in EMAIL.finditer(text):
        try:
            value = normalise_email(re.sub(AT, "@", match.group(), count=1))
        except ValidationError:
            continue
        if value not in seen and not MACHINES.fullmatch(value.partition("@")[0]):
            seen.add(value)
            yield find("email", Piece(match.group(), match.start()), "address", value)


def find_phones(text: str, *, language: str) -> Iterator[Finding]:
    """Every phone number, each once, in order; no fax and no number of a register.

    Args:
        language: the tenant's, which tells the country of numbers without a country code.
    """
    seen: set[str] = set()
    for match in phonenumbers.PhoneNumberMatcher(text, region_of(language)):
        piece = Piece(match.raw_string, match.start)
        before = text[max(0, match.start - 60) : match.start].rpartition("\n")[2]
        if (
            FAX.search(before)
            or REGISTERED.search(before)
            or not _is_written_to_dial(piece, before)
        ):
            continue
        try:
            value = normalise_phone(match.raw_string, language=language)
        except ValidationError:
            continue
        if value not in seen:
            seen.add(value)
            yield find("phone", piece, "number", value)


def _is_written_to_dial(piece: Piece, before: str) -> bool:
    """Whether it has a prefix or separators, or the words before it say that it is a number."""
    bare = piece.text.isdigit() and not piece.text.startswith("0")
    return not bare or bool(DIALLED.search(before))


def without(findings: Iterator[Finding], own: Set[str]) -> list[Finding]:
    """The findings whose value is not one of `own`."""
    return [finding for finding in findings if finding.value not in own]
