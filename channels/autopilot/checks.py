"""System checks of the autopilot: the model that the settings name for all tenants."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from channels.autopilot.wire import AddressRefused, check_address

EXAMPLE = "Write something like https://api.openai.com/v1, or unset it: there is no model then."


@register(Tags.security)
def check_model(**_: Any) -> list[CheckMessage]:
    """Report what of SALESFLOW_AI_… cannot be used as it stands."""
    return [*_check_address(), *_check_parts(), *_check_key()]


def _check_address() -> Iterator[CheckMessage]:
    if not settings.AI_BASE_URL:
        return
    try:
        check_address(settings.AI_BASE_URL, allows_private=True)
    except AddressRefused as refused:
        text = f"SALESFLOW_AI_BASE_URL is no address of a model's server. {refused.reason}"
        yield Error(text, hint=EXAMPLE, id="autopilot.E001")


def _check_parts() -> Iterator[CheckMessage]:
    if settings.AI_BASE_URL and not settings.AI_MODEL:
        yield Error(
            "SALESFLOW_AI_BASE_URL names a server, and nobody says which model to ask there.",
            hint="Name it in SALESFLOW_AI_MODEL, as in gpt-4o-mini.",
            id="autopilot.E002",
        )
    if settings.AI_MODEL and not settings.AI_BASE_URL:
        yield Warning(
            "SALESFLOW_AI_MODEL names a model, and nobody says where it is: it is not asked.",
            hint=f"Set SALESFLOW_AI_BASE_URL. {EXAMPLE}",
            id="autopilot.W001",
        )


def _check_key() -> Iterator[CheckMessage]:
    key = settings.AI_API_KEY
    if not key.isascii() or not key.isprintable() or " " in key:
        yield Error(  # without the key
            "SALESFLOW_AI_API_KEY has characters that no key has.",
            hint="Copy it anew; blanks and line ends do not belong to it.",
            id="autopilot.E003",
        )
