"""Finds companies by their legal form, or by the domain of an address."""

import re
from collections.abc import Iterator

from leads.capturing.pieces import LONGEST, Finding, Piece, find
from leads.capturing.words import (
    FREE_MAIL_DOMAINS,
    FREE_MAIL_PROVIDERS,
    LEGAL_FORM,
    NO_COMPANY,
    PUBLIC_SECOND_LEVELS,
)

WORD = r"(?:(?:Gesellschaft|Institut|Büro|Zentrum|Agentur) für|[^\W_a-zß][\w&.'’+-]*)"
NAMED = re.compile(
    rf"(?<![\w.&@-]){WORD}(?: (?:(?:&|\+|und|and|of) )?{WORD}){{0,4}},? {LEGAL_FORM}(?![\w-])"
)
FORM = re.compile(rf",? {LEGAL_FORM}$")
LONGEST_ALL_CAPITALS = 3


def without_form(company: str) -> str:
    """A company's name without its legal form, in lower case."""
    return FORM.sub("", company).lower()


def companies_by_form(text: Piece) -> Iterator[Finding]:
    """Every name in front of a legal form, without the words that only lead to it."""
    flat = re.sub(r"[^\S\r\n]", " ", text.text)
    for match in NAMED.finditer(flat):
        piece = _without_lead(text.part(*match.span()))
        if (
            len(piece.text) <= LONGEST
            and FORM.sub("", piece.text).strip(" ,")
            and FORM.search(piece.text)
        ):
            yield find("company", piece, "legal_form")


def _without_lead(piece: Piece) -> Piece:
    words = list(re.finditer(r"\S+", piece.text))
    for number in range(len(words) - 1, -1, -1):
        if words[number].group().strip(".:").lower() in NO_COMPANY:
            is_inside = number and words[number].group() in ("and", "und")
            if not is_inside:
                return piece.part(words[number].end()).strip()
    return piece


def company_of_address(email: Finding, text: str) -> Finding | None:
    """The company whose domain an address has: its label in words, unless anybody may have it."""
    domain = email.value.rpartition("@")[2]
    labels = domain.split(".")
    second = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in PUBLIC_SECOND_LEVELS
    label = labels[-3 if second else -2]
    if domain in FREE_MAIL_DOMAINS or label in FREE_MAIL_PROVIDERS:
        return None
    words = [word for word in label.split("-") if word]
    short = len(label) <= LONGEST_ALL_CAPITALS
    value = label.upper() if short else " ".join(word.capitalize() for word in words)
    start = text.lower().rfind(label, email.start, email.end)
    if start < 0:
        return None
    return Finding("company", value, "mail_domain", start, start + len(label))
