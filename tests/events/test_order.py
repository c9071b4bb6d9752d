"""Handlers that take the events of a subject in the order in which they were published."""

from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import pytest

from events import publish_many, replay_event
from events.external import run_delivery
from events.models import Delivery, Event, EventStatus
from events.publishing import Draft
from events.retry import RetryPolicy
from events.settling import settle, settle_due
from events.testing import handler_of
from salesflow.accounts.models import Tenant
from tests.events.payloads import ThingHappened

pytestmark = pytest.mark.django_db(transaction=True)
TYPE = "thing.happened"
ONE, TWO = uuid4(), uuid4()


class Recorder:
    """An ordered handler that writes down what it did, and fails for chosen numbers."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.broken: set[int] = set()

    def __call__(self, event: Event) -> None:
        number = event.payload["number"]
        if number in self.broken:
            raise ValueError(f"broken: {number}")
        self.done.append(number)


@pytest.fixture
def recorder(tenant: Tenant) -> Iterator[Recorder]:
    recorder = Recorder()
    with handler_of(TYPE, function=recorder, name="records", ordered=True):
        yield recorder


def change(subject: UUID, *numbers: int) -> list[Event]:
    """Publish a change of the subject for each number."""
    return publish_many(Draft(ThingHappened(thing_id=subject, number=number)) for number in numbers)


def settle_all() -> None:
    while settle_due():
        pass


def status_of(event: Event) -> str:
    return str(Event.unscoped.get(pk=event.pk).status)


def test_events_of_a_subject_are_handled_in_order(recorder: Recorder) -> None:
    change(ONE, 1, 2, 3)
    settle_all()
    assert recorder.done == [1, 2, 3]


def test_successor_waits_for_an_event_of_another_batch(recorder: Recorder) -> None:
    [first, second] = change(ONE, 1, 2)
    settle([second.id])
    assert recorder.done == []
    assert status_of(second) == EventStatus.PENDING
    assert str(first.id) in Delivery.objects.get(event=second).error
    settle([first.id])
    settle_all()
    assert recorder.done == [1, 2]


def test_event_between_two_of_a_batch_is_waited_for(recorder: Recorder) -> None:
    [first, _between, last] = change(ONE, 1, 2, 3)
    settle([first.id, last.id])
    assert recorder.done == [1]
    settle_all()
    assert recorder.done == [1, 2, 3]


def test_failed_event_parks_its_successors_alone(recorder: Recorder) -> None:
    recorder.broken = {2}
    events = change(ONE, 1, 2, 3, 4)
    change(TWO, 11, 12)
    settle_all()
    # What was undone because another one of the batch failed, is run again.
    assert set(recorder.done) == {1, 11, 12}
    statuses = [status_of(event) for event in events]
    assert statuses == ["processed", "failed", "pending", "pending"]


def test_event_published_after_a_failure_is_parked_too(recorder: Recorder) -> None:
    recorder.broken = {1}
    change(ONE, 1)
    settle_all()
    [later] = change(ONE, 2)
    settle_all()
    assert status_of(later) == EventStatus.PENDING
    assert recorder.done == []


def test_replay_of_the_failed_one_releases_its_successors_in_order(recorder: Recorder) -> None:
    recorder.broken = {1}
    [failed, *_others] = change(ONE, 1, 2, 3)
    settle_all()
    recorder.broken = set()
    replay_event(failed.id)
    settle_all()
    assert recorder.done == [1, 2, 3]
    assert set(Event.unscoped.values_list("status", flat=True)) == {EventStatus.PROCESSED}


def test_retried_event_keeps_its_place(tenant: Tenant, settle_events: Callable[[], int]) -> None:
    recorder = Recorder()
    recorder.broken = {1}
    policy = RetryPolicy(max_attempts=9, base=3600)
    with handler_of(TYPE, function=recorder, name="records", ordered=True, retry=policy):
        change(ONE, 1, 2)
        settle_all()
        assert recorder.done == []
        recorder.broken = set()
        settle_events()
    assert recorder.done == [1, 2]


def test_unordered_handler_of_the_same_events_does_not_wait(recorder: Recorder) -> None:
    recorder.broken = {1}
    seen: list[int] = []

    def see(event: Event) -> None:
        seen.append(event.payload["number"])

    with handler_of(TYPE, function=see):
        change(ONE, 1, 2)
        settle_all()
    assert sorted(seen) == [1, 2]
    assert recorder.done == []


def test_batch_handler_keeps_the_order_around_a_failure(tenant: Tenant) -> None:
    done: list[int] = []

    def take(events: list[Event]) -> None:
        numbers = [event.payload["number"] for event in events]
        if 2 in numbers:
            raise ValueError("two")
        done.extend(numbers)

    with handler_of(TYPE, function=take, name="takes", ordered=True, batch=True):
        change(ONE, 1, 2, 3)
        change(TWO, 21)
        settle_all()
    assert sorted(done) == [1, 21]


def test_event_that_was_let_go_stays_due_when_another_call_reports_on_it(tenant: Tenant) -> None:
    with (
        handler_of(TYPE, function=print, name="in_order", effects="external", ordered=True),
        handler_of(TYPE, function=print, name="at_once", effects="external"),
    ):
        first, second = change(ONE, 1, 2)
        settle_due()
        run_delivery(first.deliveries.get(handler="in_order").pk)
        run_delivery(second.deliveries.get(handler="at_once").pk)
        assert settle_due() == 1
    assert second.deliveries.get(handler="in_order").next_attempt_at is not None


def test_newer_handler_does_not_wait_for_what_it_will_never_get(tenant: Tenant) -> None:
    broken = Recorder()
    broken.broken = {1}
    with handler_of(TYPE, function=broken, name="fails"):
        change(ONE, 1)
        settle_all()
        newer = Recorder()
        with handler_of(TYPE, function=newer, name="newer", ordered=True):
            [later] = change(ONE, 2)
            settle_all()
    assert newer.done == [2]
    assert status_of(later) == EventStatus.PROCESSED


def test_success_of_an_external_handler_wakes_the_next_event_alone(tenant: Tenant) -> None:
    with handler_of(TYPE, function=print, name="in_order", effects="external", ordered=True):
        first, *others = change(ONE, 1, 2, 3, 4)
        settle_due()
        run_delivery(first.deliveries.get().pk)
        assert settle_due() == 1
    handed_over = Delivery.objects.filter(event__in=others, next_attempt_at__isnull=False)
    assert [delivery.event_id for delivery in handed_over] == [others[0].id]
