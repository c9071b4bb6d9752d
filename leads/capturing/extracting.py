"""Finds in a text what makes a lead. Pure: it asks neither the database nor any service."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from leads.capturing.budgets import find_budget
from leads.capturing.companies import companies_by_form, company_of_address, without_form
from leads.capturing.contacts import find_emails, find_phones, without
from leads.capturing.labels import find_labelled
from leads.capturing.mails import Header, read_mail
from leads.capturing.people import (
    find_name,
    introduced,
    name_of_address,
    read_signature,
    signatures,
)
from leads.capturing.pieces import Finding, Piece, blank_out
from leads.capturing.words import DESKS

# Of a kind; a text with more is a list and no lead's.
MOST_CONTACTS = 10
ONCE = ("name", "company", "title")


@dataclass(frozen=True)
class Own:
    """Who reads the text: nothing of theirs is the lead's.

    Attributes:
        emails: the members' addresses, in lower case.
        names: of the members and of their company, in lower case.
    """

    emails: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()


def extract(text: str, *, language: str, own: Own | None = None) -> list[Finding]:
    """What a text says about a lead: at most one name, company, job title and value.

    Sources are asked in this order, and the first that knows a field wins: a mail's header,
    labelled lines, an introduction or signature, a company's legal form, the domain of an address,
    its local part. docs/capture.md has the rules in full.

    Args:
        language: the tenant's, which tells the country of numbers without a country code.
        own: the reader's own people.

    Returns:
        The findings by field; addresses and numbers in the order of the text, the sender's first.
    """
    own = own or Own()
    mail = read_mail(text, own.emails)
    shown = _without_own_signatures(mail.text, own)
    emails = without(find_emails(shown), own.emails)[:MOST_CONTACTS]
    emails = _sender_first(emails, mail.header)
    body = _without(shown, emails)
    phones = list(islice(find_phones(body, language=language), MOST_CONTACTS))
    candidates = [
        *_of_header(mail.header, own),
        *find_labelled(shown),
        *introduced(shown),
        *_of_signatures(shown, [*emails, *phones]),
        *companies_by_form(Piece(body, 0)),
        *_of_addresses(emails, text),
        *find_budget(shown),
    ]
    chosen = _first_of_each(_without_misread(candidates, own))
    return [*chosen, *emails, *phones, *_deal(candidates)]


def _without_own_signatures(text: str, own: Own) -> str:
    """The text without the blocks in which a colleague's address stands."""
    addresses = [found for found in find_emails(text) if found.value in own.emails]
    for lines, _is_sure in signatures(text, addresses) if addresses else ():
        if any(line.start <= a.start < line.end for a in addresses for line in lines):
            text = blank_out(text, lines[0].start, lines[-1].end)
    return text


def _without(text: str, findings: list[Finding]) -> str:
    """The text without the words of the findings, in which other things could be seen."""
    for found in findings:
        text = blank_out(text, found.start, found.end)
    return text


def _sender_first(emails: list[Finding], header: Header | None) -> list[Finding]:
    """The addresses, those in the header's From and Reply-To before all others."""
    senders = header.senders if header else []
    ranks = {
        email: rank
        for rank, sender in reversed([*enumerate(senders)])
        for email in emails
        if sender.start <= email.start < sender.end
    }
    return sorted(emails, key=lambda email: ranks.get(email, len(senders)))


def _of_header(header: Header | None, own: Own) -> Iterator[Finding]:
    """The sender's name, as it stands in front of the address."""
    for sender in header.senders if header else []:
        end = min((at for at in map(sender.text.find, "<[(|") if at >= 0), default=None)
        shown = sender.part(0, end)
        shown = shown.part(0, at) if (at := shown.text.find(" via ")) > 0 else shown
        is_desk = DESKS.intersection(shown.text.lower().split())
        if not is_desk and (found := find_name(shown, "mail_header")):
            yield found


def _of_signatures(text: str, contacts: list[Finding]) -> Iterator[Finding]:
    """Name, job title and company by its form; of those with a closing first."""
    blocks = [block for block in signatures(text, contacts) if block[0]]
    for lines, is_sure in sorted(blocks, key=lambda block: not block[1]):
        yield from read_signature(lines, is_sure=is_sure)
        for line in lines:
            yield from companies_by_form(line)


def _of_addresses(emails: list[Finding], text: str) -> Iterator[Finding]:
    for email in emails:
        for found in (company_of_address(email, text), name_of_address(email)):
            if found:
                yield found


def _without_misread(candidates: list[Finding], own: Own) -> Iterator[Finding]:
    """The candidates that are nobody of our own, and no names that are an address's domain."""
    domains = {_compact(found.value) for found in candidates if found.rule == "mail_domain"}
    for found in candidates:
        is_domain = found.field == "name" and _compact(found.value) in domains
        if not is_domain and not _is_own(found, own):
            yield found


def _is_own(found: Finding, own: Own) -> bool:
    value = found.value.lower()
    return value in own.names or (
        found.field == "company" and without_form(found.value) in own.names
    )


def _compact(words: str) -> str:
    return "".join(words.lower().split())


def _first_of_each(candidates: Iterable[Finding]) -> list[Finding]:
    first: dict[str, Finding] = {}
    for found in candidates:
        first.setdefault(found.field, found)
    return [first[field] for field in ONCE if field in first]


def _deal(candidates: list[Finding]) -> list[Finding]:
    """The first value with the currency that stands beside it."""
    for at, found in enumerate(candidates):
        if found.field == "value":
            return candidates[at : at + 2]
    return []
