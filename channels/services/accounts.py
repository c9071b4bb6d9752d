"""Connecting, choosing and stopping the accounts of a tenant."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import pydantic
import structlog
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pydantic import SecretStr

from channels.models import Account, Channel
from channels.payloads import AccountStopped
from channels.transports import (
    AccountRefused,
    AccountSettings,
    Transport,
    transport_named,
    transports_for,
)
from events import publish
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant

log = structlog.get_logger(__name__)

# The transport that every tenant begins with: it shows how things work and delivers to nobody.
SANDBOX = "sandbox"
# Seconds between two notes of "sent just now": the row is everybody's who sends through it.
NOTED_EVERY = 10.0


@transaction.atomic
def connect_account(
    *,
    channel: str,
    transport: str,
    name: str,
    address: str = "",
    settings: AccountSettings | None = None,
    is_default: bool = True,
) -> Account:
    """Add an account; the sandbox gives way to it.

    Args:
        settings: of the transport's own class; those of the type `SecretStr` are encrypted.
        is_default: let new conversations on the channel begin here.

    Raises:
        ValidationError: by `channel`, `transport` or `name`.
    """
    carrier = _carrier_of(channel, transport)
    if not name.strip():
        raise ValidationError({"name": _("Give the account a name.")})
    plain, secret = split_settings(settings or carrier.settings())
    account = Account(
        channel=channel,
        transport=carrier.name,
        name=name.strip(),
        address=address,
        settings=plain,
        secrets=secret,
    )
    account.save()
    if transport != SANDBOX:
        sandboxes = Account.objects.filter(channel=channel, transport=SANDBOX)
        sandboxes.update(is_active=False, is_default=False)
    if is_default or default_account(channel) is None:
        make_default(account)
    return account


@transaction.atomic
def make_default(account: Account) -> None:
    """Let new conversations on its channel begin with this account."""
    others = Account.objects.filter(channel=account.channel, is_default=True)
    others.exclude(pk=account.pk).update(is_default=False)
    account.is_default = True
    account.save(update_fields=["is_default"])


def default_account(channel: str) -> Account | None:
    """Through which a new conversation on the channel goes; None: none is connected."""
    account: Account | None = Account.objects.filter(channel=channel, is_default=True).first()
    return account


def create_accounts_of_new_tenant(
    instance: Tenant, *, created: bool, raw: bool = False, **_signal: Any
) -> None:
    """Receiver of Tenant's post_save: what is tried before anything is connected goes nowhere."""
    if created and not raw:
        with tenant_context(instance):
            for channel in Channel:
                first = transports_for(channel)[0]
                connect_account(channel=channel, transport=first.name, name=str(first.label))


@transaction.atomic
def stop_account(account_id: UUID, reason: str | Promise) -> None:
    """Send nothing more through an account, and tell that; what is queued waits."""
    account: Account = Account.objects.select_for_update().get(pk=account_id)
    if account.stopped_at is not None:
        return
    Account.objects.filter(pk=account_id).update(stopped_at=Now(), stopped_reason=str(reason))
    publish(AccountStopped(account_id=account_id, channel=account.channel, reason=str(reason)))
    log.warning("account_stopped", account=str(account_id), reason=str(reason))


def resume_account(account: Account) -> None:
    """Send again through an account that was stopped."""
    Account.objects.filter(pk=account.pk).update(stopped_at=None, stopped_reason="")


def note_sent(account_id: UUID) -> None:
    """Remember that the account works."""
    due = Q(last_sent_at=None) | Q(last_sent_at__lt=Now() - timedelta(seconds=NOTED_EVERY))
    Account.objects.filter(due, pk=account_id).update(last_sent_at=Now())


def note_received(account_id: UUID) -> None:
    """Remember that the account receives."""
    due = Q(last_received_at=None) | Q(last_received_at__lt=Now() - timedelta(seconds=NOTED_EVERY))
    Account.objects.filter(due, pk=account_id).update(last_received_at=Now())


def note_error(account_id: UUID, reason: str | Promise) -> None:
    """Remember what went wrong last, in words."""
    Account.objects.filter(pk=account_id).update(last_error=str(reason), last_error_at=Now())


def settings_of(account: Account) -> AccountSettings:
    """What the account's transport has to know of it, secrets included.

    Raises:
        AccountRefused: it lacks something that the transport has to know by now.
    """
    kind = transport_named(account.transport).settings
    try:
        return kind.model_validate({**account.settings, **account.secrets})
    except pydantic.ValidationError as error:
        names = ", ".join(str(problem["loc"][0]) for problem in error.errors() if problem["loc"])
        reason = gettext_lazy("The account's settings have to be looked at: {names}.")
        raise AccountRefused(format_lazy(reason, names=names)) from None


def split_settings(settings: AccountSettings) -> tuple[dict[str, Any], dict[str, str]]:
    """What may be read by anybody in the team, and what is encrypted."""
    plain: dict[str, Any] = {}
    secret: dict[str, str] = {}
    for name, value in _values_of(settings).items():
        if isinstance(getattr(settings, name), SecretStr):
            secret[name] = value
        else:
            plain[name] = value
    return plain, secret


def _values_of(settings: AccountSettings) -> Mapping[str, Any]:
    told = settings.model_dump(mode="json")
    given = {name: getattr(settings, name) for name in told}
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else told[name]
        for name, value in given.items()
    }


def _carrier_of(channel: str, transport: str) -> Transport:
    if channel not in Channel.values:
        raise ValidationError({"channel": _("There is no such channel.")})
    found = [each for each in transports_for(channel) if each.name == transport]
    if not found:
        raise ValidationError({"transport": _("There is no such transport for this channel.")})
    return found[0]
