"""Handlers with external effects: counted and leased before the call, reported after it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from events import publish, replay_event
from events.external import run_delivery, run_due, sweep
from events.external.calling import Result
from events.external.leasing import DUE_HANDLERS, TAKE_NEXT, lease_next
from events.external.reporting import report
from events.models import Attempt, Delivery, DeliveryStatus, Event, EventStatus
from events.retry import Permanent, Postpone, Retry, RetryPolicy
from events.settling import settle
from events.testing import handler_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event, make_events
from tests.events.payloads import OtherHappened
from tests.events.switches import Switch
from tests.events.threads import at_once, in_own_connection
from tests.factories import make_tenant

Settle = Callable[[], int]
TYPE = "thing.happened"

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def event(transactional_db: None, tenant: Tenant) -> Event:
    return make_event()


def _hand_over(events: list[Event]) -> None:
    settle([event.id for event in events])


# --- The call -----------------------------------------------------------------------------------


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


def test_delivery_is_refused_within_a_transaction(event: Event) -> None:
    called: list[Event] = []
    with handler_of(TYPE, function=called.append, name="call", effects="external"):
        _hand_over([event])
        with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
            run_delivery(Delivery.objects.get().pk)
    assert called == []
    assert Delivery.objects.get().attempts == 0


def test_event_waits_for_its_external_handler(event: Event) -> None:
    with handler_of(TYPE, function=print, name="call", effects="external"):
        settle([event.id])
    event.refresh_from_db()
    assert event.status == EventStatus.PENDING


def test_attempt_and_lease_are_committed_before_the_call(event: Event) -> None:
    seen: list[Delivery] = []

    def look() -> Delivery:
        return in_own_connection(Delivery.objects.get)

    with handler_of(
        TYPE,
        function=lambda event: seen.extend(at_once(1, look)),
        name="call",
        effects="external",
    ):
        _hand_over([event])
        assert run_due() == 1
    [during] = seen
    assert (during.status, during.attempts) == (DeliveryStatus.RUNNING, 1)
    assert during.lease_expires_at
    assert during.lease_expires_at > timezone.now()


def test_delivery_is_not_run_by_a_second_nudge(event: Event) -> None:
    with handler_of(TYPE, function=print, name="call", effects="external"):
        _hand_over([event])
        pk = Delivery.objects.get().pk
        assert run_delivery(pk) is True
        assert run_delivery(pk) is False
        assert run_due() == 0


def test_delivery_goes_to_one_of_many_workers(event: Event) -> None:
    called: list[Event] = []
    with handler_of(TYPE, function=called.append, name="call", effects="external"):
        _hand_over([event])
        assert sorted(at_once(6, run_due)) == [0, 0, 0, 0, 0, 1]
    assert len(called) == 1
    assert Delivery.objects.get().attempts == 1


def test_delivery_that_was_not_handed_over_is_left_alone(event: Event) -> None:
    with handler_of(TYPE, function=print, name="call", effects="external"):
        Delivery.objects.create(event=event, handler="call")
        assert run_due() == 0


def test_lease_is_not_overwritten_by_a_settling_that_runs_meanwhile(event: Event) -> None:
    """A settling transaction that read the delivery before it was leased would undo the lease."""
    with handler_of(TYPE, function=print, name="call", effects="external"):
        _hand_over([event])
        with transaction.atomic():
            Event.unscoped.select_for_update(no_key=True).get(pk=event.pk)
            assert at_once(1, lease_next) == [None]
        assert lease_next()


# --- What comes of it ---------------------------------------------------------------------------


def test_retry_comes_when_the_handler_asks_for_it(event: Event) -> None:
    def busy(event: Event) -> None:
        raise Retry(after=600)

    with handler_of(
        TYPE, function=busy, effects="external", retry=RetryPolicy(max_attempts=5, base=1)
    ):
        _hand_over([event])
        run_due()
        assert run_due() == 0
    delivery = Delivery.objects.get()
    assert delivery.status == DeliveryStatus.PENDING
    assert delivery.next_attempt_at
    assert delivery.finished_at
    assert (delivery.next_attempt_at - delivery.finished_at).total_seconds() == 600


def test_permanent_failure_is_not_tried_again(event: Event) -> None:
    switch = Switch()
    switch.error = Permanent("no such number")
    with handler_of(
        TYPE, function=switch, effects="external", name="call", retry=RetryPolicy(max_attempts=5)
    ):
        _hand_over([event])
        run_due()
    event.refresh_from_db()
    assert event.status == EventStatus.FAILED
    assert event.error_message == "call: Permanent: no such number"


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
        replay_event(event.id, handlers=["fail_once"], include_external=True)
        settle_events()
    assert keys == [f"{event.id}:fail_once"] * 3


def test_failure_names_worker_and_exception(event: Event) -> None:
    with handler_of(TYPE, function=Switch(), name="call", effects="external"):
        _hand_over([event])
        run_due()
    attempt = Attempt.objects.get()
    assert (attempt.number, attempt.error_type) == (1, "RuntimeError")
    assert "the switch is off" in attempt.traceback
    assert attempt.worker == Delivery.objects.get().worker != ""


def test_success_lets_the_next_event_of_the_subject_go(tenant: Tenant) -> None:
    switch = Switch()
    switch.on = True
    events = make_events(3)
    with handler_of(TYPE, function=switch, name="call", effects="external", ordered=True):
        _hand_over(events)
        for number in range(3):
            assert run_due() == 1
            assert switch.numbers == list(range(number + 1))
            _hand_over(events)


def test_report_survives_a_lost_connection(event: Event) -> None:
    """As after a restart of the server: else the call would be made again."""
    called: list[Event] = []

    def call(event: Event) -> None:
        called.append(event)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pid = cursor.fetchone()[0]
        at_once(1, lambda: _terminate(pid))

    with handler_of(TYPE, function=call, effects="external"):
        _hand_over([event])
        run_due()
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.attempts, len(called)) == (DeliveryStatus.SUCCEEDED, 1, 1)


def _terminate(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


# --- Lost leases --------------------------------------------------------------------------------


def test_lost_worker_counts_as_a_failed_attempt(event: Event) -> None:
    with handler_of(TYPE, function=print, name="call", effects="external"):
        _hand_over([event])
        lease_next()
        Delivery.objects.update(worker="elsewhere:42", lease_expires_at=Now())
        assert sweep() == 1
    event.refresh_from_db()
    assert event.status == EventStatus.FAILED
    assert "worker lost" in event.error_message
    attempt = Attempt.objects.get()
    assert (attempt.number, attempt.error_type) == (1, "LeaseLost")
    assert attempt.worker == "elsewhere:42"


def test_lost_call_is_made_again_by_policy(event: Event) -> None:
    called: list[Event] = []
    with handler_of(
        TYPE,
        function=called.append,
        name="call",
        effects="external",
        retry=RetryPolicy(max_attempts=3, base=0),
    ):
        _hand_over([event])
        lease_next()
        Delivery.objects.update(lease_expires_at=Now())
        sweep()
        assert run_due() == 1
    event.refresh_from_db()
    assert (len(called), event.status) == (1, EventStatus.PROCESSED)
    assert Delivery.objects.get().attempts == 2


def test_lease_that_lives_is_not_rescued(event: Event) -> None:
    with handler_of(TYPE, function=print, name="call", effects="external"):
        _hand_over([event])
        lease_next()
        # Due long before every timeout: what counts is the heartbeat, not the age.
        Delivery.objects.update(next_attempt_at="2020-01-01 00:00Z")
        Event.unscoped.update(due_at="2020-01-01 00:00Z")
        assert sweep() == 0
    assert Delivery.objects.get().status == DeliveryStatus.RUNNING


def test_late_report_of_a_lost_lease_changes_nothing(event: Event) -> None:
    with handler_of(
        TYPE,
        function=print,
        name="call",
        effects="external",
        retry=RetryPolicy(max_attempts=3, base=0),
    ):
        _hand_over([event])
        first = lease_next()
        assert first
        Delivery.objects.update(lease_expires_at=Now())
        sweep()
        before = Delivery.objects.values().get()
        assert report(first, Result(None, 1.0)) is False
        assert Delivery.objects.values().get() == before
        second = lease_next()
        assert second
        assert report(first, Result(ValueError("late"), 1.0)) is False
        assert report(second, Result(None, 1.0)) is True
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.SUCCEEDED, 2)


def test_two_sweepers_rescue_a_lease_once(tenant: Tenant) -> None:
    events = make_events(10)
    with handler_of(TYPE, function=print, name="call", effects="external", concurrency=10):
        _hand_over(events)
        for _event in events:
            lease_next()
        Delivery.objects.update(lease_expires_at=Now())
        assert sum(at_once(4, sweep)) == 10
    assert Attempt.objects.count() == 10


def test_rescue_takes_as_many_queries_for_many_leases_as_for_one(
    tenant: Tenant,
    django_assert_num_queries: DjangoAssertNumQueries,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    def lose(count: int) -> None:
        events = make_events(count)
        _hand_over(events)
        for _event in events:
            lease_next()
        Delivery.objects.filter(status="running").update(lease_expires_at=Now())

    with handler_of(TYPE, function=print, name="call", effects="external"):
        lose(1)
        with django_assert_max_num_queries(20) as one:
            sweep()
        lose(12)
        with django_assert_num_queries(len(one)):
            sweep()


# --- Whose turn it is ---------------------------------------------------------------------------


def test_tenants_take_turns(tenant: Tenant) -> None:
    other, third = make_tenant("other"), make_tenant("third")
    with handler_of(TYPE, function=print, name="call", effects="external"):
        events = make_events(5)
        for late in (other, third):
            with tenant_context(late):
                events += make_events(2)
        _hand_over(events)
        served = [lease.event.tenant_id for lease in iter(lease_next, None)]
    assert len(served) == 9
    for one in (tenant, other, third):
        assert one.id in served[:3]
        assert one.id in served[3:6]
    assert served[6:] == [tenant.id] * 3


def test_handlers_take_turns(tenant: Tenant) -> None:
    with (
        handler_of(TYPE, function=print, name="busy", effects="external"),
        handler_of("other.happened", function=print, name="idle", effects="external"),
    ):
        _hand_over([*make_events(5), publish(OtherHappened())])
        first = [lease.handler.name for lease in (lease_next(), lease_next()) if lease]
    assert sorted(first) == ["busy", "idle"]


def test_concurrency_is_kept_however_many_workers_ask(tenant: Tenant) -> None:
    with handler_of(TYPE, function=print, name="call", effects="external", concurrency=3):
        _hand_over(make_events(20))
        leases = [lease for lease in at_once(10, lease_next) if lease]
        assert len(leases) == 3
        assert report(leases[0], Result(None, 1.0))
        assert len([lease for lease in at_once(10, lease_next) if lease]) == 1


def test_lost_lease_gives_its_place_free(tenant: Tenant) -> None:
    with handler_of(TYPE, function=print, name="call", effects="external", concurrency=1):
        _hand_over(make_events(2))
        assert lease_next()
        assert lease_next() is None
        Delivery.objects.filter(status="running").update(lease_expires_at=Now())
        assert lease_next()


def test_busy_handler_leaves_the_others_alone(tenant: Tenant) -> None:
    with (
        handler_of(TYPE, function=print, name="busy", effects="external", concurrency=1),
        handler_of("other.happened", function=print, name="idle", effects="external"),
    ):
        _hand_over(make_events(2))
        lease_next()
        _hand_over([publish(OtherHappened())])
        assert run_due() == 1
    assert Delivery.objects.get(handler="idle").status == DeliveryStatus.SUCCEEDED


def test_nothing_of_another_tenant_is_seen_by_the_handler(tenant: Tenant) -> None:
    seen: list[tuple[object, int]] = []

    def look(event: Event) -> None:
        seen.append((event.payload["number"], Event.objects.count()))

    with handler_of(TYPE, function=look, effects="external"):
        events = make_events(2)
        with tenant_context(make_tenant("other")):
            events += make_events(1)
        _hand_over(events)
        run_due()
    assert sorted(seen) == [(0, 1), (0, 2), (1, 2)]


@pytest.mark.parametrize(
    ("statement", "values", "index"),
    [
        (DUE_HANDLERS, [["call"]], "deliveries_to_call"),
        (
            TAKE_NEXT,
            {"handler": "call", "after": "00000000-0000-0000-0000-000000000000"},
            "deliveries_to_call_by_tenant",
        ),
    ],
)
def test_due_deliveries_are_found_by_index(statement: str, values: Any, index: str) -> None:
    """The tables are small here: what would be used in large ones is asked for."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {statement}", values)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert index in plan
    assert "Seq Scan" not in plan


def test_limits_can_be_disregarded(event: Event) -> None:
    with handler_of(TYPE, function=print, name="call", effects="external", concurrency=1):
        _hand_over([event, make_event()])
        first, second = Delivery.objects.order_by("pk")
        assert lease_next()
        waiting = second if Delivery.objects.get(pk=first.pk).attempts else first
        assert run_delivery(waiting.pk) is False
        assert run_delivery(waiting.pk, heed_limits=False) is True


# --- Postponing ---------------------------------------------------------------------------------


def test_postponed_call_burns_no_attempt_however_often(event: Event) -> None:
    service = Switch()
    service.error = Postpone(after=3600, reason="the account sends no more this minute")
    retry = RetryPolicy(max_attempts=2)
    with handler_of(TYPE, function=service, name="call", effects="external", retry=retry):
        _hand_over([event])
        for _time in range(5):
            Delivery.objects.update(next_attempt_at=Now())
            assert run_due() == 1
        delivery = Delivery.objects.get()
        assert (delivery.status, delivery.attempts) == (DeliveryStatus.PENDING, 0)
        assert (delivery.failures, delivery.error) == (0, "")
        assert delivery.next_attempt_at
        assert 3500 < (delivery.next_attempt_at - timezone.now()).total_seconds() <= 3600
        assert not Attempt.objects.exists()
        service.on = True
        Delivery.objects.update(next_attempt_at=Now())
        assert run_due() == 1
    event.refresh_from_db()
    assert event.status == EventStatus.PROCESSED
    assert Delivery.objects.get().attempts == 1
