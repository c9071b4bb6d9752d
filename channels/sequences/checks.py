"""System checks of sequences."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import available_timezones

from django.core.checks import CheckMessage, Error, register

from channels.sequences.zones import zones_of_country


@register()
def check_time_zones(
    app_configs: Sequence[Any] | None = None, **_options: Any
) -> list[CheckMessage]:
    """There are time zones to tell hours by: a slim system brings none of its own."""
    if _are_there():
        return []
    return [
        Error(
            "There are no time zones: sequences could not tell anybody's working hours.",
            hint="Install the Python package “tzdata”; it is among the requirements.",
            id="sequences.E001",
        )
    ]


def _are_there() -> bool:
    try:
        return bool(available_timezones() and zones_of_country("DE"))
    except ModuleNotFoundError:
        return False
