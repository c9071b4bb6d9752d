"""django-tasks-db: Django's own interface for tasks, on its database backend."""

from django.db import transaction
from django_tasks import task

from benchmarks.peers.peer import WORKERS, Mode, Peer, python
from benchmarks.workload.services import chunks_of, record_prospect, record_prospects
from benchmarks.workload.settling import welcome_by_hand


@task()
def welcome(event_id: str) -> None:
    """Handle one event; the backend keeps the result."""
    welcome_by_hand(event_id)


class DjangoTasks(Peer):
    """Tasks enqueued in the transaction of the change."""

    name = "django_tasks"
    title = "django-tasks-db"
    packages = ("django-tasks", "django-tasks-db")
    history = "django_tasks_database_dbtaskresult"
    finished = "status = 'SUCCESSFUL'"

    def worker_commands(self) -> list[list[str]]:
        """As many processes as the others have; they hardly wait between two looks."""
        worker = python("manage.py", "db_worker", "--no-startup-delay", "--interval", "0.05")
        return [[*worker, "--verbosity", "0"]] * WORKERS

    def publish(self, mode: Mode, count: int) -> None:
        """Write leads, events and tasks in one transaction."""
        if mode == Mode.SINGLE:
            for number in range(count):
                with transaction.atomic():
                    welcome.enqueue(str(record_prospect(number)))
            return
        for size in chunks_of(count):
            with transaction.atomic():
                for event_id in record_prospects(size):
                    welcome.enqueue(str(event_id))
