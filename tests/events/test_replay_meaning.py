"""What a replay means of a selection: what a handler has given up, found among the few."""

from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from events.console.listing import Count, Listing
from events.models import Delivery, DeliveryStatus, Event, EventStatus
from events.replays.meaning import given_up
from events.selections import Selection
from salesflow.accounts.models import Tenant
from tests.events.factories import make_events, make_failed_event
from tests.staff import make_staff, make_superuser

pytestmark = pytest.mark.django_db

TYPE = "thing.happened"


def make_halved(count: int) -> list[Event]:
    """So many events that one handler has given up, and that wait for another one."""
    events = make_events(count)
    Delivery.objects.bulk_create(
        Delivery(event=event, handler=name, status=status)
        for event in events
        for name, status in (("picky", DeliveryStatus.FAILED), ("slow", DeliveryStatus.PENDING))
    )
    return events


def make_waiting(count: int) -> None:
    """So many events that no handler has given up yet."""
    events = make_events(count)
    Delivery.objects.bulk_create(Delivery(event=event, handler="slow") for event in events)


def make_processed(count: int) -> None:
    """So many events that went well."""
    events = make_events(count)
    Delivery.objects.bulk_create(
        Delivery(event=event, handler="picky", status=DeliveryStatus.SUCCEEDED) for event in events
    )
    ids = [event.pk for event in events]
    Event.unscoped.filter(pk__in=ids).update(status=EventStatus.PROCESSED)


def meant(**chosen: Any) -> QuerySet[Event]:
    selection = Selection(**chosen)
    return given_up(selection.events(Event.unscoped.all()), selection)


def test_all_that_a_handler_has_given_up_is_meant(tenant: Tenant) -> None:
    make_processed(3)
    make_waiting(3)
    halved = {event.pk for event in make_halved(2)}
    failed = {make_failed_event().pk, make_failed_event(handlers=["picky", "other"]).pk}
    assert set(meant().values_list("pk", flat=True)) == halved | failed
    assert set(meant(type=TYPE).values_list("pk", flat=True)) == halved | failed
    assert set(meant(type="other.happened")) == set()
    waiting = meant(status=EventStatus.PENDING)
    assert set(waiting.values_list("pk", flat=True)) == halved
    waiting = meant(status=EventStatus.PENDING, handler="picky")
    assert set(waiting.values_list("pk", flat=True)) == halved
    assert set(meant(status=EventStatus.PENDING, handler="other")) == set()


@pytest.mark.parametrize("is_superuser", [True, False])
def test_number_of_what_was_given_up(tenant: Tenant, is_superuser: bool) -> None:
    user = make_superuser() if is_superuser else make_staff(tenant)
    make_processed(3)
    make_halved(2)
    make_waiting(3)
    failed = make_failed_event()
    here = {"tenant": str(tenant.pk)}
    choices: list[dict[str, Any]] = [{}, {"type": TYPE}, here, {"source": failed.source}]
    for chosen in choices:
        assert Listing(Selection(**chosen), user).count_given_up() == Count(3), chosen
    waiting = Listing(Selection(status=EventStatus.PENDING, type=TYPE), user)
    assert waiting.count_given_up() == Count(2)
    one = Listing(Selection(ids=(failed.pk,)), user)
    assert one.count_given_up() == Count(1)
    assert Listing(Selection(type="other.happened"), user).count_given_up() == Count(0)


def test_number_ends_where_no_more_is_looked_at(tenant: Tenant) -> None:
    make_halved(2)
    make_waiting(3)
    make_failed_event()
    listing = Listing(Selection(type=TYPE), make_superuser())
    assert listing.count_given_up(5) == Count(3)
    assert listing.count_given_up(4) == Count(3, has_more=True)
    assert str(listing.count_given_up(4)) == "3+"


def test_page_asks_as_many_queries_whatever_there_is(tenant: Tenant) -> None:
    client = Client()
    client.force_login(make_superuser())
    url = f"{reverse('admin:events_event_replay')}?type={TYPE}"
    make_failed_event()
    counts = []
    for more in (0, 20):
        make_halved(more)
        make_waiting(more)
        with CaptureQueriesContext(connection) as queries:
            client.get(url)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_processed_events_of_the_type_are_not_looked_at(tenant: Tenant) -> None:
    # Among few rows, or in an empty table, the planner takes whatever it likes.
    make_processed(3_000)
    make_halved(20)
    for number in range(20):
        make_failed_event(number)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE events, deliveries")
        statement, params = meant(type=TYPE).values("pk").query.sql_with_params()
        cursor.execute(f"EXPLAIN {statement}", params)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "events_failed" in plan, plan
    assert "events_waiting" in plan, plan
    assert "Seq Scan on events" not in plan, plan
