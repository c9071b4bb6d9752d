"""Handlers with external effects."""

from collections.abc import Callable

import pytest
from django.db import connection

from events.external import run_delivery, sweep
from events.models import Attempt, Delivery, DeliveryStatus, Event, EventStatus
from events.retry import Retry, RetryPolicy
from events.settling import settle
from events.testing import handler_of
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event

Settle = Callable[[], int]
TYPE = "thing.happened"

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def event(transactional_db: None, tenant: Tenant) -> Event:
    return make_event()


def test_external_handler_runs_outside_any_transaction(event: Event, settle_events: Settle) -> None:
    seen: list[bool] = []
    with handler_of(
        TYPE,
        function=lambda event: seen.append(connection.in_atomic_block),
        name="call",
        effects="external",
    ):
        settle_events()
    event.refresh_from_db()
    assert (seen, event.status) == ([False], EventStatus.PROCESSED)


def test_event_waits_for_its_external_handler(event: Event) -> None:
    with handler_of(TYPE, function=print, name="call", effects="external"):
        settle([event.id])
    event.refresh_from_db()
    assert event.status == EventStatus.PENDING


def test_attempt_and_lease_are_committed_before_the_call(event: Event) -> None:
    seen: list[Delivery] = []
    with handler_of(
        TYPE,
        function=lambda event: seen.append(Delivery.objects.get()),
        name="call",
        effects="external",
    ):
        settle([event.id])
        run_delivery(Delivery.objects.get().pk)
    [during] = seen
    assert (during.status, during.attempts) == (DeliveryStatus.RUNNING, 1)
    assert during.lease_expires_at is not None


def test_delivery_is_not_run_by_a_second_nudge(event: Event) -> None:
    with handler_of(TYPE, function=print, name="call", effects="external"):
        settle([event.id])
        pk = Delivery.objects.get().pk
        assert run_delivery(pk) is True
        assert run_delivery(pk) is False


def test_retry_comes_when_the_handler_asks_for_it(event: Event) -> None:
    def busy(event: Event) -> None:
        raise Retry(after=600)

    with handler_of(
        TYPE, function=busy, effects="external", retry=RetryPolicy(max_attempts=5, base=1)
    ):
        settle([event.id])
        run_delivery(Delivery.objects.get().pk)
    delivery = Delivery.objects.get()
    assert delivery.status == DeliveryStatus.PENDING
    assert delivery.next_attempt_at and delivery.finished_at
    assert (delivery.next_attempt_at - delivery.finished_at).total_seconds() == 600


def test_idempotency_key_is_the_same_at_every_attempt(event: Event, settle_events: Settle) -> None:
    keys: list[str] = []

    def fail_once(event: Event) -> None:
        keys.append(event.idempotency_key)
        if len(keys) == 1:
            raise ValueError("timeout")

    with handler_of(
        TYPE, function=fail_once, effects="external", retry=RetryPolicy(max_attempts=5)
    ):
        settle_events()
    assert keys == [f"{event.id}:fail_once"] * 2


def test_lost_worker_counts_as_a_failed_attempt(event: Event) -> None:
    with handler_of(TYPE, function=print, name="call", effects="external"):
        settle([event.id])
        # What a worker leaves that was killed during the call, long ago.
        Delivery.objects.update(
            status=DeliveryStatus.RUNNING, attempts=1, lease_expires_at=event.created_at
        )
        sweep()
    event.refresh_from_db()
    assert event.status == EventStatus.FAILED
    assert "worker lost" in event.error_message
    assert Attempt.objects.get().number == 1


def test_late_report_of_a_lost_worker_changes_nothing(event: Event) -> None:
    def lose_the_lease(event: Event) -> None:
        Delivery.objects.update(attempts=2, error="another worker has it")

    with handler_of(TYPE, function=lose_the_lease, effects="external"):
        settle([event.id])
        run_delivery(Delivery.objects.get().pk)
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.error) == (DeliveryStatus.RUNNING, "another worker has it")
