"""How an account is, in words: what goes wrong now, what went wrong last, or that it works."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from channels.models import Account
from channels.transports.mail.progress import Progress
from events.breakers import refused

# A mailbox that cannot be read for longer hears nothing: five polls have failed by then.
DEAF_AFTER = timedelta(minutes=15)


@dataclass(frozen=True)
class Health:
    """How an account is.

    Attributes:
        tone: good, warn, bad, or nothing.
        reason: why, in the vendor's words; empty where there is nothing to say.
        deafness: why no program writes through it, whoever else may; see `hears`.
    """

    label: str | Promise
    tone: str = ""
    reason: str = ""
    deafness: str = ""

    @property
    def needs_attention(self) -> bool:
        """Whether somebody should look."""
        return self.tone in ("warn", "bad")


def health_of(accounts: Sequence[Account]) -> dict[UUID, Health]:
    """How each of these accounts is, in one query."""
    keys = {circuit_key(account.pk): account.pk for account in accounts}
    resting = {keys[key] for key in refused(keys)}
    found = {account.pk: _health(account, account.pk in resting) for account in accounts}
    deaf = {account.pk: hears(account) for account in accounts if account.is_active}
    return {pk: replace(health, deafness=deaf.get(pk, "")) for pk, health in found.items()}


def hears(account: Account) -> str:
    """Why answers to what an account sends do not reach us now, in words; empty: they do.

    Nobody shall be written to by a program that cannot hear them answer. A person may.
    """
    if not account.is_active:
        return gettext("The account is not in use.")
    if not is_listening(account):
        if account.settings.get("answers_elsewhere"):
            return ""
        return gettext("Answers do not come in: the account has no incoming server.")
    since = Progress.of(account).failing_since
    if not since:
        return ""
    failing_since = datetime.fromisoformat(since)
    if timezone.now() - failing_since < DEAF_AFTER:
        return ""
    when = date_format(timezone.localtime(failing_since), "SHORT_DATETIME_FORMAT")
    told = {"when": when, "reason": account.last_error or gettext("unknown")}
    return gettext("Answers cannot be read since %(when)s: %(reason)s") % told


def is_listening(account: Account) -> bool:
    """Whether answers are meant to come in through an account itself: a mailbox may only send."""
    return account.transport != "mail" or bool(account.settings.get("imap_host"))


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
