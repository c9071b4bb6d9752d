"""Paused handlers: what comes for them waits, nothing is lost, and order is kept."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction

from events import journal, publish_many, replay_event
from events.backlog import probe, read_backlog
from events.external import run_due
from events.external import sweep as sweep_external
from events.models import AuditLine, Delivery, DeliveryStatus, Event, EventStatus, HandlerPause
from events.models.delivery import UNTIL_RESUMED
from events.pauses import (
    LET_GO,
    UnknownHandler,
    let_go,
    pause_handler,
    paused_handlers,
    resume_handler,
)
from events.publishing import Draft
from events.retry import RetryPolicy
from events.settling import settle, settle_due
from events.testing import handler_of
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event, make_events
from tests.events.payloads import ThingHappened
from tests.events.switches import Switch
from tests.events.threads import at_once, in_own_connection
from tests.factories import make_user
from tests.thirdparty.models import Greeting
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
TYPE = "thing.happened"


def greet(event: Event) -> None:
    Greeting.objects.create(event_id=event.id)


def settle_all() -> None:
    while settle_due():
        pass


def statuses() -> set[str]:
    return set(Event.unscoped.values_list("status", flat=True))


def pause(name: str) -> None:
    assert pause_handler(name, actor=None, reason="the index is being rebuilt")


def resume(name: str) -> None:
    assert resume_handler(name, actor=None)


def due_ids() -> list[UUID]:
    """What is parked for a paused handler."""
    parked = Delivery.objects.filter(next_attempt_at=UNTIL_RESUMED)
    return [delivery.event_id for delivery in parked.order_by("event_id")]


def settle_in_thread() -> int:
    """Settle one batch, as a worker whose journal's connection ends with it."""
    try:
        return settle_due()
    finally:
        journal.journal.disconnect()


@contextmanager
def running(function: Callable[[], object]) -> Iterator[threading.Thread]:
    """Something that goes on in another thread during the block, and has ended after it."""
    thread = threading.Thread(target=lambda: in_own_connection(function))
    thread.start()
    yield thread
    thread.join(30)
    assert not thread.is_alive()


# --- Database handlers --------------------------------------------------------------------------


def test_paused_handler_is_not_called_and_its_events_wait(tenant: Tenant) -> None:
    with handler_of(TYPE, function=greet):
        pause("greet")
        events = make_events(3)
        settle_all()
        assert Greeting.objects.count() == 0
        assert statuses() == {EventStatus.PENDING}
        assert due_ids() == [event.id for event in events]
        [delivery] = Delivery.objects.filter(event=events[0])
        assert (delivery.attempts, delivery.failures) == (0, 0)
        assert delivery.waits_for_resume
        assert "resumed" in delivery.error


def test_other_handlers_of_the_event_run_meanwhile(tenant: Tenant) -> None:
    seen: list[UUID] = []
    with handler_of(TYPE, function=greet), handler_of(TYPE, function=seen.append, name="sees"):
        pause("greet")
        event = make_event()
        settle_all()
        assert len(seen) == 1
        assert event.deliveries.get(handler="sees").status == DeliveryStatus.SUCCEEDED


def test_resumed_handler_gets_all_that_waited_once(tenant: Tenant) -> None:
    with handler_of(TYPE, function=greet):
        pause("greet")
        make_events(5)
        settle_all()
        resume("greet")
        later = make_event()
        settle([later.id])
        assert let_go() == 5
        settle_all()
        assert let_go() == 0
    assert Greeting.objects.count() == 6
    assert statuses() == {EventStatus.PROCESSED}
    assert set(Delivery.objects.values_list("attempts", "error")) == {(1, "")}


def test_nothing_is_let_go_while_the_handler_is_paused(tenant: Tenant) -> None:
    with handler_of(TYPE, function=greet), handler_of(TYPE, function=print, name="prints"):
        pause("greet")
        pause("prints")
        make_event()
        settle_all()
        assert let_go() == 0
        resume("prints")
        assert let_go() == 1
        settle_all()
        assert due_ids()
        assert statuses() == {EventStatus.PENDING}


def test_retry_of_a_paused_handler_waits_and_keeps_its_error(tenant: Tenant) -> None:
    switch = Switch()
    with handler_of(TYPE, function=switch, retry=RetryPolicy(max_attempts=9, base=0)):
        event = make_event()
        settle([event.id])
        pause("switch")
        settle([event.id])
        delivery = event.deliveries.get()
        assert (delivery.waits_for_resume, delivery.attempts) == (True, 1)
        assert "the switch is off" in delivery.error
        switch.on = True
        resume("switch")
        let_go()
        settle_all()
    assert switch.handled == [event.id]


def test_replay_of_a_paused_handler_waits_for_it(tenant: Tenant) -> None:
    switch = Switch()
    with handler_of(TYPE, function=switch, retry=RetryPolicy(max_attempts=1)):
        event = make_event()
        settle([event.id])
        pause("switch")
        switch.on = True
        replay_event(event.id)
        settle_all()
        assert switch.handled == []
        resume("switch")
        let_go()
        settle_all()
    assert switch.handled == [event.id]


def test_chunks_cover_all_that_waits(tenant: Tenant) -> None:
    with handler_of(TYPE, function=greet):
        pause("greet")
        make_events(7)
        settle_all()
        resume("greet")
        with connection.cursor() as cursor:
            for released in (3, 3, 1, 0):
                cursor.execute(LET_GO, {"chunk": 3})
                assert cursor.rowcount == released


# --- Races --------------------------------------------------------------------------------------


def test_batch_that_began_before_the_pause_ended_strands_nothing(tenant: Tenant) -> None:
    """It has read the pause, and parks after everybody has been told that the handler runs."""
    has_read, may_go_on = threading.Event(), threading.Event()

    def hold(event: Event) -> None:
        has_read.set()
        assert may_go_on.wait(20)

    with handler_of(TYPE, function=hold, name="a_holds"), handler_of(TYPE, function=greet):
        pause("greet")
        make_event()
        with running(settle_in_thread):
            assert has_read.wait(20)
            resume("greet")
            assert let_go() == 0
            may_go_on.set()
        assert len(due_ids()) == 1
        assert let_go() == 1
        settle_all()
    assert Greeting.objects.count() == 1
    assert statuses() == {EventStatus.PROCESSED}


def test_event_that_a_worker_holds_is_let_go_the_next_time(tenant: Tenant) -> None:
    with handler_of(TYPE, function=greet):
        pause("greet")
        event = make_event()
        settle_all()
        resume("greet")
        with transaction.atomic():
            Event.unscoped.select_for_update(no_key=True).get(pk=event.pk)
            assert at_once(1, let_go) == [0]
        assert let_go() == 1


def test_two_workers_with_pauses_that_come_and_go_lose_nothing(tenant: Tenant) -> None:
    rounds, each, done = 12, 20, threading.Event()

    def work() -> None:
        while not done.is_set():
            settle_in_thread()
            let_go()

    with handler_of(TYPE, function=greet), running(work), running(work):
        try:
            for _round in range(rounds):
                pause("greet")
                make_events(each)
                resume("greet")
            processed = Event.unscoped.filter(status=EventStatus.PROCESSED)
            wait_until(lambda: processed.count() == rounds * each, "all are processed")
        finally:
            done.set()
    assert Greeting.objects.count() == rounds * each
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}


def test_five_who_pause_at_once_are_one_pause(tenant: Tenant) -> None:
    with handler_of(TYPE, function=greet):
        told = at_once(5, lambda: pause_handler("greet", actor=None, reason="now"))
        assert sorted(told) == [False] * 4 + [True]
        assert paused_handlers() == {"greet"}
        told = at_once(5, lambda: resume_handler("greet", actor=None))
        assert sorted(told) == [False] * 4 + [True]
    assert paused_handlers() == set()
    assert AuditLine.objects.count() == 2


# --- Order --------------------------------------------------------------------------------------


class Recorder:
    """An ordered handler that writes down what it did."""

    def __init__(self) -> None:
        self.done: list[int] = []

    def __call__(self, event: Event) -> None:
        self.done.append(event.payload["number"])


def change(subject: UUID, *numbers: int) -> list[Event]:
    return publish_many(Draft(ThingHappened(thing_id=subject, number=number)) for number in numbers)


@pytest.mark.parametrize("options", [{}, {"effects": "external", "breaker": None}])
def test_ordered_handler_keeps_its_order_over_a_pause(
    tenant: Tenant, options: dict[str, Any]
) -> None:
    recorder, subject = Recorder(), uuid4()
    with handler_of(TYPE, function=recorder, name="records", ordered=True, **options):
        change(subject, 1, 2)
        pause("records")
        [third] = change(subject, 3)
        settle([third.id])
        settle_all()
        run_due()
        [fourth] = change(subject, 4)
        resume("records")
        settle([fourth.id])
        assert recorder.done == []
        for _round in range(6):
            let_go()
            settle_all()
            run_due()
    assert recorder.done == [1, 2, 3, 4]
    assert statuses() == {EventStatus.PROCESSED}


def test_successor_that_is_let_go_first_waits_for_its_predecessor(tenant: Tenant) -> None:
    recorder, subject = Recorder(), uuid4()
    with handler_of(TYPE, function=recorder, name="records", ordered=True):
        pause("records")
        first, second = change(subject, 1, 2)
        settle_all()
        resume("records")
        with transaction.atomic():
            Event.unscoped.select_for_update(no_key=True).get(pk=first.pk)
            assert at_once(1, let_go) == [1]
            assert at_once(1, settle_in_thread) == [1]
        assert recorder.done == []
        assert second.deliveries.get().next_attempt_at is None
        let_go()
        settle_all()
    assert recorder.done == [1, 2]


# --- External handlers --------------------------------------------------------------------------


def test_paused_external_handler_is_not_leased_and_not_late(tenant: Tenant) -> None:
    called: list[Event] = []
    with handler_of(TYPE, function=called.append, name="calls", effects="external"):
        pause("calls")
        event = make_event()
        settle([event.id])
        sweep_external()
        assert run_due() == 0
        with probe() as own:
            backlog = read_backlog(own)
        assert backlog.external == {}
        assert [row.handler for row in backlog.pauses] == ["calls"]
        resume("calls")
        assert run_due() == 1
    assert len(called) == 1
    assert event.deliveries.get().attempts == 1


def test_parked_events_are_not_late(tenant: Tenant) -> None:
    with handler_of(TYPE, function=greet):
        pause("greet")
        make_event()
        settle_all()
        with probe() as own:
            backlog = read_backlog(own)
    assert (backlog.events.count, backlog.events.seconds) == (0, 0.0)


# --- Who and why --------------------------------------------------------------------------------


def test_pause_says_who_and_why_and_stays_on_record(tenant: Tenant) -> None:
    user = make_user()
    with handler_of(TYPE, function=greet):
        assert pause_handler("greet", actor=user, reason=" the index is rebuilt ")
        row = HandlerPause.objects.get()
        assert (row.actor, row.reason) == (user, "the index is rebuilt")
        assert not pause_handler("greet", actor=None, reason="me too")
        assert resume_handler("greet", actor=user, reason="done")
    lines = list(AuditLine.objects.order_by("id").values_list("action", "target_id", "reason"))
    assert lines == [
        ("handler.paused", "greet", "the index is rebuilt"),
        ("handler.resumed", "greet", "done"),
    ]


def test_unknown_handler_and_missing_reason_are_refused(tenant: Tenant) -> None:
    with pytest.raises(UnknownHandler, match="nobody"):
        pause_handler("nobody", actor=None, reason="why not")
    with handler_of(TYPE, function=greet), pytest.raises(ValueError, match="reason"):
        pause_handler("greet", actor=None, reason="  ")
    assert paused_handlers() == set()


def test_letting_go_reads_the_index(tenant: Tenant) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute(f"EXPLAIN {LET_GO}", {"chunk": 10})
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")
    assert "deliveries_paused" in plan
    assert "Seq Scan on deliveries" not in plan
