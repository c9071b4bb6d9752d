"""Who are colleagues: people whose addresses belong to one company's domain."""

from collections.abc import Iterable

from leads.capturing.words import (
    FREE_MAIL_DOMAINS,
    FREE_MAIL_PROVIDERS,
    PUBLIC_SECOND_LEVELS,
)


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
