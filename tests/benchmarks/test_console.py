"""The log that `python -m benchmarks console` makes is one that the engine might have written, and
every page of the console shows it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from benchmarks.console.filling import counts, fill
from benchmarks.console.measuring import Measured, Times
from benchmarks.console.people import PEOPLE
from benchmarks.console.shape import GROUPS, Shape
from benchmarks.console.visiting import forget, names, pages_to, visit
from benchmarks.database import rows_of
from events import tallies
from events.models import Event, FailureGroup, Replay
from events.outcomes import aggregate
from events.replays.progress import counts_of
from salesflow.accounts.models import Tenant, User

EVENTS = 12_000


@pytest.fixture
def log(transactional_db: None) -> Iterator[Shape]:
    """A log of some thousand events; its people go with it."""
    # What tests before have noted would be written into it later.
    tallies.flush()
    shape = Shape(EVENTS, timezone.now())
    fill(EVENTS, shape.moment)
    yield shape
    forget()


def test_log_is_what_the_engine_would_have_written(log: Shape) -> None:
    found = counts()
    assert found["events: failed"] == log.failed == EVENTS // 100
    assert found["deliveries: failed"] == log.failed
    assert FailureGroup.unscoped.values("fingerprint").distinct().count() == GROUPS
    _check_aggregates()
    _check_groups()
    _check_tallies()
    for replay in Replay.objects.all():
        items = dict(rows_of(ITEMS, replay=replay.pk))
        assert {status: n for status, n in counts_of(replay).items() if n} == items


ITEMS = "SELECT status, count(*) FROM replay_items WHERE replay_id = %(replay)s GROUP BY 1"


def _check_aggregates() -> None:
    """Each event says what follows from its deliveries, and each delivery has its attempts."""
    for event in Event.unscoped.prefetch_related("deliveries__history"):
        deliveries: list[Any] = list(event.deliveries.all())
        told = event.status, event.error_message, event.processed_at is None
        if deliveries:
            aggregate(event, deliveries, timezone.now())
            assert told == (event.status, event.error_message, event.processed_at is None)
        for delivery in deliveries:
            tries = [attempt.number for attempt in delivery.history.all()]
            assert tries in ([], list(range(1, delivery.attempts + 1)))
            assert (delivery.status == "failed") <= bool(tries and delivery.group_id)


def _check_groups() -> None:
    [(occurrences, attempts, counted)] = rows_of(
        """
        SELECT (SELECT sum(occurrences) FROM failure_groups),
               (SELECT count(*) FROM attempts WHERE status = 'failed'),
               (SELECT sum(occurrences) FROM failure_counts)
        """
    )
    assert occurrences == attempts == counted


def _check_tallies() -> None:
    [(everybody, each, settled)] = rows_of(
        """
        SELECT sum(succeeded) FILTER (WHERE tenant_id = '00000000-0000-0000-0000-000000000000'),
               sum(succeeded) FILTER (WHERE tenant_id <> '00000000-0000-0000-0000-000000000000'),
               (SELECT count(*) FROM events WHERE status = 'processed')
        FROM tallies WHERE span = 'hour' AND kind = 'type'
        """
    )
    assert everybody == each == settled


def test_every_page_of_the_console_opens(log: Shape) -> None:
    told = names()
    assert set(told) == set(PEOPLE)
    for who in ("superuser", "staff"):
        for page in pages_to(who).values():
            visit(who, page)


def test_log_is_made_anew_beside_the_same_people(log: Shape) -> None:
    people = User.objects.count(), Tenant.objects.count()
    fill(2000, timezone.now())
    assert counts()["events: failed"] == 20
    assert (User.objects.count(), Tenant.objects.count()) == people


@pytest.mark.parametrize(
    ("small", "large", "is_frozen", "misses"),
    [
        (50, 60, False, ""),
        (50, 70, False, "1.3 ×"),
        (50, 70, True, ""),
        (5, 14, False, ""),  # within the noise
        (290, 310, False, "300 ms"),
    ],
)
def test_page_misses_the_goal(small: float, large: float, is_frozen: bool, misses: str) -> None:
    times = Times(small, small, small), Times(large, large, large)
    assert Measured("events", "staff", is_frozen, 9, False, *times).misses == misses


def test_page_that_only_had_to_wait_for_the_processor_misses_nothing() -> None:
    times = Times(40, 50, 45), Times(200, 400, 55)
    assert Measured("events", "staff", False, 9, False, *times).misses == ""
