"""Connecting endpoints of models, choosing between them, taking them out of use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from pydantic import SecretStr

from channels.autopilot.endpoints import (
    KEY,
    Settings,
    endpoint_for,
    has_key,
    keep_endpoint,
    stored_prices,
)
from channels.autopilot.models import Endpoint
from channels.autopilot.prices import Prices
from channels.autopilot.wire import AddressRefused, check_address
from events.audit import record
from salesflow.accounts.context import current_tenant
from salesflow.accounts.models import Tenant, User


@dataclass(frozen=True)
class Entered:
    """What is to be known of an endpoint, as somebody enters it.

    Attributes:
        key: None keeps the one that is stored; empty: it needs none.
        prices: None: as the vendor publishes them.
    """

    name: str
    base_url: str
    model: str
    key: SecretStr | None = None
    settings: Settings = field(default_factory=Settings)
    prices: Prices | None = None


@transaction.atomic
def connect_endpoint(
    given: Entered, *, is_default: bool = True, actor: User | None = None
) -> Endpoint:
    """Add an endpoint.

    Args:
        is_default: the team asks this one from now on; the first one it does in any case.
        actor: who did it, for the audit.

    Raises:
        ValidationError: by `name`, `base_url`, `model` or `key`.
    """
    _lock_endpoints()
    _refuse(given)
    endpoint = Endpoint(secrets=_secrets(given.key), **_plain(given))
    endpoint.save()
    if is_default or not Endpoint.objects.filter(is_default=True).exists():
        make_default(endpoint)
    _note_deed("endpoint.connected", endpoint, actor, {"address": given.base_url})
    return endpoint


@transaction.atomic
def edit_endpoint(endpoint: Endpoint, given: Entered, *, actor: User | None = None) -> Endpoint:
    """Change what is known of an endpoint; one that was stopped is asked again.

    Of the installation's only settings and prices can be changed.

    Raises:
        ValidationError: by `name`, `base_url`, `model` or `key`.
    """
    row = _locked(endpoint)
    if row.is_of_installation:
        given = Entered("", "", "", None, given.settings, given.prices)
    _refuse(given, but=row)
    changed = [name for name, value in _plain(given).items() if getattr(row, name) != value]
    for name, value in _plain(given).items():
        setattr(row, name, value)
    if given.key is not None:
        row.secrets = _secrets(given.key)
        changed.append(KEY)
    if {"base_url", "model"} & set(changed):
        row.takes = {}
    row.stopped_at, row.stopped_reason = None, ""
    row.save()
    _note_deed("endpoint.edited", row, actor, {"changed": changed})
    return row


@transaction.atomic
def make_default(endpoint: Endpoint, *, actor: User | None = None) -> None:
    """Let the team ask this one.

    Raises:
        ValidationError: it is out of use, or the installation's: that is asked where there is no
            other.
    """
    row = _locked(endpoint)
    if not row.is_active:
        raise ValidationError(_("Take the endpoint into use first."))
    if row.is_of_installation:
        raise ValidationError(_("The installation's is asked where the team has none of its own."))
    Endpoint.objects.filter(is_default=True).exclude(pk=row.pk).update(is_default=False)
    Endpoint.objects.filter(pk=row.pk).update(is_default=True)
    endpoint.is_default = True
    _note_deed("endpoint.made_default", row, actor)


@transaction.atomic
def deactivate_endpoint(endpoint: Endpoint, *, actor: User | None = None) -> Endpoint | None:
    """Ask an endpoint nothing more.

    Returns:
        Which one the team asks now; None: there is none.
    """
    row = _locked(endpoint)
    row.is_active, row.is_default = False, False
    row.save(update_fields=["is_active", "is_default"])
    _note_deed("endpoint.deactivated", row, actor)
    if not Endpoint.objects.filter(is_default=True).exists():
        others = Endpoint.objects.filter(is_active=True).exclude(base_url="")
        if heir := others.order_by("created_at", "id").first():
            make_default(heir)
    return endpoint_for(row.tenant)


@transaction.atomic
def activate_endpoint(endpoint: Endpoint, *, actor: User | None = None) -> None:
    """Take an endpoint into use again; the only one of a team is the one that it asks."""
    row = _locked(endpoint)
    row.is_active = True
    row.save(update_fields=["is_active"])
    if not row.is_of_installation and not Endpoint.objects.filter(is_default=True).exists():
        make_default(row)
    _note_deed("endpoint.activated", row, actor)


@transaction.atomic
def resume_endpoint(endpoint: Endpoint, *, actor: User | None = None) -> None:
    """Ask an endpoint again that was stopped."""
    Endpoint.objects.filter(pk=endpoint.pk).update(stopped_at=None, stopped_reason="")
    _note_deed("endpoint.resumed", endpoint, actor)


# --- Rules ----------------------------------------------------------------------------------------


def _plain(given: Entered) -> dict[str, Any]:
    return {
        "name": given.name.strip(),
        "base_url": given.base_url.strip().rstrip("/"),
        "model": given.model.strip(),
        "settings": given.settings.model_dump(mode="json"),
        "prices": stored_prices(given.prices),
    }


def _secrets(key: SecretStr | None) -> Mapping[str, str]:
    return {KEY: key.get_secret_value()} if key and key.get_secret_value() else {}


def _refuse(given: Entered, but: Endpoint | None = None) -> None:
    if but and but.is_of_installation:
        return
    name = given.name.strip()
    if not name:
        raise ValidationError({"name": _("Give the endpoint a name.")})
    others = Endpoint.objects.exclude(pk=but.pk if but else None)
    if others.filter(name__iexact=name).exists():
        raise ValidationError({"name": _("Another endpoint has this name.")})
    if not given.model.strip():
        raise ValidationError({"model": _("Say which model is to be asked.")})
    _refuse_address(given.base_url.strip())
    _refuse_key(given, but)


def _refuse_address(base_url: str) -> None:
    if base_url.rstrip("/").endswith("/chat/completions"):
        raise ValidationError({"base_url": _("Leave out “/chat/completions”.")})
    try:
        check_address(base_url, allows_private=settings.AI_PRIVATE_ADDRESSES)
    except AddressRefused as refused:
        raise ValidationError({"base_url": refused.reason}) from None


def _refuse_key(given: Entered, but: Endpoint | None) -> None:
    key = given.key.get_secret_value() if given.key else ""
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValidationError({"key": _("This has characters that no key has.")})
    # Else whoever may edit an endpoint could have its key sent to a server of theirs.
    is_moved = but and _origin(but.base_url) != _origin(given.base_url.strip())
    if is_moved and given.key is None and but and has_key(but):
        raise ValidationError({"key": _("Enter the key again: it was for the other address.")})


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _lock_endpoints() -> None:
    """Which of a tenant's is the default one concerns them all."""
    Tenant.objects.select_for_update(no_key=True).get(pk=current_tenant().pk)


def _locked(endpoint: Endpoint) -> Endpoint:
    keep_endpoint(endpoint)
    _lock_endpoints()
    row: Endpoint = Endpoint.objects.get(pk=endpoint.pk)
    return row


def _note_deed(
    action: str, endpoint: Endpoint, actor: User | None, details: Mapping[str, Any] | None = None
) -> None:
    """Write into the audit what a person did; never what a key is."""
    if actor:
        told = {"name": endpoint.name, **(details or {})}
        record(action, endpoint, actor=actor, tenant=endpoint.tenant, details=told)
