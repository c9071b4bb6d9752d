"""The journal: which worker holds which events, written down where its death does not undo it.

A worker commits an entry over a connection of its own before it runs any handler, and deletes it in
the transaction that settles the batch. That transaction holds an advisory lock, so an entry whose
lock is free has lost its worker; and whoever has locked an event that another's entry names knows
the same without asking. Such an event is settled alone, its handler written down before it runs,
and the handler that ends workers again and again is found.
"""

import atexit
import os
import secrets
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import OperationalError, connection, transaction

from events import metrics
from events.connections import open_connection
from events.models import Event
from events.outcomes import worker_name
from events.retry import Permanent
from events.rows import execute, fetch_rows

# After so many deaths the handler that ran at the last of them has failed.
MOST_CRASHES = 3

OPEN = """
    INSERT INTO journal (token, event_ids, handler, worker, server_started_at)
    VALUES (%(token)s, %(ids)b, '', %(worker)s, pg_postmaster_start_time())
"""
NOTE_HANDLER = "UPDATE journal SET handler = %(handler)s WHERE token = %(token)s"
CLOSE = "DELETE FROM journal WHERE token = %(token)s"
# A worker that is frozen loses its transaction and with it the events, which others wait for.
LIMIT = "SELECT set_config('idle_in_transaction_session_timeout', %(milliseconds)s, true)"
LOCK = f"{LIMIT}, pg_advisory_xact_lock(%(token)s)"

# A restart of the database server ends workers' transactions, too: nobody is to blame for that.
CRASHES = """
    SELECT event_ids, handler FROM journal
    WHERE event_ids && %(ids)b AND server_started_at = pg_postmaster_start_time()
    ORDER BY started_at
"""
ACQUIT = """
    UPDATE journal SET event_ids = array_remove(event_ids, %(id)s)
    WHERE event_ids && ARRAY[%(id)s]
"""
DELETE_DEAD = """
    DELETE FROM journal WHERE token = %(token)s AND pg_try_advisory_xact_lock(token) AND (
        server_started_at <> pg_postmaster_start_time()
        OR NOT EXISTS (SELECT FROM events WHERE id = ANY(event_ids) AND status = 'pending')
    ) RETURNING server_started_at = pg_postmaster_start_time()
"""


@dataclass(frozen=True)
class Crashes:
    """The workers that an event has seen die.

    Attributes:
        count: how many.
        handler: the last that is known to have run at one of them; empty where none is.
    """

    count: int
    handler: str


class WorkerLost(Permanent):
    """The worker that ran a handler died, again and again."""

    def __init__(self, crashes: int) -> None:
        super().__init__(f"worker lost: {crashes} workers died while they handled this event")


class Journal:
    """One worker's hand in the journal, over a connection that commits at once."""

    def __init__(self) -> None:
        self._own = threading.local()

    def open(self, token: int, events: Sequence[Event]) -> None:
        """Commit an entry for a batch; the caller's transaction holds the lock `token`."""
        values = {"token": token, "ids": [event.id for event in events], "worker": worker_name()}
        self._commit(OPEN, values)

    def note_handler(self, token: int, handler: str) -> None:
        """Write down which handler is about to run, for an event that is settled alone."""
        self._commit(NOTE_HANDLER, {"token": token, "handler": handler})

    def withdraw(self, token: int) -> None:
        """Delete the entry of a batch that was rolled back while its worker lived on."""
        try:
            self._commit(CLOSE, {"token": token})
        except OperationalError:
            return  # the database went away and took the batch with it: the sweeper deletes it

    def _commit(self, statement: Any, values: dict[str, Any]) -> None:
        try:
            self._connection().execute(statement, values)
        except psycopg.OperationalError:
            # The connection may have died long ago, with a server that has come back since.
            self._own.connection = None
            with connection.wrap_database_errors:
                self._connection().execute(statement, values)

    def _connection(self) -> "psycopg.Connection[Any]":
        open_one: psycopg.Connection[Any] | None = getattr(self._own, "connection", None)
        if open_one is None or open_one.closed:
            open_one = open_connection(autocommit=True)
            # What a crash of the server may lose here is of no use after it.
            open_one.execute("SET synchronous_commit = off")
            self._own.connection = open_one
        return open_one

    def disconnect(self) -> None:
        """Close this thread's connection; the next entry opens a new one."""
        open_one: psycopg.Connection[Any] | None = getattr(self._own, "connection", None)
        self._own.connection = None
        if open_one is not None:
            open_one.close()

    def forget(self) -> None:
        """In a forked child: leave the parent's connection to the parent."""
        self._own = threading.local()


journal = Journal()
atexit.register(journal.disconnect)
os.register_at_fork(after_in_child=journal.forget)


@dataclass(frozen=True)
class Trial:
    """The settling of one event that workers have died of.

    Attributes:
        token: of the entry under which it is settled now.
    """

    token: int
    crashes: Crashes

    @property
    def is_lost(self) -> bool:
        """Whether the event is not tried again."""
        return self.crashes.count >= MOST_CRASHES

    @property
    def handler(self) -> str:
        """The last handler that is known to have run when a worker died; empty: none is."""
        return self.crashes.handler

    def verdict(self) -> WorkerLost:
        """What that handler failed with."""
        return WorkerLost(self.crashes.count)

    def note_handler(self, handler: str) -> None:
        """Write down which handler is about to run."""
        journal.note_handler(self.token, handler)

    def acquit(self, event: Event) -> None:
        """Forget the deaths: the event lived through its trial, or its handler has failed."""
        execute(ACQUIT, {"id": event.id})


def lock_entry() -> int:
    """Begin a batch: hold the lock of a new entry until the current transaction ends.

    Returns:
        The entry's token.
    """
    token = secrets.randbits(62)
    fetch_rows(LOCK, {"token": token, "milliseconds": _batch_milliseconds()})
    return token


def limit_transaction() -> None:
    """Let the current transaction end if this process freezes in it: others wait for its locks."""
    fetch_rows(LIMIT, {"milliseconds": _batch_milliseconds()})


def _batch_milliseconds() -> str:
    return str(int(settings.EVENT_BATCH_SECONDS * 1000))


def close_entry(token: int) -> None:
    """Delete the entry with the transaction that settles its batch."""
    execute(CLOSE, {"token": token})


def crashes_of(events: Sequence[Event]) -> dict[UUID, Crashes]:
    """The deaths that events have seen, for those that have; the caller holds the events."""
    ids = [event.id for event in events]
    known: dict[UUID, list[str]] = defaultdict(list)
    for event_ids, handler in fetch_rows(CRASHES, {"ids": ids}):
        for event_id in event_ids:
            known[event_id].append(handler)
    return {
        event_id: Crashes(len(known[event_id]), _last_known(known[event_id]))
        for event_id in ids
        if event_id in known
    }


def _last_known(handlers: list[str]) -> str:
    """A worker may die before it has written down which handler runs."""
    return next((handler for handler in reversed(handlers) if handler), "")


def delete_dead_entries() -> int:
    """Delete the entries of dead workers whose events are settled; returns how many."""
    deleted: list[bool] = []
    for (token,) in fetch_rows("SELECT token FROM journal", {}):
        with transaction.atomic():
            deleted += [died for (died,) in fetch_rows(DELETE_DEAD, {"token": token})]
    if any(deleted):
        metrics.worker_lost("events", sum(deleted))
    return len(deleted)
