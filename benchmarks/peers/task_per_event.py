"""A Celery task for each event, its results kept by django-celery-results."""

from django.db import transaction

from benchmarks.celery import app
from benchmarks.peers.peer import WORKERS, Broker, Mode, Peer, python
from benchmarks.workload.services import chunks_of, record_prospect, record_prospects
from benchmarks.workload.tasks import welcome

LONELY = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"]


class TaskPerEvent(Peer):
    """What most Django projects do: on_commit, a task with the row's id."""

    name = "task_per_event"
    title = "Celery, a task per event"
    packages = ("celery", "django-celery-results")
    brokers = (Broker.PGMQ, Broker.REDIS)
    history = "django_celery_results_taskresult"
    finished = "status = 'SUCCESS'"

    def worker_commands(self) -> list[list[str]]:
        """A worker with its default pool of processes."""
        celery = python("-m", "celery", "--quiet", "-A", "benchmarks.celery")
        return [[*celery, "worker", "--concurrency", str(WORKERS), *LONELY]]

    def publish(self, mode: Mode, count: int) -> None:
        """Write leads and events; after the commit, send a task for each."""
        if mode == Mode.SINGLE:
            for number in range(count):
                _publish_one(number)
        else:
            for size in chunks_of(count):
                _publish_chunk(size)


def _publish_one(number: int) -> None:
    with transaction.atomic():
        event_id = str(record_prospect(number))
        transaction.on_commit(lambda: welcome.delay(event_id))


def _publish_chunk(size: int) -> None:
    event_ids = record_prospects(size)
    with app.producer_pool.acquire(block=True) as producer:
        for event_id in event_ids:
            welcome.apply_async((str(event_id),), producer=producer)
