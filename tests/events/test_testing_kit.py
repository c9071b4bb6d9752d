"""The kit for people who write handlers: what it does, and what it says when a test fails."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import translation

from events import publish, registry
from events.models import Delivery, Event, EventStatus
from events.registry import BreakerPolicy, Handler
from events.retry import RetryPolicy
from events.settling import settle
from events.testing import (
    assert_not_published,
    assert_published,
    capture_events,
    handler_of,
    published,
    run_handler,
    settle_events,
)
from salesflow.accounts.context import current_tenant, tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant, User
from tests.events.factories import make_event, make_events
from tests.events.payloads import OtherHappened, ThingHappened
from tests.factories import make_tenant

pytestmark = pytest.mark.django_db


def chain(event: Event) -> None:
    """Publish an effect."""
    publish(OtherHappened(number=event.payload["number"]))


def fail(event: Event) -> None:
    raise ValueError("no good")


def fail_half_way(event: Event) -> None:
    User.objects.create(email="half@example.com")
    fail(event)


def thing(number: int = 0) -> ThingHappened:
    return ThingHappened(thing_id=uuid7(), number=number)


@pytest.fixture
def chaining() -> Iterator[Handler]:
    with handler_of(ThingHappened, function=chain) as handler:
        yield handler


# --- Settling, within the test's transaction ----------------------------------------------------


def test_settling_goes_on_with_what_handlers_publish(tenant: Tenant, chaining: Handler) -> None:
    make_events(2)
    assert settle_events() == 4
    assert not Event.objects.exclude(status=EventStatus.PROCESSED).exists()


def test_external_handlers_run_within_a_tests_transaction(tenant: Tenant) -> None:
    assert connection.in_atomic_block
    keys: list[str] = []
    event = make_event()
    with handler_of(
        ThingHappened,
        function=lambda event: keys.append(event.idempotency_key),
        name="call",
        effects="external",
    ):
        settle_events()
    assert keys == [f"{event.id}:call"]


def test_neither_waits_nor_open_breakers_hold_retries_back(tenant: Tenant) -> None:
    make_events(3)
    with handler_of(
        ThingHappened,
        function=fail,
        effects="external",
        retry=RetryPolicy(max_attempts=4, base=3600),
        breaker=BreakerPolicy(minimum=2),
        concurrency=1,
    ):
        settle_events()
    assert set(Delivery.objects.values_list("status", "attempts")) == {("failed", 4)}


def test_event_that_waits_for_a_failed_one_stays_pending(tenant: Tenant) -> None:
    subject = uuid7()
    with handler_of(ThingHappened, function=fail, ordered=True):
        make_events(2, subject)
        settle_events()
    statuses = Event.objects.order_by("position").values_list("status", flat=True)
    assert list(statuses) == [EventStatus.FAILED, EventStatus.PENDING]


def test_chain_without_an_end_is_told(tenant: Tenant) -> None:
    def echo(event: Event) -> None:
        publish(event.data)

    make_event(7)
    with handler_of(ThingHappened, function=echo):
        with pytest.raises(AssertionError, match=r"still pending after 50 rounds:\n.*number=7"):
            settle_events()


def test_handler_that_never_gives_up_is_named(tenant: Tenant) -> None:
    make_event()
    with handler_of(ThingHappened, function=fail, retry=RetryPolicy(max_attempts=1000)):
        with pytest.raises(AssertionError, match="fail: 50 tries, ValueError: no good"):
            settle_events()


# --- What was published -------------------------------------------------------------------------


def test_published_finds_by_class_by_type_and_by_what_it_says(tenant: Tenant) -> None:
    first, second = make_events(2)
    other = publish(OtherHappened(number=1))
    assert published() == [first, second, other]
    assert published(ThingHappened) == published("thing.happened") == [first, second]
    assert published(number=1) == [second, other]
    assert published(ThingHappened, number=1) == [second]


@pytest.mark.parametrize("as_told", [UUID, str], ids=["typed", "JSON"])
def test_values_are_compared_typed_and_as_they_stand(tenant: Tenant, as_told: Any) -> None:
    event = make_event()
    assert_published(ThingHappened, thing_id=as_told(event.payload["thing_id"]))


def test_another_tenants_events_do_not_count(tenant: Tenant) -> None:
    with tenant_context(make_tenant()):
        make_event()
    assert_not_published(ThingHappened)


def test_missing_event_fails_with_what_was_published(tenant: Tenant) -> None:
    publish(OtherHappened(number=3))
    with pytest.raises(AssertionError) as failure:
        assert_published(ThingHappened, number=4)
    assert str(failure.value) == (
        "Expected one thing.happened with number=4, but none was published. Published were:\n"
        "  other.happened(number=3)"
    )


def test_event_that_says_something_else_is_told_with_the_difference(tenant: Tenant) -> None:
    publish(OtherHappened(number=3))
    with pytest.raises(AssertionError) as failure:
        assert_published(OtherHappened, number=4)
    assert str(failure.value) == (
        "Expected one other.happened with number=4, but none was published. "
        "Those of that type say:\n"
        "  other.happened(number=3)  ≠ number=3"
    )


def test_event_published_twice_fails(tenant: Tenant) -> None:
    for _time in range(2):
        publish(OtherHappened(number=3))
    with pytest.raises(AssertionError, match=r"Expected one other.happened, but 2 were published"):
        assert_published(OtherHappened)


def test_event_that_should_not_be_there_fails(tenant: Tenant) -> None:
    publish(OtherHappened(number=3))
    with pytest.raises(AssertionError, match=r"Expected no other.happened.*\n  other.happened"):
        assert_not_published(OtherHappened)


def test_nothing_published_is_said(tenant: Tenant) -> None:
    with pytest.raises(AssertionError, match="Published were:\n  nothing"):
        assert_published(OtherHappened)


def test_long_log_is_cut(tenant: Tenant) -> None:
    make_events(23)
    with pytest.raises(AssertionError) as failure:
        assert_published(OtherHappened)
    assert "  … and 3 before\n" in str(failure.value)
    assert "number=22, " in str(failure.value)


def test_slip_in_a_fields_name_is_told(tenant: Tenant) -> None:
    with pytest.raises(AssertionError, match=r"OtherHappened has no field “nubmer”.*: number"):
        assert_not_published(OtherHappened, nubmer=3)


def test_captured_are_those_of_the_block(tenant: Tenant) -> None:
    make_event()
    with capture_events() as events:
        inside = publish(OtherHappened())
    make_event()
    assert events == [inside]


# --- One handler --------------------------------------------------------------------------------


def test_handler_runs_alone_and_tells_what_it_published(tenant: Tenant, chaining: Handler) -> None:
    with handler_of(ThingHappened, function=fail):
        [effect] = run_handler(chain, thing(5))
        assert (effect.type, effect.payload) == ("other.happened", {"number": 5})
        assert effect.cause_id == assert_published(ThingHappened).id
        settle_events()
    assert not Event.objects.filter(status=EventStatus.FAILED).exists()


@pytest.mark.parametrize("by", ["function", "name", "handler"])
def test_handler_is_given_in_any_form(tenant: Tenant, chaining: Handler, by: str) -> None:
    forms: dict[str, Any] = {"function": chain, "name": "chain", "handler": chaining}
    assert len(run_handler(forms[by], thing())) == 1


def test_error_reaches_the_test_and_leaves_no_half_effect(tenant: Tenant) -> None:
    with handler_of(ThingHappened, function=fail_half_way) as handler:
        with pytest.raises(ValueError, match="no good"):
            run_handler(handler, thing())
    assert not User.objects.exists()
    assert published() == []


def test_batch_handler_gets_one_list(tenant: Tenant) -> None:
    sizes: list[int] = []

    def note(events: list[Event]) -> None:
        sizes.append(len(events))
        publish(OtherHappened())

    with handler_of(ThingHappened, function=note, batch=True) as handler:
        effects = run_handler(handler, thing(), thing())
    assert (sizes, len(effects)) == ([2], 1)


def test_external_handler_gets_its_key(tenant: Tenant) -> None:
    keys: list[str] = []

    def call(event: Event) -> None:
        keys.append(event.idempotency_key)

    with handler_of(ThingHappened, function=call, effects="external") as handler:
        run_handler(handler, thing())
    assert keys == [f"{assert_published(ThingHappened).id}:call"]


@pytest.mark.django_db(transaction=True)
def test_external_handler_runs_in_no_transaction(tenant: Tenant) -> None:
    seen: list[bool] = []

    def look(event: Event) -> None:
        seen.append(connection.in_atomic_block)

    with handler_of(ThingHappened, function=look, effects="external") as handler:
        run_handler(handler, thing())
    with handler_of(ThingHappened, function=look) as handler:
        run_handler(handler, thing())
    assert seen == [False, True]


def test_tenant_language_and_time_are_the_events(tenant: Tenant) -> None:
    other, moment = make_tenant("other", language="de"), datetime(2026, 1, 2, tzinfo=UTC)
    seen: list[Any] = []

    def look(event: Event) -> None:
        seen.append((current_tenant(), translation.get_language(), event.occurred_at))

    with handler_of(ThingHappened, function=look) as handler:
        run_handler(handler, thing(), tenant=other, occurred_at=moment)
    assert seen == [(other, "de", moment)]


def test_wrong_event_is_refused(tenant: Tenant, chaining: Handler) -> None:
    with pytest.raises(
        ValueError, match=r"“chain” does not listen to other.happened, but to thing"
    ):
        run_handler(chain, OtherHappened())


def test_function_that_is_no_handler_is_refused(tenant: Tenant) -> None:
    with pytest.raises(LookupError, match="fail is no handler: decorate it"):
        run_handler(fail, thing())


def test_unknown_name_is_refused_with_the_nearest(tenant: Tenant, chaining: Handler) -> None:
    with pytest.raises(LookupError, match=r"No handler is called “chian”. Did you mean “chain”?"):
        run_handler("chian", thing())


def test_function_with_several_names_is_refused(tenant: Tenant, chaining: Handler) -> None:
    with handler_of(OtherHappened, function=chain, name="second"):
        with pytest.raises(LookupError, match=r"chain is several handlers.*\(chain, second\)"):
            run_handler(chain, thing())


def test_handler_of_a_test_goes_with_its_block(tenant: Tenant) -> None:
    with handler_of(ThingHappened, function=chain):
        assert registry.get_handler("chain")
    assert registry.get_handler("chain") is None
    settle([make_event().id])
    assert not Delivery.objects.exists()
