"""What is measured: the engine alone, and all that follows until the mails are out."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator

from django.db import connection
from django.utils import timezone

from benchmarks.sequences.filling import fill, prepare
from channels.models import Message
from channels.sequences.executing import advance_due
from channels.sequences.models import Enrolment, Execution
from events.external import run_due
from events.models import Event, EventStatus
from events.settling import settle_due
from salesflow.accounts.context import tenant_context

# What is published while the database is filled.
BEFORE = ("lead.created", "sequence.enrolled", "sequence.published")
# It begins when it is told to: nobody measures how long Python takes to start.
ADVANCE = """
import django
django.setup()
from channels.sequences.executing import advance_due
print(flush=True)
input()
while advance_due(limit={limit}):
    pass
"""


def measure(people: int, limit: int, workers: int) -> Iterator[str]:
    """Tell what was measured, line by line."""
    tenant = prepare()
    with tenant_context(tenant):
        fill(people, timezone.now())
    _let_rest()
    seconds = _execute(limit, workers)
    steps = Execution.unscoped.count()
    yield (
        f"engine alone, {workers} process(es), batches of {limit}: {steps} steps in "
        f"{seconds:.2f} s, {steps / seconds:,.0f} steps/s; committed with them: "
        f"{Event.unscoped.exclude(type__in=BEFORE).count()} events, "
        f"{Message.unscoped.count()} messages, {people} people moved"
    )
    kinds = Counter(Execution.unscoped.values_list("kind", flat=True))
    yield "steps by kind: " + ", ".join(f"{n} {kind}" for kind, n in kinds.most_common())
    seconds += _settle_all()
    steps, sent = Execution.unscoped.count(), Message.unscoped.exclude(sent_at=None).count()
    yield (
        f"end to end in one process, until all events are settled and {sent} mails are out: "
        f"{steps} steps in {seconds:.2f} s, {steps / seconds:,.0f} steps/s"
    )
    with tenant_context(tenant):
        fill(people, timezone.now(), cap=people)
    _let_rest()
    seconds = _execute(limit, workers)
    waiting = Enrolment.unscoped.exclude(place_at=None).count()
    yield (
        f"under a cap, {workers} process(es): {people} people looked at in {seconds:.2f} s, "
        f"{people / seconds:,.0f} a second, {waiting} of whom wait for the place they were given"
    )


def _execute(limit: int, workers: int) -> float:
    if workers > 1:
        return _execute_in_processes(limit, workers)
    started = time.monotonic()
    while advance_due(limit=limit):
        pass
    return time.monotonic() - started


def _execute_in_processes(limit: int, workers: int) -> float:
    command, pipe = [sys.executable, "-c", ADVANCE.format(limit=limit)], subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe) for _ in range(workers)]
    for process in processes:
        assert process.stdout
        process.stdout.readline()
    started = time.monotonic()
    for process in processes:
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in processes:
        process.wait()
    seconds = time.monotonic() - started
    for process in processes:
        process.communicate()
    return seconds


def _settle_all() -> float:
    started = time.monotonic()
    while Event.unscoped.filter(status=EventStatus.PENDING).exists():
        settle_due()
        run_due()
        advance_due()
    return time.monotonic() - started


def _let_rest() -> None:
    """Let nobody pay for what was written before."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
        cursor.execute("CHECKPOINT")
