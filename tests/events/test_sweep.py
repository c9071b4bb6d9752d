"""The sweeper wakes workers for what nobody was told of."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F

from events.journal import journal
from events.models import Event, JournalEntry
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


# --- The whole sweep ----------------------------------------------------------------------------


def _complaints(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """What the sweeper says of steps that went wrong; it raises nothing."""
    lines: list[object] = [record.msg for record in caplog.records]
    told = [line for line in lines if isinstance(line, dict) and "step" in line]
    return [(line["event"], line["step"]) for line in told]


@contextmanager
def _without_table(name: str) -> Iterator[None]:
    """A database in which a statement goes wrong."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {name} RENAME TO {name}_elsewhere")
        try:
            yield
        finally:
            cursor.execute(f"ALTER TABLE {name}_elsewhere RENAME TO {name}")


def test_sweep_without_anything_to_do_does_no_harm(
    db: None, caplog: pytest.LogCaptureFixture
) -> None:
    sweep()
    sweep()
    assert _complaints(caplog) == []


def test_sweep_with_everything_to_do_has_nothing_to_complain_of(
    tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    _make_due(make_events(2))
    sweep()
    assert _complaints(caplog) == []


@pytest.mark.django_db(transaction=True)
def test_step_that_goes_wrong_is_told_of_and_keeps_none_of_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    journal.open(1, [])
    with _without_table("replays"):
        sweep()
    assert _complaints(caplog) == [("sweep_failed", "advance_running_replays")]
    assert not JournalEntry.objects.exists()
