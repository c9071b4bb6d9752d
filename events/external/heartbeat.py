"""The heartbeat of a call: keeps its lease while it runs, and no longer than it may run."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

import psycopg
import structlog
from django.conf import settings

from events.connections import open_connection
from events.external.leasing import Lease, lease_time

log = structlog.get_logger(__name__)

# Beats within the time that a lease lasts: two may be missed.
BEATS = 3
EXTEND = """
    UPDATE deliveries SET lease_expires_at = statement_timestamp() + %(time)s
    WHERE id = %(id)s AND status = 'running' AND attempts = %(number)s
"""


@contextmanager
def heartbeat(lease: Lease) -> Iterator[None]:
    """Extend the lease again and again during the block, until the handler's timeout is over.

    It beats in a thread with a connection of its own, which commits at once. A process that is
    killed or frozen, or whose call never ends, stops beating, and the sweeper finds its lease.
    """
    pulse = Pulse(lease)
    # Its log lines say whose call it is.
    run = copy_context().run
    threading.Thread(target=run, args=[pulse.beat], name="heartbeat", daemon=True).start()
    try:
        yield
    finally:
        pulse.done.set()


class Pulse:
    """The beats of one call; most calls end before the first, and need no connection."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.done = threading.Event()
        self._values = {"id": lease.delivery.pk, "number": lease.number, "time": lease_time()}
        self._own: psycopg.Connection[Any] | None = None

    def beat(self) -> None:
        """Extend the lease until the call is done, its time is over, or the lease is lost."""
        pause = settings.EXTERNAL_LEASE_SECONDS / BEATS
        last = time.monotonic() + self.lease.handler.timeout
        try:
            while not self.done.wait(pause) and time.monotonic() < last:
                if not self._extend():
                    log.warning("lease_lost", attempt=self.lease.number)
                    return
        finally:
            if self._own:
                self._own.close()

    def _extend(self) -> bool:
        """Whether to go on: the lease is still ours, or nobody could say."""
        try:
            if self._own is None or self._own.closed:
                self._own = open_connection(autocommit=True)
            return self._own.execute(EXTEND, self._values).rowcount == 1
        except psycopg.Error as error:
            log.warning("heartbeat_missed", error=str(error).strip())
            return True
