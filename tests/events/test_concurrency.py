"""Two workers at the same events, in real connections."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from django.db import connection

from events import replay_event
from events.models import Delivery, Event, EventStatus
from events.settling import settle
from events.testing import handler_of
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event, make_events
from tests.events.threads import at_once
from tests.thirdparty.models import Greeting

pytestmark = pytest.mark.django_db(transaction=True)

TYPE = "thing.happened"


REPLAYS = 20


@pytest.fixture
def room_for_all() -> Iterator[None]:
    """A connection for each of them at the same time; by default some would wait in line."""
    pool = connection.pool  # type: ignore[attr-defined]  # PostgreSQL's alone
    before = pool.min_size, pool.max_size
    pool.resize(pool.min_size, REPLAYS + 1)
    yield
    pool.resize(*before)


def _greet(event: Event) -> None:
    Greeting.objects.create(event_id=event.id)


def test_duplicate_nudges_have_one_effect(tenant: Tenant) -> None:
    ids: list[UUID] = [event.id for event in make_events(30)]
    with handler_of(TYPE, function=_greet):
        at_once(6, lambda: settle(ids))
        settle(ids)
    assert Greeting.objects.count() == 30
    assert set(Event.objects.values_list("status", flat=True)) == {EventStatus.PROCESSED}


def test_concurrent_replays_have_one_effect(tenant: Tenant, room_for_all: None) -> None:
    broken = True

    def greet(event: Event) -> None:
        if broken:
            raise ValueError("broken")
        _greet(event)

    event = make_event()
    with handler_of(TYPE, function=greet):
        settle([event.id])
        broken = False
        at_once(REPLAYS, lambda: (replay_event(event.id), settle([event.id])))
        settle([event.id])
    assert Greeting.objects.count() == 1
    assert Delivery.objects.get().attempts == 2
