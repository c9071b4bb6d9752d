"""Where a contact is: by what they said, their country, their number, or not at all."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from channels.sequences.zones import (
    MAIN_ZONES,
    Source,
    is_zone,
    locate,
    region_of,
    zones_of_country,
)

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
TENANT = ZoneInfo("Europe/Vienna")
GIVEN, COUNTRY, PHONE, NOBODY = Source.GIVEN, Source.COUNTRY, Source.PHONE, Source.TENANT

# Zone and country as given, numbers; zone, its source and the country as found.
TABLE = [
    # What somebody said counts more than all else.
    ("Asia/Tokyo", "DE", ["+4930901820"], "Asia/Tokyo", GIVEN, "DE"),
    ("Asia/Tokyo", "", [], "Asia/Tokyo", GIVEN, ""),
    ("Middle/Earth", "DE", [], "Europe/Berlin", COUNTRY, "DE"),
    ("America", "DE", [], "Europe/Berlin", COUNTRY, "DE"),
    ("../../etc/passwd", "DE", [], "Europe/Berlin", COUNTRY, "DE"),
    # A country with one clock; its number may be of another one.
    ("", "de", [], "Europe/Berlin", COUNTRY, "DE"),
    ("", "FR", ["+4930901820"], "Europe/Paris", COUNTRY, "FR"),
    ("", "IN", [], "Asia/Kolkata", COUNTRY, "IN"),
    # A country with several: the number tells which, if it is one of that country.
    ("", "US", ["+12125551234"], "America/New_York", PHONE, "US"),
    ("", "US", ["+18085551234"], "Pacific/Honolulu", PHONE, "US"),
    ("", "US", ["+4930901820"], "Europe/Vienna", NOBODY, "US"),
    ("", "US", ["+18005551234", "+12125551234"], "America/New_York", PHONE, "US"),
    ("", "US", [], "Europe/Vienna", NOBODY, "US"),
    ("", "AU", ["+61412345678"], "Europe/Vienna", NOBODY, "AU"),
    ("", "AU", ["+61292001234"], "Australia/Sydney", PHONE, "AU"),
    ("", "RU", ["+79161234567"], "Europe/Vienna", NOBODY, "RU"),
    # … or nearly everybody lives by the same.
    ("", "ES", ["+34612345678"], "Europe/Madrid", COUNTRY, "ES"),
    ("", "ES", ["+34928123456"], "Atlantic/Canary", PHONE, "ES"),
    ("", "NZ", [], "Pacific/Auckland", COUNTRY, "NZ"),
    # A number alone tells the country, too.
    ("", "", ["+4930901820"], "Europe/Berlin", PHONE, "DE"),
    ("", "", ["+34612345678"], "Europe/Madrid", PHONE, "ES"),
    ("", "", ["+56912345678"], "America/Santiago", PHONE, "CL"),
    ("", "", ["+18686221234"], "America/Port_of_Spain", PHONE, "TT"),
    ("", "", ["+61412345678"], "Europe/Vienna", NOBODY, "AU"),
    ("", "", ["+61412345678", "+4930901820"], "Europe/Berlin", PHONE, "AU"),
    # Nothing tells anything.
    ("", "", [], "Europe/Vienna", NOBODY, ""),
    ("", "", ["+80012345678", "+999", "call me"], "Europe/Vienna", NOBODY, ""),
    ("", "XX", [], "Europe/Vienna", NOBODY, "XX"),
]


@pytest.mark.parametrize(
    ("time_zone", "country", "phones", "zone", "source", "found_country"), TABLE
)
def test_contact_is_found(
    time_zone: str, country: str, phones: list[str], zone: str, source: Source, found_country: str
) -> None:
    found = locate(time_zone=time_zone, country=country, phones=phones, tenant=TENANT, at=AT)
    assert (found.zone.key, found.source, found.country) == (zone, source, found_country)


def test_zones_that_once_differed_are_one_since_their_clocks_agree() -> None:
    """Kazakhstan's west and east have had one time since 1 March 2024."""
    before, after = datetime(2023, 6, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    where = {
        at: locate(time_zone="", country="KZ", phones=[], tenant=TENANT, at=at).source
        for at in (before, after)
    }
    assert where == {before: NOBODY, after: COUNTRY}


def test_every_main_zone_is_one_of_several_in_its_country() -> None:
    for country, zone in MAIN_ZONES.items():
        names = zones_of_country(country)
        assert zone in names
        found = locate(time_zone="", country=country, phones=[], tenant=TENANT, at=AT)
        assert found.zone.key == zone
        assert len(names) > 1


def test_every_country_has_zones_that_exist() -> None:
    assert zones_of_country("DE")[0] == "Europe/Berlin"
    assert set(zones_of_country("PT")) == {"Europe/Lisbon", "Atlantic/Madeira", "Atlantic/Azores"}
    assert zones_of_country("XX") == ()


@pytest.mark.parametrize("name", ["", "America", "Europe/", "europe/berlin", "Etc/Unknown", "/etc"])
def test_what_is_no_zone(name: str) -> None:
    assert not is_zone(name)


@pytest.mark.parametrize(
    ("phone", "country"),
    [("+4930901820", "DE"), ("+14165551234", "CA"), ("+80012345678", ""), ("030", ""), ("", "")],
)
def test_number_tells_its_country(phone: str, country: str) -> None:
    assert region_of(phone) == country
