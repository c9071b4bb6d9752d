"""Connecting, choosing and stopping the accounts of a tenant."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import pydantic
import structlog
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q
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
from events.audit import record
from salesflow.accounts.context import tenant_context
from salesflow.accounts.encryption import Undecipherable
from salesflow.accounts.models import Tenant, User

log = structlog.get_logger(__name__)

# The transport that every tenant begins with: it shows how things work and delivers to nobody.
SANDBOX = "sandbox"
# What `edit_account` writes.
EDITED = ("name", "address", "settings", "secrets", "state")
# Seconds between two notes of "sent just now": the row is everybody's who sends through it.
NOTED_EVERY = 10.0
# Seconds between two notes of what anybody may cause.
STRANGERS_EVERY = 60.0


@transaction.atomic
def connect_account(
    *,
    channel: str,
    transport: str,
    name: str,
    address: str = "",
    settings: AccountSettings | None = None,
    is_default: bool = True,
    actor: User | None = None,
) -> Account:
    """Add an account; the sandbox gives way to it.

    Args:
        settings: of the transport's own class; those of the type `SecretStr` are encrypted.
        is_default: let new conversations on the channel begin here.
        actor: who did it, for the audit.

    Raises:
        ValidationError: by `channel`, `transport`, `name` or `address`.
    """
    carrier = _carrier_of(channel, transport)
    _lock_accounts(channel)
    _refuse_wrong_names(channel, name, address)
    plain, secret = split_settings(settings or carrier.settings())
    given = {"channel": channel, "transport": carrier.name, "address": address}
    account = Account(name=name.strip(), settings=plain, secrets=secret, **given)
    account.save()
    if transport != SANDBOX:
        sandboxes = Account.objects.filter(channel=channel, transport=SANDBOX)
        sandboxes.update(is_active=False, is_default=False)
    if is_default or default_account(channel) is None:
        make_default(account)
    _note_deed("account.connected", account, actor, _told(account, plain, secret))
    return account


@transaction.atomic
def edit_account(
    account: Account,
    *,
    name: str,
    address: str,
    settings: AccountSettings,
    actor: User | None = None,
) -> Account:
    """Change what is known of an account; one that was stopped is used again.

    Args:
        settings: all of them, secrets included; see `settings_of`.
        actor: who did it, for the audit.

    Raises:
        ValidationError: by `name` or `address`.
    """
    row = _locked(account)
    _refuse_wrong_names(row.channel, name, address, but=row)
    plain, secret = split_settings(settings)
    known = readable_secrets(row)
    changed = [key for key in plain if row.settings.get(key) != plain[key]]
    secrets = [key for key in secret if known.get(key) != secret[key]]
    secrets += [key for key in known if key not in secret]
    row.name, row.address, row.settings, row.secrets = name.strip(), address, plain, secret
    row.state = transport_named(row.transport).remembered(row.state, {*changed, *secrets})
    row.stopped_at, row.stopped_reason = None, ""
    row.save(update_fields=[*EDITED, "stopped_at", "stopped_reason"])
    _note_deed("account.edited", row, actor, {"settings": changed, "secrets": secrets})
    return row


@transaction.atomic
def make_default(account: Account, *, actor: User | None = None) -> None:
    """Let new conversations on its channel begin with this account.

    Raises:
        ValidationError: it is not active.
    """
    row = _locked(account)
    if not row.is_active:
        raise ValidationError(_("Activate the account first."))
    others = Account.objects.filter(channel=row.channel, is_default=True)
    others.exclude(pk=row.pk).update(is_default=False)
    Account.objects.filter(pk=row.pk).update(is_default=True)
    account.is_default = True
    _note_deed("account.made_default", account, actor)


@transaction.atomic
def deactivate_account(account: Account, *, actor: User | None = None) -> Account | None:
    """Send and receive nothing more through an account; what it carried stays.

    Returns:
        With which account new conversations on the channel begin now; None: there is none.
    """
    row = _locked(account)
    row.is_active, row.is_default = False, False
    row.save(update_fields=["is_active", "is_default"])
    _note_deed("account.deactivated", row, actor)
    known = default_account(row.channel)
    others = Account.objects.filter(channel=row.channel, is_active=True)
    heir: Account | None = known or others.order_by("created_at", "id").first()
    if heir and not heir.is_default:
        make_default(heir)
    return heir


@transaction.atomic
def activate_account(account: Account, *, actor: User | None = None) -> None:
    """Use an account again; the only one of its channel is where conversations begin.

    Raises:
        ValidationError: under "address": another active account has it by now.
    """
    row = _locked(account)
    _refuse_wrong_names(row.channel, row.name, row.address, but=row)
    row.is_active = True
    row.save(update_fields=["is_active"])
    if default_account(row.channel) is None:
        make_default(row)
    _note_deed("account.activated", row, actor)


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


@transaction.atomic
def resume_account(account: Account, *, actor: User | None = None) -> None:
    """Send again through an account that was stopped."""
    Account.objects.filter(pk=account.pk).update(stopped_at=None, stopped_reason="")
    _note_deed("account.resumed", account, actor)


def note_well(account_id: UUID) -> None:
    """Note that somebody has seen the account work: what went wrong is over."""
    Account.objects.filter(pk=account_id).update(
        stopped_at=None, stopped_reason="", last_error="", last_error_at=None
    )


def note_sent(account_id: UUID) -> None:
    """Remember that the account works."""
    _note_moment("last_sent_at", account_id)


def note_received(account_id: UUID) -> None:
    """Remember that the account receives."""
    _note_moment("last_received_at", account_id)


def note_error(account_id: UUID, reason: str | Promise) -> None:
    """Remember what went wrong last, in words."""
    Account.objects.filter(pk=account_id).update(last_error=str(reason), last_error_at=Now())


def note_error_now_and_then(account_id: UUID, reason: str | Promise) -> None:
    """As `note_error`, but not once for each of a flood of calls by strangers."""
    due = Q(last_error_at=None) | Q(last_error_at__lt=Now() - timedelta(seconds=STRANGERS_EVERY))
    rows = Account.objects.filter(due, pk=account_id)
    rows.update(last_error=str(reason), last_error_at=Now())


def settings_of(account: Account) -> AccountSettings:
    """What the account's transport has to know of it, secrets included.

    Raises:
        AccountRefused: it lacks something that the transport has to know by now.
    """
    kind = transport_named(account.transport).settings
    try:
        return kind.model_validate({**account.settings, **account.secrets})
    except Undecipherable:
        raise AccountRefused(
            gettext_lazy("The account's secrets cannot be read with the present key: enter them.")
        ) from None
    except pydantic.ValidationError as error:
        names = ", ".join(str(problem["loc"][0]) for problem in error.errors() if problem["loc"])
        reason = gettext_lazy("The account's settings have to be looked at: {names}.")
        raise AccountRefused(format_lazy(reason, names=names)) from None


def split_settings(settings: AccountSettings) -> tuple[dict[str, Any], dict[str, str]]:
    """What may be read by anybody in the team, and what is encrypted."""
    plain: dict[str, Any] = {}
    secret: dict[str, str] = {}
    for name, value in _values_of(settings).items():
        if not isinstance(getattr(settings, name), SecretStr):
            plain[name] = value
        elif value:
            secret[name] = value
    return plain, secret


def _values_of(settings: AccountSettings) -> Mapping[str, Any]:
    told = settings.model_dump(mode="json")
    given = {name: getattr(settings, name) for name in told}
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else told[name]
        for name, value in given.items()
    }


def _note_moment(field: str, account_id: UUID) -> None:
    """Note it now and then, and at once where an error was noted since."""
    old = Q(**{f"{field}__lt": Now() - timedelta(seconds=NOTED_EVERY)})
    due = Q(**{field: None}) | old | Q(last_error_at__gt=F(field))
    Account.objects.filter(due, pk=account_id).update(**{field: Now()})


def _locked(account: Account) -> Account:
    """The account as it is in the database; it and its channel's others are locked until the
    transaction ends: which of them is the default one, and whose an address is, concerns them all.
    """
    rows = _lock_accounts(account.channel)
    return rows[account.pk]


def _lock_accounts(channel: str) -> dict[UUID, Account]:
    """The channel's accounts, locked; there is always one: none is ever deleted."""
    # Messages may refer to them meanwhile.
    rows = Account.objects.select_for_update(no_key=True).filter(channel=channel).order_by("pk")
    return {row.pk: row for row in rows}


def readable_secrets(account: Account) -> dict[str, Any]:
    """The secrets of an account; none where they are under a lost key."""
    try:
        return dict(account.secrets)
    except Undecipherable:
        return {}


def _refuse_wrong_names(
    channel: str, name: str, address: str, *, but: Account | None = None
) -> None:
    if not name.strip():
        raise ValidationError({"name": _("Give the account a name.")})
    others = Account.objects.filter(channel=channel, address__iexact=address, is_active=True)
    if address and others.exclude(pk=but.pk if but else None).exists():
        raise ValidationError({"address": _("Another account has this address.")})


def _note_deed(
    action: str, account: Account, actor: User | None, details: Mapping[str, Any] | None = None
) -> None:
    """Write into the audit what a person did; never what a secret is."""
    if actor:
        told = {"channel": account.channel, "name": account.name, **(details or {})}
        record(action, account, actor=actor, tenant=account.tenant, details=told)


def _told(account: Account, plain: Mapping[str, Any], secret: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "transport": account.transport,
        "address": account.address,
        "settings": list(plain),
        "secrets": list(secret),
    }


def _carrier_of(channel: str, transport: str) -> Transport:
    if channel not in Channel.values:
        raise ValidationError({"channel": _("There is no such channel.")})
    found = [each for each in transports_for(channel) if each.name == transport]
    if not found:
        raise ValidationError({"transport": _("There is no such transport for this channel.")})
    return found[0]
