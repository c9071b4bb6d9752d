"""Workers that wait for each other's rows: PostgreSQL ends one, and no handler has failed."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, connection
from django.db.models import F

from events.journal import journal
from events.models import Attempt, Delivery, Event, EventStatus, JournalEntry
from events.settling import MOST_CLASHES, settle_due
from events.testing import handler_of
from salesflow.accounts.models import Tenant
from tests.chaos.workload.models import Counter
from tests.events.factories import make_event
from tests.events.threads import in_own_connection

pytestmark = pytest.mark.django_db(transaction=True)

TYPE = "thing.happened"


class CrossedUpdates:
    """A handler that adds one to two rows; even events begin with one of them, odd with the other.

    At their first try two events meet between their updates, each with its first row locked.
    """

    __name__ = "cross"

    def __init__(self) -> None:
        self.rows = [Counter.objects.create(tenant_id=uuid4()).pk for _ in range(2)]
        self.tries: list[int] = []
        self.first_is_locked = threading.Event()
        self._meeting = threading.Barrier(2, timeout=30)

    def __call__(self, event: Event) -> None:
        number = event.payload["number"]
        is_first_try = number not in self.tries
        self.tries.append(number)
        mine, others = self.rows if number % 2 == 0 else reversed(self.rows)
        self._add_one(mine)
        if is_first_try:
            self.first_is_locked.set()
            self._meeting.wait()
        self._add_one(others)

    def _add_one(self, row: UUID) -> None:
        Counter.objects.filter(pk=row).update(total=F("total") + 1)

    @property
    def totals(self) -> set[int]:
        """What the rows say."""
        return set(Counter.objects.filter(pk__in=self.rows).values_list("total", flat=True))


def _settle_as_a_worker() -> int:
    try:
        return settle_due()
    finally:
        journal.disconnect()  # this thread's


def test_deadlock_of_two_workers_costs_neither_of_them_anything(tenant: Tenant) -> None:
    cross = CrossedUpdates()
    with handler_of(TYPE, function=cross), ThreadPoolExecutor(2) as threads:
        make_event(0)
        one = threads.submit(in_own_connection, _settle_as_a_worker)
        assert cross.first_is_locked.wait(30)
        make_event(1)
        other = threads.submit(in_own_connection, _settle_as_a_worker)
        assert (one.result(), other.result()) == (1, 1)
    assert sorted(cross.tries) in ([0, 0, 1], [0, 1, 1])  # one of them was ended, and began anew
    assert cross.totals == {2}
    assert set(Event.unscoped.values_list("status", flat=True)) == {EventStatus.PROCESSED}
    assert list(Delivery.objects.values_list("attempts", "failures")) == [(1, 0)] * 2
    assert not Attempt.objects.exists()
    assert not JournalEntry.objects.exists()


class Clashing:
    """A handler whose transaction PostgreSQL ends so many times in favour of another."""

    __name__ = "clash"

    def __init__(self, times: int, sqlstate: str) -> None:
        self.left = times
        self.sqlstate = sqlstate
        self.tries = 0

    def __call__(self, event: Event) -> None:
        self.tries += 1
        Counter.objects.create(tenant_id=event.id)
        if self.left:
            self.left -= 1
            with connection.cursor() as cursor:
                cursor.execute(
                    f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{self.sqlstate}'; END $$"
                )


@pytest.mark.parametrize("sqlstate", ["40P01", "40001"])
def test_worker_that_clashes_begins_anew_and_no_handler_has_failed(
    tenant: Tenant, sqlstate: str
) -> None:
    event = make_event()
    clash = Clashing(MOST_CLASHES, sqlstate)
    with handler_of(TYPE, function=clash):
        assert settle_due() == 1
    event.refresh_from_db()
    assert (clash.tries, event.status) == (MOST_CLASHES + 1, EventStatus.PROCESSED)
    assert Counter.objects.filter(pk=event.id).count() == 1
    assert Delivery.objects.get().attempts == 1


def test_worker_that_clashes_again_and_again_leaves_the_event_to_the_next(tenant: Tenant) -> None:
    event = make_event()
    with handler_of(TYPE, function=Clashing(1000, "40P01")):
        with pytest.raises(OperationalError):
            settle_due()
        event.refresh_from_db()
        assert event.status == EventStatus.PENDING
        assert not Delivery.objects.exists()
        assert not JournalEntry.objects.exists()
    with handler_of(TYPE, function=print, name="clash"):
        assert settle_due() == 1


def test_other_error_of_the_database_is_the_handlers_own(tenant: Tenant) -> None:
    """A lock that could not be had in time: the handler asked for it, and has failed."""
    event = make_event()
    clash = Clashing(1, "55P03")
    with handler_of(TYPE, function=clash):
        assert settle_due() == 1
    event.refresh_from_db()
    assert (clash.tries, event.status) == (1, EventStatus.FAILED)
