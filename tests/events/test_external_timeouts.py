"""How long a call may take: what keeps its lease, and what interrupts it."""

import signal
import threading
import time
from contextlib import suppress
from functools import partial

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from pytest_django import Settings

from events.external import run_delivery, run_due, sweep
from events.external.running import PERSISTENCE, TURN
from events.external.timeouts import TimedOut, call_within
from events.models import Attempt, Delivery, DeliveryStatus, Event
from events.retry import RetryPolicy
from events.settling import settle
from events.tasks import run_external
from events.testing import handler_of
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event
from tests.events.threads import at_once, in_own_connection
from tests.thirdparty.models import Greeting
from tests.waiting import wait_until

TYPE = "thing.happened"
NEVER = threading.Event()  # nobody sets it

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def event(transactional_db: None, tenant: Tenant) -> Event:
    return make_event()


@pytest.fixture
def short_lease(settings: Settings) -> None:
    settings.EXTERNAL_LEASE_SECONDS = 0.6


def _hand_over(event: Event) -> None:
    settle([event.id])


def _hang(event: Event) -> None:
    NEVER.wait()


# --- Interruption -------------------------------------------------------------------------------


def test_call_that_hangs_is_interrupted_and_tried_again(event: Event) -> None:
    with handler_of(
        TYPE, function=_hang, effects="external", timeout=0.2, retry=RetryPolicy(max_attempts=2)
    ):
        _hand_over(event)
        assert run_delivery(Delivery.objects.get().pk)
    delivery = Delivery.objects.get()
    attempt = Attempt.objects.get()
    assert (delivery.status, attempt.error_type) == (DeliveryStatus.PENDING, "TimedOut")
    assert "longer than 0.2 s" in attempt.error
    assert "NEVER.wait()" in attempt.traceback


def test_handler_that_catches_every_exception_is_interrupted_all_the_same() -> None:
    def stubborn() -> None:
        while True:
            with suppress(Exception):
                NEVER.wait()

    with pytest.raises(TimedOut):
        call_within(0.1, stubborn)


def test_handler_that_survives_one_alarm_gets_another() -> None:
    survived = []

    def very_stubborn() -> None:
        try:
            NEVER.wait()
        except BaseException as interruption:
            survived.append(interruption)
        NEVER.wait()

    with pytest.raises(TimedOut):
        call_within(0.1, very_stubborn)
    assert len(survived) == 1


def test_quick_call_leaves_no_alarm_behind() -> None:
    before = signal.getsignal(signal.SIGALRM)
    assert call_within(60, lambda: 42) == 42
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) == before


def test_interruption_spares_the_engines_own_work() -> None:
    """An alarm that comes when the handler has just returned must not tear up its report."""
    for _round in range(200):
        with suppress(TimedOut):
            call_within(0.0005, time.monotonic)
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_interrupted_call_leaves_no_transaction_behind(event: Event) -> None:
    def write_and_hang(event: Event) -> None:
        with transaction.atomic():
            Greeting.objects.create(event_id=event.id)
            NEVER.wait()

    with handler_of(TYPE, function=write_and_hang, effects="external", timeout=0.2):
        _hand_over(event)
        run_due()
    assert not Greeting.objects.exists()
    assert not connection.in_atomic_block
    assert Delivery.objects.get().status == DeliveryStatus.FAILED


def test_interrupted_query_leaves_a_usable_connection(event: Event) -> None:
    def query(event: Event) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(60)")

    with handler_of(TYPE, function=query, effects="external", timeout=0.3):
        _hand_over(event)
        run_due()
    assert Delivery.objects.get().error.startswith("TimedOut")


def test_worker_that_cannot_be_interrupted_is_ended_but_none_that_keeps_its_time(
    event: Event,
) -> None:
    with handler_of(TYPE, function=_hang, effects="external", timeout=500):
        limit = run_external.time_limit
        assert limit > TURN + 500 + PERSISTENCE
    assert run_external.time_limit < limit


# --- Heartbeat ----------------------------------------------------------------------------------


def _wait_for_beat() -> None:
    before = _lease_end()
    wait_until(lambda: _lease_end() != before, "the lease was extended")


def _lease_end() -> object:
    return Delivery.objects.values_list("lease_expires_at", flat=True).get()


def test_heartbeat_keeps_the_lease_of_a_long_call(event: Event, short_lease: None) -> None:
    """The call outlives several leases, and the sweeper finds none of them lost."""

    def call(event: Event) -> None:
        for _beat in range(6):
            _wait_for_beat()
        assert at_once(1, sweep) == [0]

    with handler_of(TYPE, function=call, effects="external"):
        _hand_over(event)
        run_due()
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.SUCCEEDED, 1)


def test_heartbeat_ends_with_the_call(event: Event, short_lease: None) -> None:
    with handler_of(TYPE, function=print, name="call", effects="external"):
        _hand_over(event)
        run_due()
    wait_until(lambda: "heartbeat" not in _thread_names(), "the heartbeat has ended")
    assert Delivery.objects.get().lease_expires_at is None


def _thread_names() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_call_that_cannot_be_interrupted_loses_its_lease(event: Event, short_lease: None) -> None:
    """In a thread there are no alarms: the heartbeat stops, and the late report is refused."""
    let_go = threading.Event()

    def hang(event: Event) -> None:
        let_go.wait(30)

    with handler_of(
        TYPE, function=hang, effects="external", timeout=0.3, retry=RetryPolicy(max_attempts=2)
    ):
        _hand_over(event)
        run = partial(run_delivery, Delivery.objects.get().pk)
        hanging = threading.Thread(target=in_own_connection, args=[run])
        hanging.start()
        lost = Delivery.objects.filter(status="running", lease_expires_at__lt=Now())
        wait_until(lost.exists, "the lease was lost")
        assert sweep() == 1
        let_go.set()
        hanging.join()
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.PENDING, 1)
    assert Attempt.objects.get().error_type == "LeaseLost"


def test_heartbeat_survives_a_lost_connection(event: Event, short_lease: None) -> None:
    def call(event: Event) -> None:
        wait_until(lambda: _beating(), "the heartbeat has a connection")
        at_once(1, _end_other_connections)
        _wait_for_beat()

    with handler_of(TYPE, function=call, effects="external"):
        _hand_over(event)
        run_due()
    assert Delivery.objects.get().status == DeliveryStatus.SUCCEEDED


# Put together, so that these queries do not find themselves.
BEATS = "query LIKE '%UPDATE deliveries SET lease' || '_expires_at%'"


def _beating() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {BEATS}")
        return bool(cursor.fetchone()[0])


def _end_other_connections() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {BEATS}"
        )
