"""Carrying out `python -m benchmarks sequences`, on a database of its own, durable as an
installation's."""

import argparse
import os
import sys

import django
import psycopg

from benchmarks.stage import LET_CHECKPOINT, environment_of, temporary_home
from salesflow import celery_app
from salesflow.postgres import Cluster, admin_url, app_url


def measure_sequences(arguments: argparse.Namespace) -> None:
    """Measure the engine of sequences, and write what was measured line by line.

    Raises:
        HomeError: PostgreSQL can't be started; the message says what to do.
    """
    with temporary_home() as home, Cluster(home).attached():
        with psycopg.connect(admin_url(home), autocommit=True) as admin:
            admin.execute(LET_CHECKPOINT)
        os.environ.update(environment_of(home, app_url(home), "salesflow.settings"))
        # It was made before there were settings: other threads would know Celery's own app alone.
        celery_app.set_default()
        django.setup()
        # It needs Django's models.
        from benchmarks.sequences.measuring import measure

        for line in measure(arguments.people, arguments.limit, arguments.workers):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
