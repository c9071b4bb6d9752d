"""What is known of whether a lead may be written to: address by address, and how that is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels.models import AddressStanding, Channel, ConsentRecord, LawfulBasis
from channels.queries import addresses_of, hidden_addresses_of
from leads.contact_points import readable
from leads.models import Lead

# How a decision became known → in words.
SOURCES: dict[str, str | Promise] = {
    "keyword": _("by a word such as STOP"),
    "unsubscribe_link": _("by the link in a mail"),
    "whatsapp_preference": _("in WhatsApp's settings"),
    "complaint": _("by reporting a mail as spam"),
    "vendor": _("as the vendor told"),
    "manual": _("recorded by a colleague"),
    "import": _("by an import"),
    "api": _("by another system"),
}


@dataclass(frozen=True)
class KnownAddress:
    """An address of a lead, and whether it may be written to.

    Attributes:
        standing: None where nothing is known of it.
    """

    channel: Channel
    address: str
    standing: AddressStanding | None

    @property
    def shown(self) -> str:
        """The address as people read it."""
        return readable(self.address)

    @property
    def is_opted_out(self) -> bool:
        """Whether they do not want to be written to here."""
        return bool(self.standing and self.standing.opted_out_at)

    @property
    def has_bounced(self) -> bool:
        """Whether what is sent there comes back."""
        return bool(self.standing and self.standing.bounced_at)

    @property
    def basis(self) -> str | Promise:
        """Why they may be written to; empty where nobody has said so."""
        known = self.standing.basis if self.standing and not self.is_opted_out else ""
        return LawfulBasis(known).label if known else ""


def known_addresses(lead: Lead) -> list[KnownAddress]:
    """The lead's addresses on all channels, in a constant number of queries."""
    pairs = addresses_with_channels(lead)
    rows = {(row.channel, row.address): row for row in standings(pairs)}
    return [
        KnownAddress(channel, address, rows.get((channel, address))) for channel, address in pairs
    ]


def addresses_with_channels(lead: Lead) -> list[tuple[Channel, str]]:
    """The lead's addresses; where a vendor hides them, the ids by which it knows the lead."""
    return [
        (channel, address)
        for channel in Channel
        for address in addresses_of(lead, channel) or hidden_addresses_of(lead, channel)
    ]


def standings(pairs: Sequence[tuple[str, str]]) -> QuerySet[AddressStanding]:
    """What is known of these addresses."""
    rows: QuerySet[AddressStanding] = AddressStanding.objects.filter(_any_of(pairs))
    return rows


def consent_records(lead: Lead) -> QuerySet[ConsentRecord]:
    """All that was recorded of a lead, and of the addresses that they have now, the last first."""
    whose = Q(lead=lead) | _any_of(addresses_with_channels(lead))
    rows: QuerySet[ConsentRecord] = ConsentRecord.objects.filter(whose)
    return rows.select_related("actor").order_by("-id")


def source_in_words(source: str) -> str | Promise:
    """How a decision became known."""
    return SOURCES.get(source, source)


def proof_in_words(record: ConsentRecord) -> list[tuple[str, str]]:
    """What shows a decision, as pairs of what it is and what it says."""
    proof: dict[str, Any] = record.proof
    return [(str(PROOFS.get(name, name)), str(value)) for name, value in proof.items() if value]


PROOFS: dict[str, str | Promise] = {
    "words": _("Words"),
    "said": _("The vendor said"),
    "message": _("Message"),
    "user_agent": _("Browser"),
    "one_click": _("One click"),
    "moved_from": _("Told under"),
}


def _any_of(pairs: Sequence[tuple[str, str]]) -> Q:
    found = Q(pk=None)
    for channel, address in pairs:
        found |= Q(channel=channel, address=address)
    return found
