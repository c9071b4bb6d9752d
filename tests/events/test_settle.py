"""What settling does with events and their database handlers."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import structlog

from events import publish
from events.models import Attempt, Delivery, DeliveryStatus, Event, EventStatus
from events.retry import Permanent, RetryPolicy
from events.settling import settle
from events.testing import handler_of
from salesflow.accounts.context import current_tenant, tenant_context
from salesflow.accounts.models import Membership, Tenant, User
from tests.events.factories import make_event, make_events
from tests.events.payloads import OtherHappened
from tests.factories import make_tenant, make_user

Settle = Callable[[], int]
TYPE = "thing.happened"


def _write_user(event: Event) -> None:
    """A handler with an effect that can be counted."""
    User.objects.create(email=f"{event.payload['number']}@example.com")


def _fail(event: Event) -> None:
    raise ValueError(f"no good: {event.payload['number']}")


def test_event_without_handlers_is_processed(tenant: Tenant) -> None:
    event = publish(OtherHappened())
    settle([event.id])
    event.refresh_from_db()
    assert event.status == EventStatus.PROCESSED
    assert event.processed_at is not None


def test_handler_succeeds_once(tenant: Tenant) -> None:
    [event] = make_events(1)
    with handler_of(TYPE, function=_write_user):
        assert settle([event.id]) == 1
        assert settle([event.id]) == 0
    delivery = Delivery.objects.get(event=event)
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.SUCCEEDED, 1)
    assert delivery.duration_ms is not None
    assert User.objects.count() == 1
    assert not Attempt.objects.exists()


def test_failing_handler_fails_the_event_with_its_traceback(tenant: Tenant) -> None:
    event = make_event(4)
    with handler_of(TYPE, function=_fail, name="checks_goods"):
        settle([event.id])
    event.refresh_from_db()
    assert event.status == EventStatus.FAILED
    assert event.error_message == "checks_goods: ValueError: no good: 4"
    attempt = Attempt.objects.get(delivery__event=event)
    assert (attempt.error_type, attempt.number) == ("ValueError", 1)
    assert "in _fail" in attempt.traceback


def test_poison_event_fails_alone(tenant: Tenant) -> None:
    def write_unless_13(event: Event) -> None:
        _write_user(event)
        if event.payload["number"] == 13:
            raise ValueError("unlucky")

    events = make_events(40)
    with handler_of(TYPE, function=write_unless_13):
        settle([event.id for event in events])
    failed = Event.objects.filter(status=EventStatus.FAILED)
    assert [event.payload["number"] for event in failed] == [13]
    assert Event.objects.filter(status=EventStatus.PROCESSED).count() == 39
    assert User.objects.count() == 39
    assert not User.objects.filter(email="13@example.com").exists()


def test_batch_handler_gets_one_list_a_tenant(tenant: Tenant) -> None:
    calls: list[tuple[Tenant, int]] = []

    def note(events: list[Event]) -> None:
        calls.append((current_tenant(), len(events)))

    mine = make_events(3)
    with tenant_context(make_tenant("other")) as other:
        theirs = make_events(2)
    with handler_of(TYPE, function=note, batch=True):
        settle([event.id for event in mine + theirs])
    assert calls == [(tenant, 3), (other, 2)]


def test_poison_event_in_a_batch_is_isolated(tenant: Tenant) -> None:
    def write_all(events: list[Event]) -> None:
        for event in events:
            _write_user(event)
        if any(event.payload["number"] == 5 for event in events):
            raise ValueError("five")

    events = make_events(16)
    with handler_of(TYPE, function=write_all, batch=True):
        settle([event.id for event in events])
    assert Event.objects.get(status=EventStatus.FAILED).payload["number"] == 5
    assert User.objects.count() == 15


def test_database_error_in_a_handler_spares_the_others(tenant: Tenant) -> None:
    make_user(email="2@example.com")
    events = make_events(4)
    with handler_of(TYPE, function=_write_user):
        settle([event.id for event in events])
    failed = Event.objects.get(status=EventStatus.FAILED)
    assert failed.payload["number"] == 2
    assert "IntegrityError" in failed.error_message


def test_failing_handler_does_not_hinder_another(tenant: Tenant) -> None:
    event = make_event()
    with handler_of(TYPE, function=_fail), handler_of(TYPE, function=_write_user):
        settle([event.id])
    statuses = dict(Delivery.objects.values_list("handler", "status"))
    assert statuses == {"_fail": DeliveryStatus.FAILED, "_write_user": DeliveryStatus.SUCCEEDED}
    assert User.objects.count() == 1


def test_failed_delivery_waits_for_its_next_try(tenant: Tenant) -> None:
    event = make_event()
    policy = RetryPolicy(max_attempts=3, base=3600)
    with handler_of(TYPE, function=_fail, retry=policy):
        settle([event.id])
        settle([event.id])
    event.refresh_from_db()
    delivery = Delivery.objects.get(event=event)
    assert event.status == EventStatus.PENDING
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.PENDING, 1)
    assert delivery.next_attempt_at == event.due_at


def test_retry_succeeds_when_the_trouble_is_over(tenant: Tenant, settle_events: Settle) -> None:
    tries: list[int] = []

    def fail_twice(event: Event) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise ValueError("not yet")

    event = make_event()
    with handler_of(TYPE, function=fail_twice, retry=RetryPolicy(max_attempts=3)):
        settle_events()
    event.refresh_from_db()
    assert (event.status, event.error_message) == (EventStatus.PROCESSED, "")
    history = Attempt.objects.values_list("number", "status")
    assert list(history) == [(1, "failed"), (2, "failed"), (3, "succeeded")]


def test_permanent_error_is_not_retried(tenant: Tenant) -> None:
    def give_up(event: Event) -> None:
        raise Permanent("the address does not exist")

    event = make_event()
    with handler_of(TYPE, function=give_up, retry=RetryPolicy(max_attempts=9)):
        settle([event.id])
    event.refresh_from_db()
    assert event.status == EventStatus.FAILED


def test_handler_sees_the_tenant_of_the_event(tenant: Tenant) -> None:
    seen: list[Any] = []
    event = make_event()
    with tenant_context(make_tenant("other")):
        with handler_of(TYPE, function=lambda event: seen.append(current_tenant()), name="see"):
            settle([event.id])
    assert seen == [tenant]


def test_published_effect_names_its_cause_and_request(tenant: Tenant) -> None:
    event = publish(make_event().data, request_id="r-9")
    with handler_of(TYPE, function=lambda event: publish(OtherHappened()), name="chain"):
        settle([event.id])
    effect = Event.objects.get(type="other.happened")
    assert (effect.cause_id, effect.request_id) == (event.id, "r-9")


def test_events_of_a_tenant_that_is_gone_do_not_hinder_others(tenant: Tenant) -> None:
    orphan, event = make_events(2)
    gone = uuid4()
    Event.unscoped.filter(pk=orphan.pk).update(tenant_id=gone)
    with handler_of(TYPE, function=_write_user):
        settle([orphan.id, event.id])
    orphan.refresh_from_db()
    event.refresh_from_db()
    assert (orphan.status, event.status) == (EventStatus.FAILED, EventStatus.PROCESSED)
    assert str(gone) in orphan.error_message


def test_vanished_handler_fails_with_its_name(tenant: Tenant, settle_events: Settle) -> None:
    event = make_event()
    with handler_of(TYPE, function=_fail, name="gone", retry=RetryPolicy(max_attempts=9)):
        settle([event.id])
    settle_events()
    event.refresh_from_db()
    assert event.status == EventStatus.FAILED
    assert "“gone”" in event.error_message


@pytest.mark.django_db
def test_settling_costs_the_same_number_of_statements_for_any_batch(
    tenant: Tenant, django_assert_num_queries: Any
) -> None:
    def note(events: list[Event]) -> None:
        Membership.objects.filter(pk__in=[0]).delete()

    for count in (5, 50):
        ids = [event.id for event in make_events(count)]
        # Django's: savepoint, tenants, savepoint, handler, constraints, release, release; the
        # outermost savepoint stands for the transaction. The driver's own are one a table.
        with handler_of(TYPE, function=note, batch=True), django_assert_num_queries(7):
            settle(ids)


def test_log_lines_of_a_handler_name_event_and_request(
    tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    def complain(event: Event) -> None:
        structlog.get_logger("shop").warning("spoke")
        raise ValueError("no good")

    event = publish(make_event().data, request_id="r-9")
    with handler_of(TYPE, function=complain):
        settle([event.id])
    lines: list[Any] = [record.msg for record in caplog.records]
    assert [line["event"] for line in lines] == ["spoke", "handler_failed"]
    for line in lines:
        assert (line["event_id"], line["request_id"]) == (str(event.id), "r-9")
        assert (line["handler"], line["tenant"]) == ("complain", "acme")
