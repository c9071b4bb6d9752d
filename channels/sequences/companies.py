"""Who are colleagues: people whose addresses belong to one company's domain."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from events.rows import fetch_rows
from leads.capturing.words import (
    FREE_MAIL_DOMAINS,
    FREE_MAIL_PROVIDERS,
    PUBLIC_SECOND_LEVELS,
)
from leads.models import ContactPoint
from salesflow.accounts.context import current_tenant

# By the index message_came_in.
WRITTEN = """
    SELECT lead_id, max(stored_at) FROM channels_message
    WHERE tenant_id = %(tenant)s AND stored_at > %(since)s
      AND direction = 'inbound' AND automatic = ''
    GROUP BY lead_id
"""


class Word(NamedTuple):
    """That somebody has written to us, and when it was stored here."""

    lead_id: UUID
    at: datetime


def words_of_companies(since: datetime) -> dict[str, list[Word]]:
    """Who of each company has written to the current tenant since then, and when last."""
    written = fetch_rows(WRITTEN, {"tenant": current_tenant().id, "since": since})
    emails: dict[UUID, list[str]] = defaultdict(list)
    rows = ContactPoint.objects.filter(lead__in=[lead for lead, _at in written], kind="email")
    for lead_id, email in rows.values_list("lead_id", "value"):
        emails[lead_id].append(email)
    found: dict[str, list[Word]] = defaultdict(list)
    for lead_id, at in written:
        if key := company_key(emails[lead_id]):
            found[key].append(Word(lead_id, at))
    return found


def company_key(emails: Iterable[str]) -> str:
    """The same for colleagues; empty where anybody may have such an address.

    Args:
        emails: in normal form; the first one of a company counts.
    """
    domains = (email.rpartition("@")[2] for email in emails)
    return next((domain for domain in map(_registered, domains) if domain), "")


def _registered(domain: str) -> str:
    """The domain that a company has registered: mail.engines.co.uk is engines.co.uk."""
    labels = domain.split(".")
    second = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in PUBLIC_SECOND_LEVELS
    own = labels[-3:] if second else labels[-2:]
    name = ".".join(own)
    is_free = name in FREE_MAIL_DOMAINS or own[0] in FREE_MAIL_PROVIDERS
    return "" if is_free or len(labels) < 2 else name
