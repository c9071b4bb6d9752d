"""Where leads live, as people, files and programs say it."""

import pytest
from django.core.exceptions import ValidationError

from events.models import Event
from leads.models import Lead
from leads.places import countries, time_zones
from leads.services import edit_lead
from salesflow.accounts.models import Tenant
from tests.leads.factories import make_lead


def test_the_worlds_places_are_known() -> None:
    assert {"Europe/Berlin", "Pacific/Auckland", "UTC"} <= time_zones()
    assert {"DE", "NZ", "US"} <= countries()
    assert 240 < len(countries()) < 260


def test_place_is_kept_and_its_change_is_told(tenant: Tenant) -> None:
    lead = make_lead(time_zone=" Europe/Berlin ", country="de")
    assert (lead.time_zone, lead.country) == ("Europe/Berlin", "DE")
    edit_lead(lead, time_zone="", country="NZ")
    changes = Event.objects.get(type="lead.updated").payload["changes"]
    assert changes == {
        "country": {"old": "DE", "new": "NZ"},
        "time_zone": {"old": "Europe/Berlin", "new": ""},
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("time_zone", "Berlin"),
        ("time_zone", "europe"),
        ("time_zone", "Europe/Berlin\x00"),
        ("country", "XX"),
        ("country", "DEU"),
        ("country", "Germany"),
    ],
)
def test_place_that_does_not_exist_is_refused(tenant: Tenant, field: str, value: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        make_lead(**{field: value})
    assert list(refusal.value.message_dict) == [field]
    assert not Lead.objects.exists()
