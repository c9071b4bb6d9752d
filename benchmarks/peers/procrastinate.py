"""Procrastinate: jobs in PostgreSQL, deferred in the transaction of the change."""

from typing import Any

from django.db import transaction
from procrastinate.contrib.django import app

from benchmarks.peers.peer import WORKERS, Mode, Peer, python
from benchmarks.workload.services import chunks_of, record_prospect, record_prospects
from benchmarks.workload.settling import welcome_by_hand

QUEUE = "welcomes"


@app.task(name="benchmarks.welcome", queue=QUEUE)
def welcome(event_id: str) -> None:
    """Handle one event; the job's row stays."""
    welcome_by_hand(event_id)


class Procrastinate(Peer):
    """Its Django integration, its worker's notifications and batches of defers."""

    name = "procrastinate"
    title = "procrastinate"
    packages = ("procrastinate",)
    history = "procrastinate_jobs"
    finished = "status = 'succeeded'"

    def worker_commands(self) -> list[list[str]]:
        """As many processes as the others have, with their default: a job at a time."""
        worker = python("manage.py", "procrastinate", "worker", "--queues", QUEUE)
        return [worker] * WORKERS

    def publish(self, mode: Mode, count: int) -> None:
        """Write leads, events and jobs in one transaction."""
        if mode == Mode.SINGLE:
            for number in range(count):
                with transaction.atomic():
                    welcome.defer(event_id=str(record_prospect(number)))
            return
        for size in chunks_of(count):
            with transaction.atomic():
                jobs: list[Any] = [
                    {"event_id": str(event_id)} for event_id in record_prospects(size)
                ]
                welcome.batch_defer(*jobs)
