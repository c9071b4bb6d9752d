"""An open list of events says how many newer ones there are, for as good as nothing."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from events.console.event_list import MOST_NEWER, STOP_POLLING
from events.console.listing import SIZE
from events.models import Delivery, Event, EventStatus
from events.publishing import Draft, publish_many
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.events.factories import make_events, make_failure
from tests.events.payloads import OtherHappened
from tests.factories import make_tenant
from tests.staff import client_of, make_staff, make_superuser
from tests.web import HTMX, Page

pytestmark = pytest.mark.django_db

LIST = reverse("admin:events_event_changelist")
# Session, user, membership; savepoint, time limit, the events, release.
QUERIES = 7


@pytest.fixture
def root() -> Client:
    """The browser of a superuser."""
    return client_of(make_superuser())


def asked_by(client: Client, **query: str) -> str:
    """Where a list that is opened now asks for newer events."""
    url: str = client.get(LIST, query).context["newer_url"]
    return url


def told(client: Client, url: str) -> str:
    response = client.get(url, headers=HTMX)
    assert response.status_code in (200, STOP_POLLING)
    return response.content.decode().strip()


def test_list_is_told_how_many_are_newer_and_leads_to_them(tenant: Tenant, root: Client) -> None:
    make_events(3)
    page = Page(root.get(LIST, {"type": "thing.happened"}))
    [hint] = [each for each in page.all("p") if "hx-get" in each]
    assert hint["hx-trigger"] == "every 10s"
    assert "data-while-visible" in hint
    assert told(root, hint["hx-get"]) == ""
    make_events(12)
    publish_many([Draft(OtherHappened())])
    href = f'<a href="{LIST}?type=thing.happened">'
    assert told(root, hint["hx-get"]) == f"{href}12 new events, show</a>"


def test_list_without_events_is_told_as_well(tenant: Tenant, root: Client) -> None:
    url = asked_by(root)
    make_events(1)
    assert "1 new event, show" in told(root, url)


def test_hint_stops_to_count_and_to_ask_at_a_hundred(tenant: Tenant, root: Client) -> None:
    url = asked_by(root)
    make_events(MOST_NEWER)
    assert "100 new events" in told(root, url)
    assert root.get(url).status_code == 200
    make_events(1)
    assert "100+ new events" in told(root, url)
    assert root.get(url).status_code == STOP_POLLING


def test_newer_events_of_other_tenants_and_of_other_handlers_are_no_news(tenant: Tenant) -> None:
    make_failure(handler="greet")
    staff = client_of(make_staff(tenant, may=["view_event"]))
    urls = [asked_by(staff), asked_by(staff, handler="greet", status="failed")]
    with tenant_context(make_tenant()):
        make_failure(2, handler="greet")
    assert [told(staff, url) for url in urls] == ["", ""]
    make_failure(3, handler="other")
    assert "3 new" in told(staff, urls[0])
    assert told(staff, urls[1]) == ""
    make_failure(2, handler="greet")
    assert "2 new" in told(staff, urls[1])


def test_other_pages_and_lists_in_another_order_ask_for_nothing(
    tenant: Tenant, root: Client
) -> None:
    make_events(SIZE + 1)
    after = root.get(LIST).context["page"].after
    for query in ({"after": after}, {"status": EventStatus.PENDING}):
        response = root.get(LIST, query)
        assert not response.context["newer_url"]
        assert b"event-newer" not in response.content


@pytest.mark.parametrize("query", [{}, {"since": "x"}, {"since": "x", "colour": "red"}])
def test_address_that_nobody_has_given_out_has_no_news(
    tenant: Tenant, root: Client, query: dict[str, str]
) -> None:
    make_events(1)
    response = root.get(reverse("admin:events_event_newer"), query)
    assert (response.status_code, response.content.strip()) == (200, b"")


@pytest.mark.parametrize(
    "narrowed", [{}, {"type": "thing.happened"}, {"status": "failed", "handler": "greet"}]
)
def test_hint_costs_the_same_however_much_is_new(
    tenant: Tenant, django_assert_num_queries: Any, narrowed: dict[str, str]
) -> None:
    for user in (make_superuser(), make_staff(tenant, may=["view_event"])):
        client = client_of(user)
        url = asked_by(client, **narrowed)
        # Their permissions, those of their groups, and their tenants.
        permissions = 0 if user.is_superuser else 3
        with django_assert_num_queries(QUERIES + permissions):
            assert told(client, url) == ""
        events = make_events(40)
        ids = [event.pk for event in events]
        Event.unscoped.filter(pk__in=ids).update(status=EventStatus.FAILED)
        Delivery.objects.bulk_create(
            Delivery(event=event, handler="greet", status="failed") for event in events
        )
        with django_assert_num_queries(QUERIES + permissions):
            assert "40 new" in told(client, url)
