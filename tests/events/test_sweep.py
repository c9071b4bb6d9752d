"""The sweeper finds what nobody was told of."""

from datetime import timedelta

import pytest
from django.utils import timezone

from events.models import Event
from events.sweeping import take_due_events
from salesflow.accounts.models import Tenant
from tests.events.factories import make_events


def _make_due(events: list[Event]) -> None:
    ids = [event.id for event in events]
    Event.unscoped.filter(id__in=ids).update(due_at=timezone.now() - timedelta(seconds=1))


def test_fresh_event_is_left_to_its_nudge(tenant: Tenant) -> None:
    make_events(2)
    assert take_due_events() == []


def test_event_whose_nudge_was_lost_is_found(tenant: Tenant) -> None:
    lost, _fresh = make_events(2)
    _make_due([lost])
    assert take_due_events() == [lost.id]


def test_event_is_given_to_one_sweep_alone(tenant: Tenant) -> None:
    _make_due(make_events(2))
    assert len(take_due_events()) == 2
    assert take_due_events() == []


@pytest.mark.parametrize("status", ["processed", "failed"])
def test_settled_event_is_left_alone(tenant: Tenant, status: str) -> None:
    events = make_events(1)
    _make_due(events)
    Event.unscoped.update(status=status)
    assert take_due_events() == []


def test_oldest_are_taken_first(tenant: Tenant) -> None:
    events = make_events(3)
    _make_due(events)
    older = events[2]
    Event.unscoped.filter(pk=older.pk).update(due_at=timezone.now() - timedelta(hours=1))
    assert take_due_events(limit=1) == [older.id]
