"""Several connections at once, as several workers have them."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

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
