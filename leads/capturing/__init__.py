"""Zero-input capture: text in, lead out, by rules alone (docs/capture.md)."""

from dataclasses import dataclass
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from leads import services
from leads.capturing.extracting import Own, extract
from leads.capturing.pieces import Finding
from leads.contact_points import Kind, readable
from leads.models import ContactPoint, Lead
from salesflow.accounts.context import current_tenant
from salesflow.accounts.models import Membership, User

LONGEST_TEXT = 20_000
LONGEST_NOTE = 10_000
FOUND_FIELDS = ["name", "company", "title", "email", "phone", "value", "currency"]
USABLE = {"name", "company", "email", "phone"}


@dataclass(frozen=True)
class Capture:
    """What came of a text.

    Attributes:
        lead: the one that has the text now; of a dry run, the one that would get it, if it exists.
        created: whether the text made it; of a dry run, whether it would.
        found: what the text says.
    """

    lead: Lead | None
    created: bool
    dry_run: bool
    found: list[Finding]


def capture_lead(
    text: str, *, source: str = "capture", author: User | None = None, dry_run: bool = False
) -> Capture:
    """Make a lead of the current tenant from a text, or note the text on the lead that it is from.

    A lead that has one of the text's addresses or numbers gets the text as a note and stays as it
    is. Nothing is guessed: every value stands in the text, or follows from it by a rule that
    `Finding.rule` names and docs/capture.md describes.

    Args:
        text: a mail, a web form, a signature, a card, up to 20,000 characters.
        source: of a new lead.
        author: of the note.
        dry_run: write nothing.

    Raises:
        ValidationError: under "text" when it is too long or has no name, company, e-mail address
            or phone number; under "source" when that is wrong.
    """
    found = find_lead_data(text)
    lead = _lead_of(found)
    if dry_run:
        return Capture(lead, created=lead is None, dry_run=True, found=found)
    with transaction.atomic():
        created = lead is None
        if lead is None:
            lead, created = _create_or_find(found, source)
        _note(lead, text, author)
    return Capture(lead, created=created, dry_run=False, found=found)


def find_lead_data(text: str) -> list[Finding]:
    """What the text says about a lead, with the current tenant's own people left out.

    Raises:
        ValidationError: under "text" when it is too long, or nothing in it is usable.
    """
    if len(text) > LONGEST_TEXT:
        raise ValidationError({"text": _("A text holds up to 20,000 characters.")})
    if "\x00" in text:
        raise ValidationError({"text": _("Null characters are not allowed.")})
    tenant = current_tenant()
    found = extract(text, language=tenant.language, own=_own(tenant.name))
    if not USABLE.intersection(finding.field for finding in found):
        raise ValidationError(
            {"text": _("No name, company, e-mail address or phone number was found in the text.")}
        )
    return found


def _own(company: str) -> Own:
    members = list(Membership.objects.values_list("user__email", "user__name"))
    names = {company.lower(), *(name.lower() for _email, name in members if name)}
    return Own(frozenset(email.lower() for email, _name in members), frozenset(names))


def _lead_of(found: list[Finding]) -> Lead | None:
    """The lead that has one of the addresses or numbers; if several have, that of the first."""
    ranks = {(f.field, f.value): rank for rank, f in enumerate(found) if f.field in set(Kind)}
    if not ranks:
        return None
    wanted = Q(*(Q(kind=kind, value=value) for kind, value in ranks), _connector=Q.OR)
    points = ContactPoint.objects.filter(wanted).select_related("lead")
    first = min(points, key=lambda point: ranks[point.kind, point.value], default=None)
    return first.lead if first else None


def _create_or_find(found: list[Finding], source: str) -> tuple[Lead, bool]:
    """A new lead and True, or the one that another request made meanwhile and False."""
    try:
        with transaction.atomic():
            return services.create_lead(**_fields(found, source)), True
    except ValidationError:
        lead = _lead_of(found)
        if lead is None:
            raise
        return lead, False


def _fields(found: list[Finding], source: str) -> services.LeadFields:
    """The findings as create_lead takes them; who only has a number is called by it."""
    said = {finding.field: finding.value for finding in found}
    emails = [finding.value for finding in found if finding.field == Kind.EMAIL]
    phones = [finding.value for finding in found if finding.field == Kind.PHONE]
    fields: services.LeadFields = {"emails": emails, "phones": phones, "source": source}
    fields["name"] = said.get("name", "")
    fields["company"] = said.get("company", "")
    fields["title"] = said.get("title", "")
    if not (fields["name"] or fields["company"] or emails):
        fields["name"] = readable(phones[0])
    if "value" in said:
        fields["value"] = Decimal(said["value"])
        fields["currency"] = said["currency"]
    return fields


def _note(lead: Lead, text: str, author: User | None) -> None:
    """The text as a note; as several when one cannot hold it."""
    for start in range(0, len(text), LONGEST_NOTE):
        if part := text[start : start + LONGEST_NOTE].strip():
            services.add_note(lead, part, author=author)
