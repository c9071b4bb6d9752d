"""The catalogue of event types: whoever declares one finds it there, whole."""

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pydantic import BaseModel, EmailStr

from events import Payload, tallies
from events.console.catalogue import occasions_by_type
from events.console.examples import example_of
from events.models import Event, Tally
from events.models.tally import EVERYBODY
from events.payloads import payload_types
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event
from tests.factories import make_tenant
from tests.staff import client_of, make_staff, make_superuser
from tests.web import Page

TYPE = "thing.happened"
LIST, PAGE = reverse("admin:events_catalogue"), reverse("admin:events_catalogue_type", args=[TYPE])
LIST_QUERIES = 6

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_figures_of_others(db: None) -> None:
    tallies.flush()
    Tally.objects.all().delete()


@pytest.fixture
def root() -> Client:
    return client_of(make_superuser())


def test_every_declared_type_has_a_page(root: Client) -> None:
    listed = {entry.name for entry in root.get(LIST).context["entries"]}
    assert listed == set(payload_types())
    for name in listed:
        response = root.get(reverse("admin:events_catalogue_type", args=[name]))
        assert response.status_code == 200, name
        assert "made up" in Page(response).text


def test_unknown_type_is_not_found(root: Client) -> None:
    assert root.get(reverse("admin:events_catalogue_type", args=["no.such"])).status_code == 404


def test_type_tells_who_publishes_it(root: Client) -> None:
    url = reverse("admin:events_catalogue_type", args=["lead.created"])
    page = Page(root.get(url))
    assert "leads.Lead" in page.text
    assert "when a row is created" in page.text
    assert json.loads(root.get(url).context["entry"].schema)["type"] == "object"
    changes = [o for listed in occasions_by_type().values() for o in listed if "change" in o.on]
    assert all(occasion.fields and occasion.fields[0] in occasion.text for occasion in changes)


def test_example_is_the_newest_event_that_one_may_see(tenant: Tenant) -> None:
    own = make_event(7)
    with tenant_context(make_tenant()):
        make_event(8)
    client = client_of(make_staff(tenant, may=["view_event"]))
    response = client.get(PAGE)
    assert response.context["newest"].pk == own.pk
    assert '"number": 7' in response.context["example"]
    assert client_of(make_superuser()).get(PAGE).context["example"].count('"number": 8') == 1


def test_hostile_example_is_shown_harmlessly(tenant: Tenant, root: Client) -> None:
    Event.unscoped.filter(pk=make_event().pk).update(
        payload={"thing_id": "<script>alert(1)</script>", "number": "\u202eevil"}
    )
    text = root.get(PAGE).content.decode()
    assert "<script>alert(1)" not in text
    assert "\u202e" not in text


def test_counts_are_of_ones_tenants(tenant: Tenant) -> None:
    other = make_tenant()
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for tenant_id, number in ((tenant.pk, 3), (other.pk, 50), (EVERYBODY, 53)):
        key = {"span": "hour", "kind": "type", "name": TYPE, "starts_at": hour}
        Tally.objects.create(**key, tenant_id=tenant_id, succeeded=number)
    [entry] = entries(client_of(make_staff(tenant, may=["view_event"])))
    assert entry.day.tried == 3
    [entry] = entries(client_of(make_superuser()))
    assert entry.day.tried == 53


def entries(client: Client) -> list[Any]:
    return [entry for entry in client.get(LIST).context["entries"] if entry.name == TYPE]


def test_list_runs_few_queries(root: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(LIST_QUERIES):
        root.get(LIST)


def test_who_may_not_see_events_sees_no_catalogue(tenant: Tenant) -> None:
    client = client_of(make_staff(tenant, may=["view_lead"]))
    assert client.get(LIST).status_code == 403
    assert client.get(PAGE).status_code == 403


# --- Examples -----------------------------------------------------------------------------------


class Inner(BaseModel):
    """A part."""

    at: datetime
    others: list["Inner"] = []


class Everything(Payload):
    """Fields of many kinds; not registered, since it has no type."""

    id: UUID
    day: date
    email: EmailStr
    price: Decimal
    kind: Literal["a", "b"]
    note: str | None = None
    inner: Inner
    pairs: dict[str, tuple[str, int]]
    flags: list[bool]


def test_examples_fit_their_schema() -> None:
    Everything.model_validate_json(example_of(Everything))


@pytest.mark.parametrize("name", sorted(payload_types()))
def test_example_of_each_declared_type_fits(name: str) -> None:
    declared = payload_types()[name]
    declared.model_validate_json(example_of(declared))
