"""What the journal knows of workers that died, without a worker having to die for it."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import InterfaceError, OperationalError, connection

from events.journal import MOST_CRASHES, delete_dead_entries, journal
from events.models import Attempt, Delivery, Event, EventStatus, JournalEntry
from events.settling import settle_due
from events.testing import handler_of
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event, make_events
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
TYPE = "thing.happened"


def leave_entry(events: list[Event], token: int, handler: str = "") -> None:
    """What a worker leaves that dies: an entry whose lock nobody holds."""
    journal.open(token, events)
    if handler:
        journal.note_handler(token, handler)


@pytest.fixture
def calls(tenant: Tenant) -> Iterator[list[list[int]]]:
    """The numbers of the events of every call of a batch handler."""
    made: list[list[int]] = []

    def note(events: list[Event]) -> None:
        made.append([event.payload["number"] for event in events])

    with handler_of(TYPE, function=note, batch=True):
        yield made


def test_settled_batch_leaves_no_entry(calls: list[list[int]]) -> None:
    make_events(3)
    assert settle_due() == 3
    assert calls == [[0, 1, 2]]
    assert not JournalEntry.objects.exists()


def test_entry_is_there_while_handlers_run(tenant: Tenant) -> None:
    seen: list[list[object]] = []

    def look(event: Event) -> None:
        with psycopg.connect(**_parameters()) as elsewhere:
            seen.extend(map(list, elsewhere.execute("SELECT event_ids FROM journal").fetchall()))

    event = make_event()
    with handler_of(TYPE, function=look):
        settle_due()
    assert seen == [[[event.id]]]


def _parameters() -> dict[str, Any]:
    given = connection.settings_dict
    return {"dbname": given["NAME"], "host": given["HOST"], "user": given["USER"]} | {
        name: given[key] for name, key in (("password", "PASSWORD"), ("port", "PORT")) if given[key]
    }


def test_suspects_are_settled_alone_after_the_others(calls: list[list[int]]) -> None:
    events = make_events(4)
    leave_entry(events[:2], token=1)
    while settle_due():
        pass
    assert calls == [[2, 3], [0], [1]]
    assert set(Event.unscoped.values_list("status", flat=True)) == {EventStatus.PROCESSED}


def test_suspects_have_their_turn_while_other_work_comes_in(calls: list[list[int]]) -> None:
    events = make_events(2)
    leave_entry(events, token=1)
    for _round in range(4):
        make_events(3)
        settle_due()
    assert calls[1] == [0]
    assert calls[3] == [1]


def test_event_that_lives_through_its_trial_is_suspect_no_more(tenant: Tenant) -> None:
    event, other = make_events(2)
    leave_entry([event, other], token=1)
    settle_due()
    assert JournalEntry.objects.get().event_ids == [other.id]


def test_handler_fails_that_ended_too_many_workers(tenant: Tenant) -> None:
    event = make_event()
    leave_entry([event], token=1)
    for token in range(2, MOST_CRASHES + 1):
        leave_entry([event], token, handler="aborts")
    ran: list[str] = []
    with (
        handler_of(TYPE, function=lambda event: ran.append("aborts"), name="aborts"),
        handler_of(TYPE, function=lambda event: ran.append("harmless"), name="harmless"),
    ):
        while settle_due():
            pass
    event.refresh_from_db()
    assert ran == ["harmless"]
    assert event.status == EventStatus.FAILED
    assert event.error_message.startswith("aborts: WorkerLost: worker lost: 3 workers died")
    assert Attempt.objects.get().error_type == "WorkerLost"
    statuses = dict(Delivery.objects.values_list("handler", "status"))
    assert statuses == {"aborts": "failed", "harmless": "succeeded"}


def test_handler_that_runs_alone_is_written_down(tenant: Tenant) -> None:
    event = make_event()
    leave_entry([event], token=1)
    seen: list[str] = []

    def look(event: Event) -> None:
        entries = JournalEntry.objects.exclude(token=1)
        seen.extend(entries.values_list("handler", flat=True))

    with handler_of(TYPE, function=look, name="looks"):
        settle_due()
    assert seen == ["looks"]


def test_restart_of_the_server_makes_no_suspects(calls: list[list[int]]) -> None:
    events = make_events(3)
    leave_entry(events, token=1)
    JournalEntry.objects.update(server_started_at="2020-01-01T00:00:00Z")
    settle_due()
    assert calls == [[0, 1, 2]]
    assert delete_dead_entries() == 1


def test_batch_that_was_rolled_back_by_a_living_worker_is_no_crash(tenant: Tenant) -> None:
    def interrupt(event: Event) -> None:
        raise KeyboardInterrupt

    make_event()
    with handler_of(TYPE, function=interrupt), pytest.raises(KeyboardInterrupt):
        settle_due()
    assert not JournalEntry.objects.exists()


def test_frozen_worker_loses_its_events(tenant: Tenant, settings: Any) -> None:
    settings.EVENT_BATCH_SECONDS = 0.05
    event = make_event()

    def freeze(event: Event) -> None:
        wait_until(lambda: not _is_locked(event), "PostgreSQL has ended the transaction")

    with handler_of(TYPE, function=freeze), pytest.raises((OperationalError, InterfaceError)):
        settle_due()
    connection.close()
    event.refresh_from_db()
    assert event.status == EventStatus.PENDING
    assert not JournalEntry.objects.exists()


def _is_locked(event: Event) -> bool:
    with psycopg.connect(**_parameters()) as elsewhere:
        query = "SELECT id FROM events WHERE id = %s FOR UPDATE SKIP LOCKED"
        return elsewhere.execute(query, [event.id]).fetchone() is None


def test_dead_entry_stays_until_its_events_are_settled(tenant: Tenant) -> None:
    event = make_event()
    leave_entry([event], token=1)
    assert delete_dead_entries() == 0
    Event.unscoped.update(status=EventStatus.PROCESSED)
    assert delete_dead_entries() == 1


def test_entry_of_a_living_worker_stays(tenant: Tenant) -> None:
    leave_entry([], token=7)
    with psycopg.connect(**_parameters()) as elsewhere:
        elsewhere.execute("SELECT pg_advisory_xact_lock(7)")
        assert delete_dead_entries() == 0
    assert delete_dead_entries() == 1
