"""The event list page by page: each selection in its order, whoever looks, without counting far."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events.console.listing import SIZE, Listing
from events.context import event_context
from events.models import Delivery, DeliveryStatus, Event, EventStatus
from events.publishing import Draft, publish_many
from events.selections import Selection
from events.testing import handler_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant, User
from tests.events.alert_factories import make_group
from tests.events.factories import make_events
from tests.events.payloads import OtherHappened
from tests.factories import make_tenant
from tests.staff import make_staff, make_superuser

pytestmark = pytest.mark.django_db

FAILED, PENDING = EventStatus.FAILED, EventStatus.PENDING


@pytest.fixture
def tenants(db: None) -> list[Tenant]:
    """Two tenants whose events alternate."""
    return [make_tenant(), make_tenant()]


def alternating(tenants: list[Tenant], count: int) -> list[Event]:
    """So many events of each tenant, one after the other."""
    events = []
    for _number in range(count):
        for tenant in tenants:
            with tenant_context(tenant):
                events += make_events(1)
    return events


def fail(events: list[Event], handler: str = "greet", group: int | None = None) -> None:
    """Make events ones that failed at a handler."""
    ids = [event.pk for event in events]
    Event.unscoped.filter(pk__in=ids).update(status=FAILED, processed_at=timezone.now())
    Delivery.objects.bulk_create(
        Delivery(event=event, handler=handler, status=DeliveryStatus.FAILED, group_id=group)
        for event in events
    )


def pages_of(user: User, selection: Selection) -> Iterator[list[UUID]]:
    """The ids on each page, on the way down; on the way up the same pages have to come."""
    lists, after, going_up = Listing(selection, user), "", []
    while True:
        page = lists.page(after=after)
        ids = [event.pk for event in page.rows]
        going_up.append((page.before, ids))
        yield ids
        if page.after is None:
            break
        after = page.after
    for (before, _ids), (_key, above) in zip(going_up[:0:-1], going_up[-2::-1], strict=True):
        assert before is not None
        assert [event.pk for event in lists.page(before=before).rows] == above


def everything(user: User, selection: Selection) -> list[UUID]:
    return [id_ for page in pages_of(user, selection) for id_ in page]


def newest_first(events: list[Event]) -> list[UUID]:
    return sorted((event.pk for event in events), reverse=True)


# --- Pages --------------------------------------------------------------------------------------


def test_pages_go_down_and_up_again(tenants: list[Tenant]) -> None:
    events = alternating(tenants, SIZE)
    pages = list(pages_of(make_superuser(), Selection()))
    assert [len(page) for page in pages] == [SIZE, SIZE]
    assert [id_ for page in pages for id_ in page] == newest_first(events)


@pytest.mark.parametrize("narrowed", [{}, {"type": "thing.happened"}, {"source": "system"}])
def test_tenants_are_merged_in_the_order_of_time(
    tenants: list[Tenant], narrowed: dict[str, Any]
) -> None:
    events = alternating(tenants, SIZE + 10)
    with tenant_context(tenants[0]):
        publish_many([Draft(OtherHappened())])
    Event.unscoped.filter(pk__in=[event.pk for event in events]).update(source="system")
    of_first = [event for event in events if event.tenant_id == tenants[0].pk]
    selection = Selection(**({"type": "thing.happened"} | narrowed))
    assert everything(make_superuser(), selection) == newest_first(events)
    assert everything(make_staff(*tenants), selection) == newest_first(events)
    assert everything(make_staff(tenants[0]), selection) == newest_first(of_first)
    chosen = replace(selection, tenant=str(tenants[0].pk))
    assert everything(make_superuser(), chosen) == newest_first(of_first)


def test_pending_events_come_in_the_order_in_which_they_are_taken(tenants: list[Tenant]) -> None:
    events, now = alternating(tenants, SIZE), timezone.now()
    for number, event in enumerate(events):
        due = now - timedelta(minutes=number % 7, seconds=number)
        Event.unscoped.filter(pk=event.pk).update(due_at=due)
    rows = Event.unscoped.order_by("due_at", "position").values_list("pk", flat=True)
    assert everything(make_superuser(), Selection(status=PENDING)) == list(rows)
    assert everything(make_staff(*tenants), Selection(status=PENDING)) == list(rows)
    fail(events[:5])
    assert len(everything(make_superuser(), Selection(status=PENDING))) == len(events) - 5


def test_failed_events_of_a_handler_and_of_a_group(tenants: list[Tenant]) -> None:
    print_ = make_group(tenants[0], handler="greet").fingerprint
    groups = {tenants[0].pk: make_group(tenants[0], handler="other"), tenants[1].pk: None}
    groups[tenants[1].pk] = make_group(tenants[1], handler="greet", fingerprint=print_)
    first = make_group(tenants[0], handler="greet", message="another")
    events = alternating(tenants, SIZE)
    mine = [event for event in events if event.tenant_id == tenants[0].pk]
    others = [event for event in events if event.tenant_id == tenants[1].pk]
    fail(mine, "greet", first.pk)
    second = groups[tenants[1].pk]
    assert second is not None
    fail(others, "greet", second.pk)
    root, staff = make_superuser(), make_staff(tenants[0])
    assert everything(root, Selection(handler="greet")) == newest_first(events)
    assert everything(staff, Selection(handler="greet")) == newest_first(mine)
    assert everything(root, Selection(group=str(print_))) == newest_first(others)
    assert everything(staff, Selection(group=str(print_))) == []
    assert everything(root, Selection(group=str(first.fingerprint))) == newest_first(mine)
    narrowed = Selection(group=str(print_), type="other.happened")
    assert everything(root, narrowed) == []
    assert everything(root, Selection(handler="greet", tenant=str(tenants[1].pk))) == newest_first(
        others
    )


def test_failed_events_of_a_handler_that_were_never_grouped(tenants: list[Tenant]) -> None:
    group = make_group(tenants[0], handler="greet")
    events = alternating(tenants, 4)
    mine = [event for event in events if event.tenant_id == tenants[0].pk]
    others = [event for event in events if event.tenant_id != tenants[0].pk]
    fail(mine[:2], "greet", group.pk)
    fail([*mine[2:], *others], "greet")
    here = str(tenants[0].pk)
    assert everything(make_staff(tenants[0]), Selection(handler="greet")) == newest_first(mine)
    assert everything(make_superuser(), Selection(handler="greet", tenant=here)) == newest_first(
        mine
    )
    assert Listing(Selection(handler="greet"), make_staff(tenants[1])).counted() == "4"


def test_what_a_handler_has_handled(tenants: list[Tenant]) -> None:
    events = alternating(tenants, SIZE)
    Event.unscoped.update(status=EventStatus.PROCESSED)
    Delivery.objects.bulk_create(
        Delivery(event=event, handler="greet", status=DeliveryStatus.SUCCEEDED)
        for event in events[4:]
    )
    chosen = Selection(handler="greet", status=EventStatus.PROCESSED)
    of_first = [event for event in events[4:] if event.tenant_id == tenants[0].pk]
    for types in (["thing.happened"], ["other.happened", "thing.happened"]):
        with handler_of(*types, function=print, name="greet"):
            assert everything(make_superuser(), chosen) == newest_first(events[4:])
            assert everything(make_staff(tenants[0]), chosen) == newest_first(of_first)
            assert Listing(chosen, make_superuser()).counted() == str(len(events) - 4)
            other = replace(chosen, type="other.happened")
            assert everything(make_superuser(), other) == []
    assert everything(make_superuser(), chosen) == newest_first(events[4:])


def test_window_narrows_every_kind_of_selection(tenants: list[Tenant]) -> None:
    group = make_group(tenants[0], handler="greet")
    with tenant_context(tenants[0]):
        old, new = make_events(1), make_events(1)
    fail([*old, *new], group=group.pk)
    Event.unscoped.filter(pk=old[0].pk).update(created_at=timezone.now() - timedelta(hours=3))
    moment = timezone.now() - timedelta(hours=1)
    choices: list[dict[str, Any]] = [
        {},
        {"handler": "greet"},
        {"group": str(group.fingerprint)},
        {"type": old[0].type},
    ]
    for chosen in choices:
        since, until = (
            Selection(**chosen, recorded_after=moment),
            Selection(**chosen, recorded_before=moment),
        )
        assert everything(make_superuser(), since) == [new[0].pk]
        assert everything(make_staff(tenants[0]), until) == [old[0].pk]


def test_list_and_selection_mean_the_same(tenants: list[Tenant]) -> None:
    with event_context(request_id="req-1", source="import"):
        events = alternating(tenants, 5)
    group = make_group(tenants[0])
    fail(events[::2], group=group.pk)
    Delivery.objects.create(event=events[1], handler="greet", status=DeliveryStatus.SUCCEEDED)
    chosen: list[dict[str, Any]] = [
        {"status": FAILED},
        {"status": PENDING, "handler": "greet"},
        {"status": FAILED, "handler": "greet"},
        {"status": FAILED, "group": str(group.fingerprint)},
        {"status": PENDING, "group": str(group.fingerprint)},
        {"request_id": "req-1"},
        {"subject": str(events[3].subject_id)},
        {"ids": (events[0].pk, events[1].pk, uuid7())},
        {"source": "import", "status": FAILED},
    ]
    for given in chosen:
        selection = Selection(**given)
        wanted = selection.events(Event.unscoped.all()).values_list("pk", flat=True)
        assert set(everything(make_superuser(), selection)) == set(wanted), given


def test_key_that_this_list_never_gave_shows_the_beginning(tenants: list[Tenant]) -> None:
    events = alternating(tenants, 3)
    lists = Listing(Selection(), make_superuser())
    for key in ("nonsense", "a:b:c", "\x00"):
        assert [event.pk for event in lists.page(after=key).rows] == newest_first(events)


# --- Counts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "chosen", [{}, {"status": PENDING}, {"type": "thing.happened"}, {"source": "system"}]
)
def test_count_stops_at_its_cap(tenants: list[Tenant], chosen: dict[str, Any]) -> None:
    alternating(tenants, 6)
    Event.unscoped.update(source="system")
    for user in (make_superuser(), make_staff(*tenants)):
        lists = Listing(Selection(**chosen), user)
        assert (lists.counted(), lists.counted(10), lists.counted(12)) == ("12", "10+", "12")


def test_count_looks_through_no_more_rows_than_it_may(tenants: list[Tenant]) -> None:
    with event_context(source="import"):
        alternating(tenants[:1], 3)
    with event_context(source="web"):
        alternating(tenants[:1], 4)
    for user in (make_superuser(), make_staff(tenants[0])):
        lists = Listing(Selection(type="thing.happened", source="import"), user)
        assert (lists.counted(), lists.counted(7)) == ("3", "3")
        assert lists.counted(6) == "2+"  # the last six that happened
        assert lists.counted(4, at_least=3) == "3+"


def test_page_and_count_are_a_query_each(tenants: list[Tenant]) -> None:
    alternating(tenants, 3)
    user = make_superuser()
    choices: list[dict[str, Any]] = [{}, {"type": "thing.happened"}, {"status": PENDING}]
    for chosen in [*choices, {"handler": "greet"}]:
        lists = Listing(Selection(**chosen), user)
        with CaptureQueriesContext(connection) as queries:
            lists.page(), lists.counted()
        assert len(queries) == 2, chosen


# --- Indexes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chosen", "index"),
    [
        ({"type": "thing.happened"}, "events_by_type"),
        ({"source": "web"}, "events_by_source"),
        ({"status": PENDING}, "events_waiting"),
        ({"status": FAILED}, "events_failed_by_id"),
        ({"handler": "greet"}, "deliveries_failed_by_handler"),
        ({"group": "00000000-0000-0000-0000-000000000001"}, "deliveries_failed_by_group"),
    ],
)
def test_selection_is_read_from_an_index_in_its_order(
    tenants: list[Tenant], chosen: dict[str, Any], index: str
) -> None:
    lists = Listing(Selection(**chosen), make_superuser())
    with connection.cursor() as cursor:
        # An empty table is read from end to end whatever indexes it has, unless that is forbidden.
        for method in ("seqscan", "sort", "bitmapscan"):
            cursor.execute(f"SET LOCAL enable_{method} = off")
    with CaptureQueriesContext(connection) as queries:
        lists.page()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {queries[-1]['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert index in plan, plan
