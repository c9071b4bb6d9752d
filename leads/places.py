"""Where leads live, as they or others say it: IANA time zones and ISO 3166-1 countries."""

from functools import cache
from importlib.resources import files
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


@cache
def time_zones() -> frozenset[str]:
    """The names of all time zones, such as Europe/Berlin."""
    return frozenset(available_timezones())


@cache
def countries() -> frozenset[str]:
    """The codes of all countries, such as DE. Source: the tz database's file iso3166.tab."""
    table = files("tzdata.zoneinfo").joinpath("iso3166.tab").read_text(encoding="utf-8")
    lines = (line for line in table.splitlines() if line and not line.startswith("#"))
    return frozenset(line.partition("\t")[0] for line in lines)


def validate_time_zone(value: str) -> None:
    """Raise ValidationError unless `value` is the name of a time zone."""
    if value not in time_zones():
        reason = _("“%(value)s” is no time zone: one is called Europe/Berlin, for example.")
        raise ValidationError(reason, params={"value": value})


def validate_country(value: str) -> None:
    """Raise ValidationError unless `value` is the code of a country."""
    if value not in countries():
        reason = _("“%(value)s” is no country: give its two letters, such as DE.")
        raise ValidationError(reason, params={"value": value})
