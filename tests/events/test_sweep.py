"""The sweeper wakes workers for what nobody was told of."""

from datetime import timedelta

import pytest
from django.db.models import F

from events.models import Event
from events.sweeping import sweep, wake_workers
from salesflow.accounts.models import Tenant
from tests.events.factories import make_events


def _make_due(events: list[Event]) -> None:
    ids = [event.id for event in events]
    Event.unscoped.filter(id__in=ids).update(due_at=F("due_at") - timedelta(seconds=5))


def test_fresh_event_is_left_to_its_nudge(tenant: Tenant) -> None:
    make_events(2)
    assert not wake_workers()


def test_event_whose_nudge_was_lost_is_found(tenant: Tenant) -> None:
    lost, _fresh = make_events(2)
    _make_due([lost])
    assert wake_workers()


@pytest.mark.parametrize("status", ["processed", "failed"])
def test_settled_event_is_left_alone(tenant: Tenant, status: str) -> None:
    events = make_events(1)
    _make_due(events)
    Event.unscoped.update(status=status)
    assert not wake_workers()


def test_sweep_without_anything_to_do_does_no_harm(db: None) -> None:
    sweep()
    sweep()
