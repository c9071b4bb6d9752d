"""The Celery tasks of the peers that are plain Celery."""

import time

from django.conf import settings

from benchmarks.celery import app
from benchmarks.workload.settling import welcome_by_hand

# Where tasks that do nothing leave a line each.
NO_OPS = settings.HOME / "no-ops"


@app.task(name="benchmarks.welcome")
def welcome(event_id: str) -> None:
    """Handle one event; the backend keeps the result."""
    welcome_by_hand(event_id)


@app.task(name="benchmarks.do_nothing", ignore_result=True)
def do_nothing(sent_at: float) -> None:
    """Write down how many seconds it took to get here; a short line is written whole."""
    with NO_OPS.open("a") as lines:
        lines.write(f"{time.time() - sent_at:.6f}\n")
