"""Endpoints: where a tenant's models are, connected by those who lead its team.

A tenant asks the one that is its default. One that has none asks the installation's, if the
settings name one; that is the same for all tenants, but each has prices, budget and troubles of its
own. How endpoints are connected: `channels.autopilot.connecting`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import structlog
from django.conf import settings
from django.db.models.functions import Now
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError

from channels.autopilot import client, local_model
from channels.autopilot.completions import Takes
from channels.autopilot.models import Endpoint
from channels.autopilot.outcomes import AiError, Outcome
from channels.autopilot.prices import NO_PRICES, Prices, find_prices
from salesflow.accounts.encryption import Undecipherable
from salesflow.accounts.models import Tenant

log = structlog.get_logger(__name__)

# Seconds that a call may take. The handler's timeout is longer.
LONGEST_CALL = 140.0
INSTALLATION = UUID("5b0a3c0e-8f0f-4b3c-9f55-7f3f8d1f2a10")
KEY = "key"
PRICES = TypeAdapter(Prices)
TAKES = TypeAdapter(Takes)


class Settings(BaseModel):
    """How an endpoint is asked.

    Attributes:
        deadline: seconds that an answer may take, from the connection to its last word.
        silence: seconds between two pieces of an answer.
        temperature: None leaves it to the vendor.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    deadline: float = Field(default=90.0, ge=5, le=LONGEST_CALL)
    silence: float = Field(default=45.0, ge=1, le=LONGEST_CALL)
    temperature: float | None = Field(default=0.2, ge=0, le=2)


# --- Which one is asked, and how ------------------------------------------------------------------


def endpoint_for(tenant: Tenant) -> Endpoint | None:
    """Whom the current tenant asks; None: nobody, it has to connect one first.

    The installation's may be a row that was not saved yet; see `keep_endpoint`.
    """
    own: Endpoint | None = Endpoint.objects.filter(is_default=True).first()
    if own:
        return own
    shared = endpoint_of_installation(tenant)
    return shared if shared and shared.is_active else None


def endpoint_of_installation(tenant: Tenant) -> Endpoint | None:
    """What the current tenant has of the installation's; None: the settings name none."""
    if not settings.AI_BASE_URL:
        return None
    key = uuid5(INSTALLATION, str(tenant.pk))
    known: Endpoint | None = Endpoint.objects.filter(pk=key).first()
    return known or Endpoint(pk=key, tenant=tenant)


def keep_endpoint(endpoint: Endpoint) -> None:
    """Save the row for the installation's, unless somebody has."""
    if endpoint._state.adding:
        Endpoint.objects.bulk_create([endpoint], ignore_conflicts=True)
        endpoint.refresh_from_db()


def client_of(endpoint: Endpoint) -> client.Endpoint:
    """The endpoint as it is called, with its key.

    Raises:
        AiError: it cannot be called as it stands; it says what to do.
    """
    told = settings_of(endpoint)
    options: dict[str, Any] = {}
    if told.temperature is not None:
        options["temperature"] = told.temperature
    if endpoint.is_of_installation and settings.AI_MODEL == local_model.MODEL:
        options |= local_model.OPTIONS
    try:
        return client.Endpoint(
            base_url=address_of(endpoint),
            model=model_of(endpoint),
            key=_key_of(endpoint),
            takes=_takes_of(endpoint),
            options=options,
            # Who sets up the installation knows where its model is.
            allows_private=endpoint.is_of_installation or settings.AI_PRIVATE_ADDRESSES,
            silence=told.silence,
        )
    except Undecipherable:
        reason = _("The endpoint's key cannot be read with the present one: enter it.")
    except ValueError:
        reason = _("The endpoint's key has characters that no key has: enter it again.")
    raise AiError(Outcome.UNAUTHORIZED, reason, is_permanent=True, stops_endpoint=True)


def address_of(endpoint: Endpoint) -> str:
    """Where it is."""
    return endpoint.base_url or settings.AI_BASE_URL


def model_of(endpoint: Endpoint) -> str:
    """What is asked there."""
    return (settings.AI_MODEL if endpoint.is_of_installation else endpoint.model)[:100]


def has_key(endpoint: Endpoint) -> bool:
    """Whether a key is known, readable or not."""
    try:
        return bool(_key_of(endpoint).get_secret_value())
    except Undecipherable:
        return True


def settings_of(endpoint: Endpoint) -> Settings:
    """How it is asked; where that is not known any more, as by default."""
    try:
        return Settings.model_validate(endpoint.settings)
    except ValidationError:
        return Settings()


def prices_of(endpoint: Endpoint, at: datetime, *, prompt_tokens: int = 0) -> Prices:
    """What its calls are charged by; see `channels.autopilot.prices.find_prices`."""
    return find_prices(
        model_of(endpoint),
        address_of(endpoint),
        at,
        prompt_tokens=prompt_tokens,
        entered=entered_prices(endpoint),
    )


def entered_prices(endpoint: Endpoint) -> Prices | None:
    """The prices that somebody has entered for it."""
    return read_prices(endpoint.prices) if endpoint.prices else None


def read_prices(stored: Mapping[str, Any]) -> Prices:
    """Prices from JSON; nobody knows those that were not stored."""
    return PRICES.validate_python(stored) if stored else NO_PRICES


def stored_prices(prices: Prices | None) -> dict[str, Any]:
    """Prices as JSON, to the last digit."""
    stored: dict[str, Any] = PRICES.dump_python(prices, mode="json") if prices else {}
    return stored


def _key_of(endpoint: Endpoint) -> SecretStr:
    if endpoint.is_of_installation:
        return SecretStr(settings.AI_API_KEY)
    return SecretStr(str(endpoint.secrets.get(KEY, "")))


def _takes_of(endpoint: Endpoint) -> Takes:
    try:
        return TAKES.validate_python(endpoint.takes)
    except ValidationError:
        return Takes()


# --- What calls find out --------------------------------------------------------------------------


def stop_endpoint(endpoint: Endpoint, reason: str | Promise) -> None:
    """Ask nothing more there before somebody has looked: a wrong key, no money."""
    rows = Endpoint.objects.filter(pk=endpoint.pk, stopped_at=None)
    if rows.update(stopped_at=Now(), stopped_reason=str(reason)):
        log.warning("endpoint_stopped", endpoint=str(endpoint.pk), reason=str(reason))


def note_answer(endpoint: Endpoint, takes: Takes) -> None:
    """Remember that it works, and which options it takes; writes only what is news."""
    told: dict[str, Any] = TAKES.dump_python(takes, mode="json")
    news: dict[str, Any] = {"takes": told} if endpoint.takes != told else {}
    if endpoint.last_error or endpoint.stopped_at:
        news |= {"last_error": "", "last_error_at": None, "stopped_at": None, "stopped_reason": ""}
    if news:
        Endpoint.objects.filter(pk=endpoint.pk).update(**news)


def note_error(endpoint: Endpoint, reason: str | Promise) -> None:
    """Remember what went wrong last, in words."""
    Endpoint.objects.filter(pk=endpoint.pk).update(last_error=str(reason), last_error_at=Now())
