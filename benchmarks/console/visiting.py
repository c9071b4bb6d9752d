"""Opening pages with Django's test client: through all middleware, with nothing replaced, without
a network between."""

import contextlib
import time
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks.console.pages import Page, forgotten, pages_of
from benchmarks.console.people import PEOPLE, person
from benchmarks.console.sights import Sights

HOST = "127.0.0.1"
# Of what is sent in pieces, so many make the beginning: the headings, and a thousand rows at most.
BEGINNING = 1001


class WrongPage(Exception):
    """A page was not what it has to be."""


@cache
def _client(who: str) -> Client:
    client = Client(headers={"host": HOST})
    client.force_login(person(who))
    return client


@cache
def _program() -> Client:
    """Somebody who is not logged in and shows a key."""
    return Client(headers={"host": HOST})


@cache
def pages_to(who: str) -> dict[str, Page]:
    """The pages of one of `PEOPLE`, by name."""
    return {page.name: page for page in pages_of(Sights(who))}


def forget() -> None:
    """Look at what is there now: another log, with other people."""
    for remembered in (_client, _program, pages_to):
        remembered.cache_clear()


def visit(who: str, page: Page) -> int:
    """Open the page, all of it; returns its bytes, or those of its beginning.

    Raises:
        WrongPage: another status was answered.
    """
    client = _program() if "Authorization" in page.headers else _client(who)
    headers: Any = page.headers
    response: Any = (
        client.get(page.path, headers=headers)
        if page.data is None
        else client.post(page.path, page.data, headers=headers)
    )
    if response.status_code != page.status:
        raise WrongPage(f"{page.name} at {page.path} to {who}: {response.status_code}")
    if response.streaming:
        pieces: Iterator[bytes] = iter(response.streaming_content)
        size = sum(len(piece) for piece in islice(pieces, BEGINNING))
        response.close()
        return size
    return len(response.content)


# --- What is asked for --------------------------------------------------------------------------


def names() -> dict[str, dict[str, bool]]:
    """Person → the names of their pages, and whether their work is as large as a selection.

    Raises:
        WrongPage: nobody opens one of the console's addresses.
    """
    pages = {who: pages_to(who) for who in PEOPLE}
    if missing := forgotten([page for known in pages.values() for page in known.values()]):
        raise WrongPage(f"Nobody opens {', '.join(sorted(missing))}.")
    return {
        who: {name: page.is_frozen for name, page in known.items()} for who, known in pages.items()
    }


def times(who: str, page: str, requests: int) -> list[tuple[float, float]]:
    """Of so many requests, one after the other: milliseconds until the answer, and of work.

    Work is the processor's time of this process and of its database connection: what a request
    takes where nothing else wants the processor and all that it reads is in memory.
    """
    return [_time(who, pages_to(who)[page]) for _number in range(requests)]


def _time(who: str, page: Page) -> tuple[float, float]:
    connection.ensure_connection()
    server = connection.connection.info.backend_pid
    worked, started = _worked(server), time.perf_counter()
    visit(who, page)
    return (time.perf_counter() - started) * 1000, (_worked(server) - worked) * 1000


def _worked(server: int) -> float:
    """Seconds of the processor so far, of this process and of that one."""
    return time.process_time() + _seconds_of(server)


def _seconds_of(pid: int) -> float:
    """Seconds for which a process of this machine has run; Linux tells, others do not."""
    with contextlib.suppress(OSError):
        nanoseconds, *_waits = Path(f"/proc/{pid}/schedstat").read_text().split()
        return int(nanoseconds) / 1e9
    return 0.0


def examine(who: str, page: str) -> dict[str, Any]:
    """What a request is made of: its statements, and the size of its answer in bytes."""
    with CaptureQueriesContext(connection) as captured:
        size = visit(who, pages_to(who)[page])
    return {"queries": list(captured.captured_queries), "size": size}
