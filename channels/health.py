"""How an account is, in words: what goes wrong now, what went wrong last, or that it works."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels.models import Account
from events.breakers import refused


@dataclass(frozen=True)
class Health:
    """How an account is.

    Attributes:
        tone: good, warn, bad, or nothing.
        reason: why, in the vendor's words; empty where there is nothing to say.
    """

    label: str | Promise
    tone: str = ""
    reason: str = ""

    @property
    def needs_attention(self) -> bool:
        """Whether somebody should look."""
        return self.tone in ("warn", "bad")


def health_of(accounts: Sequence[Account]) -> dict[UUID, Health]:
    """How each of these accounts is, in one query."""
    keys = {circuit_key(account.pk): account.pk for account in accounts}
    resting = {keys[key] for key in refused(keys)}
    return {account.pk: _health(account, account.pk in resting) for account in accounts}


def circuit_key(account_id: UUID | None) -> str:
    """Under which an account's circuit is kept."""
    return f"account:{account_id}"


def _health(account: Account, is_resting: bool) -> Health:
    if not account.is_active:
        return Health(_("Not in use"))
    if account.stopped_at:
        return Health(_("Stopped"), "bad", account.stopped_reason)
    if is_resting:
        return Health(_("Left alone for a while after many errors"), "bad", account.last_error)
    if _has_failed_last(account):
        return Health(_("The last try failed"), "warn", account.last_error)
    if account.last_sent_at or account.last_received_at:
        return Health(_("Works"), "good")
    return Health(_("Not used yet"))


def _has_failed_last(account: Account) -> bool:
    if account.last_error_at is None:
        return False
    worked = [at for at in (account.last_sent_at, account.last_received_at) if at]
    return not worked or account.last_error_at > max(worked)
