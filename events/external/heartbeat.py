"""The heartbeat of a call: keeps its lease while it runs, and no longer than it may run."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.conf import settings
from django.db import Error, connection

from events.external.leasing import Lease, extend

log = structlog.get_logger(__name__)

# Beats within the time that a lease lasts: two may be missed.
BEATS = 3


@contextmanager
def heartbeat(lease: Lease) -> Iterator[None]:
    """Extend the lease again and again during the block, until the handler's timeout is over.

    It beats in a thread with a connection of its own, which commits at once. A process that is
    killed or frozen, or whose call never ends, stops beating, and the sweeper finds its lease.
    """
    done = threading.Event()
    thread = threading.Thread(target=_beat, args=(lease, done), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()


def _beat(lease: Lease, done: threading.Event) -> None:
    pause = settings.EXTERNAL_LEASE_SECONDS / BEATS
    last = time.monotonic() + lease.handler.timeout
    try:
        while not done.wait(pause) and time.monotonic() < last:
            if not _extended(lease):
                return
    finally:
        connection.close()


def _extended(lease: Lease) -> bool:
    """Whether to go on: the lease is still ours, or nobody could say."""
    try:
        held = extend(lease)
    except Error as error:
        connection.close()
        log.warning("heartbeat_missed", error=f"{type(error).__name__}: {error}")
        return True
    if not held:
        log.warning("lease_lost", attempt=lease.number)
    return held
