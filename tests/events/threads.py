"""Several connections at once, as several workers have them."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection, transaction

from tests.waiting import wait_until

T = TypeVar("T")


def at_once(count: int, function: Callable[[], T]) -> list[T]:
    """Run `function` in so many threads that start together; returns what each of them did."""
    barrier = threading.Barrier(count)

    def run() -> T:
        barrier.wait()
        return in_own_connection(function)

    with ThreadPoolExecutor(count) as threads:
        return [future.result() for future in [threads.submit(run) for _ in range(count)]]


def in_own_connection(function: Callable[[], T]) -> T:
    """Run `function` and let go of the thread's connection."""
    try:
        return function()
    finally:
        connection.close()


def behind(lock: Callable[[], object], *works: Callable[[], T]) -> list[T]:
    """What comes of all works that begin while somebody else holds the rows of `lock`."""
    with ThreadPoolExecutor(len(works)) as threads:
        with transaction.atomic():
            lock()
            begun = [threads.submit(in_own_connection, work) for work in works]
            wait_until(lambda: _waiting() == len(works), "all wait")
        return [work.result() for work in begun]


def _waiting() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        return int(cursor.fetchone()[0])
