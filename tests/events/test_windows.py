"""Windows of time: exact, and near the time that is asked for."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events.models import Event
from events.windows import MARGIN, end_of_ids_before, first_id_since
from salesflow.accounts.ids import first_uuid7_of
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event, make_events

LONG_AGO = timedelta(hours=3)


def record(event: Event, moment: datetime) -> None:
    """Have the database say that it recorded an event at another time than its id was made."""
    Event.unscoped.filter(pk=event.pk).update(created_at=moment)


def test_window_begins_and_ends_near_its_times(tenant: Tenant) -> None:
    make_event()
    for moment in (timezone.now(), timezone.now() - LONG_AGO):
        assert first_id_since(moment) == first_uuid7_of(moment, -MARGIN)
        assert end_of_ids_before(moment) == first_uuid7_of(moment, MARGIN)


def test_window_ends_behind_what_was_recorded_long_before_its_id(tenant: Tenant) -> None:
    first, last, other = make_event(), make_event(), make_event()
    for event in (first, last):
        record(event, timezone.now() - LONG_AGO)
    end = end_of_ids_before(timezone.now() - LONG_AGO / 2)
    assert first.pk < last.pk < end <= other.pk
    assert end_of_ids_before(timezone.now() - 2 * LONG_AGO) < first.pk


def test_window_begins_at_what_was_recorded_long_after_its_id(tenant: Tenant) -> None:
    event = make_event()
    record(event, timezone.now() + LONG_AGO)
    assert first_id_since(timezone.now() + LONG_AGO / 2) == event.pk
    assert first_id_since(timezone.now() + 2 * LONG_AGO) > event.pk


@pytest.mark.parametrize("bound", [first_id_since, end_of_ids_before])
def test_bound_is_read_from_the_index_of_strays(tenant: Tenant, bound: object) -> None:
    # In an empty table all indexes cost alike, and the planner takes any of them.
    make_events(2_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE events")
    with CaptureQueriesContext(connection) as queries:
        bound(timezone.now())  # type: ignore[operator]
    [query] = queries
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {query['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "events_strays" in plan, plan
