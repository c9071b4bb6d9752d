"""The Celery application: carries nudges to workers, and the beat of the sweeper."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init, worker_process_shutdown

app = Celery("salesflow", amqp="salesflow.broker:Amqp")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def _keep_logging(**_: Any) -> None:
    """Leave the logs as the settings have set them up: Celery would add handlers of its own."""


# Added to the priority that a worker was started with, as nice(1) does it.
NICENESS = 10


@worker_init.connect
def _give_way(**_: Any) -> None:
    """Let whoever waits for an answer go first: a page, a vendor's call.

    Where both want the same cores, as in a flood of webhook calls, what came in is kept at once and
    worked off behind it.
    """
    os.nice(NICENESS)


@worker_init.connect
def _fold_counts(**_: Any) -> None:
    """Tidy up after the workers before: they may have been killed, and nobody may scrape."""
    from django.conf import settings

    from salesflow.prometheus import fold_ended

    fold_ended(settings.METRICS_DIRECTORY)


@worker_process_shutdown.connect
def _flush_traces(**_: Any) -> None:
    """Send the last spans: a pool's processes end without Python's farewell."""
    from salesflow.tracing import flush

    flush()
