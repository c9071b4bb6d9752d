"""Two workers at the same events, in real connections."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from django.db import connection

from events import replay_event
from events.models import Delivery, Event, EventStatus
from events.settling import settle
from events.testing import handler_of
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event, make_events
from tests.thirdparty.models import Greeting

pytestmark = pytest.mark.django_db(transaction=True)

TYPE = "thing.happened"


def _at_once(count: int, function: Callable[[], object]) -> None:
    """Run `function` in so many threads that start together, each with a connection of its own."""
    barrier = threading.Barrier(count)

    def run() -> None:
        barrier.wait()
        try:
            function()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as threads:
        for future in [threads.submit(run) for _ in range(count)]:
            future.result()


def _greet(event: Event) -> None:
    Greeting.objects.create(event_id=event.id)


def test_duplicate_nudges_have_one_effect(tenant: Tenant) -> None:
    ids: list[UUID] = [event.id for event in make_events(30)]
    with handler_of(TYPE, function=_greet):
        _at_once(6, lambda: settle(ids))
        settle(ids)
    assert Greeting.objects.count() == 30
    assert set(Event.objects.values_list("status", flat=True)) == {EventStatus.PROCESSED}


def test_concurrent_replays_have_one_effect(tenant: Tenant) -> None:
    broken = True

    def greet(event: Event) -> None:
        if broken:
            raise ValueError("broken")
        _greet(event)

    event = make_event()
    with handler_of(TYPE, function=greet):
        settle([event.id])
        broken = False
        _at_once(8, lambda: (replay_event(event.id), settle([event.id])))
        settle([event.id])
    assert Greeting.objects.count() == 1
    assert Delivery.objects.get().attempts == 2
