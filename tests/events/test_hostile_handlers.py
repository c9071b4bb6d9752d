"""Handlers that go wrong in ways that must not reach beyond their own event."""

from typing import Any

import pytest
from django.conf import settings

from events import batches
from events.models import Attempt, Delivery, Event, EventStatus
from events.retry import LONGEST_WAIT, Retry, RetryPolicy
from events.rows import fetch_rows
from events.settling import settle_due
from events.testing import handler_of
from salesflow.accounts.models import Membership, Tenant, User
from tests.events.factories import make_event, make_events

pytestmark = pytest.mark.django_db(transaction=True)
TYPE = "thing.happened"
NOBODY = 4_000_000


class Unspeakable(Exception):
    """An error that cannot even say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_reference_to_a_vanished_row_fails_its_event_alone(tenant: Tenant) -> None:
    user = User.objects.create(email="ada@example.com")

    def take_in(event: Event) -> None:
        number = event.payload["number"]
        user_id = NOBODY if number == 3 else user.pk
        # PostgreSQL checks this reference at the commit of the whole batch, by itself.
        Membership.unscoped.filter(user_id=user.pk).delete()
        Membership.unscoped.create(user_id=user_id, tenant=tenant)

    make_events(8)
    with handler_of(TYPE, function=take_in):
        settle_due()
    failed = Event.unscoped.get(status=EventStatus.FAILED)
    assert failed.payload["number"] == 3
    assert "IntegrityError" in failed.error_message
    assert Event.unscoped.filter(status=EventStatus.PROCESSED).count() == 7


@pytest.mark.parametrize(
    "error",
    [Unspeakable(), ValueError("half a pair: \ud83d"), ValueError("null: \x00")],
    ids=["unspeakable", "surrogate", "null"],
)
def test_error_that_cannot_be_stored_as_it_is_is_recorded(tenant: Tenant, error: Exception) -> None:
    def fail(event: Event) -> None:
        raise error

    event = make_event()
    with handler_of(TYPE, function=fail):
        settle_due()
    event.refresh_from_db()
    assert event.status == EventStatus.FAILED
    assert type(error).__name__ in event.error_message
    assert type(error).__name__ in Attempt.objects.get().traceback


@pytest.mark.parametrize("after", [float("inf"), float("nan"), 1e300, -5.0])
def test_wait_that_nobody_could_sit_out_is_bounded(tenant: Tenant, after: float) -> None:
    def ask(event: Event) -> None:
        raise Retry(after=after)

    event = make_event()
    with handler_of(TYPE, function=ask, retry=RetryPolicy(max_attempts=3)):
        settle_due()
    delivery = Delivery.objects.get(event=event)
    assert delivery.finished_at and delivery.next_attempt_at
    waits = (delivery.next_attempt_at - delivery.finished_at).total_seconds()
    assert 0 <= waits <= LONGEST_WAIT


def test_batch_that_takes_long_leaves_the_rest_for_the_next(tenant: Tenant) -> None:
    ran: list[int] = []
    make_events(batches.ONE_BY_ONE + 10)
    longest, batches.LONGEST = batches.LONGEST, -1.0
    try:
        with handler_of(TYPE, function=lambda event: ran.append(event.payload["number"])):
            _settle_once()
            assert ran == []
            batches.LONGEST = longest
            while settle_due():
                pass
    finally:
        batches.LONGEST = longest
    assert sorted(ran) == list(range(batches.ONE_BY_ONE + 10))
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}


def _settle_once() -> None:
    assert settle_due() > 0


def test_failure_counts_its_wait_from_when_it_happened(tenant: Tenant) -> None:
    seen: list[Any] = []

    def fail(event: Event) -> None:
        seen.extend(fetch_rows("SELECT clock_timestamp()", {}))
        raise Retry(after=0)

    make_event()
    with handler_of(TYPE, function=fail):
        settle_due()
    finished_at = Delivery.objects.get().finished_at
    assert finished_at
    assert (finished_at - seen[0][0]).total_seconds() > -0.05


def test_longest_batch_ends_long_before_its_worker_counts_as_frozen() -> None:
    assert settings.EVENT_BATCH_SECONDS / 2 >= batches.LONGEST
