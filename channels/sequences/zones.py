"""The time zone in which somebody lives, and the country whose holidays they keep.

Pure. What somebody said comes first, then their country, then their phone number; several zones
count as one where their clocks agree, and a guess between different clocks is none. Mobile numbers
of large countries tell no zone (libphonenumber issue 1964), those of most countries do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo, available_timezones

import phonenumbers
from phonenumbers.timezone import time_zones_for_number

# Countries with several clocks in which at least nineteen people of twenty live by one of them.
# Sources: tz database, zone.tab, and its file "backward" on Asia/Shanghai; populations from the
# countries' latest censuses (New Zealand 2023, Spain 2021, Portugal 2021, Ecuador 2022, Chile 2024,
# French Polynesia 2022, Greenland 2024).
MAIN_ZONES = {
    "CL": "America/Santiago",
    "CN": "Asia/Shanghai",
    "EC": "America/Guayaquil",
    "ES": "Europe/Madrid",
    "GL": "America/Nuuk",
    "NZ": "Pacific/Auckland",
    "PF": "Pacific/Tahiti",
    "PT": "Europe/Lisbon",
}


class Source(StrEnum):
    """How a zone was found."""

    GIVEN, COUNTRY, PHONE, TENANT = "given", "country", "phone", "tenant"


@dataclass(frozen=True)
class Whereabouts:
    """Where somebody is.

    Attributes:
        country: ISO 3166-1 alpha-2, empty where nothing tells it.
    """

    zone: ZoneInfo
    source: Source
    country: str = ""


def locate(
    *, time_zone: str, country: str, phones: Sequence[str], tenant: ZoneInfo, at: datetime
) -> Whereabouts:
    """Where a contact is, by what is known of them.

    Args:
        time_zone: an IANA name, or empty; a name that does not exist counts as empty.
        country: ISO 3166-1 alpha-2, or empty.
        phones: numbers in E.164, the most important one first.
        tenant: the zone of whoever writes, where nothing else is known.
        at: two zones are one if their clocks agree in this year and in the next.
    """
    own = country.strip().upper()
    regions = {phone: region_of(phone) for phone in phones}
    trusted = [phone for phone in phones if regions[phone] and own in ("", regions[phone])]
    land = own or next((regions[phone] for phone in trusted), "")
    by_phone = (_zones_of_number(phone) for phone in trusted)
    found = [
        (Source.GIVEN, (time_zone,) if is_zone(time_zone) else ()),
        (Source.COUNTRY, zones_of_country(own)),
        *((Source.PHONE, names) for names in by_phone),
        (Source.COUNTRY if own else Source.PHONE, zones_of_country(land)),
        (Source.COUNTRY if own else Source.PHONE, tuple(filter(None, [MAIN_ZONES.get(land)]))),
    ]
    for source, names in found:
        if names and _is_one_clock(names, at.year):
            return Whereabouts(ZoneInfo(names[0]), source, land)
    return Whereabouts(tenant, Source.TENANT, land)


def is_zone(name: str) -> bool:
    """Whether there is such a time zone: `ZoneInfo` itself also opens folders."""
    return name in _zone_names()


def zones_of_country(country: str) -> tuple[str, ...]:
    """The zones of a country in the order of the tz database; none if there is no such country."""
    return _zones_by_country().get(country, ())


@lru_cache(maxsize=4096)
def region_of(phone: str) -> str:
    """The country of a number in E.164, such as "DE"; empty where it tells none."""
    number = _parsed(phone)
    region = phonenumbers.region_code_for_number(number) if number else None
    # The code of numbers that belong to no country, such as +800, is "001".
    return region if region and region.isalpha() else ""


@lru_cache(maxsize=4096)
def _zones_of_number(phone: str) -> tuple[str, ...]:
    number = _parsed(phone)
    names: Sequence[str] = time_zones_for_number(number) if number else ()
    # "Etc/Unknown" is no zone; and one that this system does not know says nothing.
    return tuple(names) if all(map(is_zone, names)) else ()


def _parsed(phone: str) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return None


@lru_cache(maxsize=1024)
def _is_one_clock(names: tuple[str, ...], year: int) -> bool:
    return len({_offsets(name, year) for name in names}) == 1


@lru_cache(maxsize=1024)
def _offsets(name: str, year: int) -> tuple[timedelta | None, ...]:
    zone, start = ZoneInfo(name), datetime(year, 1, 1, 12, tzinfo=UTC)
    return tuple(
        (start + timedelta(days=day)).astimezone(zone).utcoffset() for day in range(2 * 365)
    )


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


@cache
def _zones_by_country() -> dict[str, tuple[str, ...]]:
    table = files("tzdata.zoneinfo").joinpath("zone.tab").read_text(encoding="utf-8")
    found: dict[str, list[str]] = {}
    for line in table.splitlines():
        if line and not line.startswith("#"):
            country, _, name = line.split("\t")[:3]
            found.setdefault(country, []).append(name)
    return {country: tuple(filter(is_zone, names)) for country, names in found.items()}
