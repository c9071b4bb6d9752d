"""The Celery tasks of the peers that are plain Celery."""

from benchmarks.celery import app
from benchmarks.workload.settling import welcome_by_hand


@app.task(name="benchmarks.welcome")
def welcome(event_id: str) -> None:
    """Handle one event; the backend keeps the result."""
    welcome_by_hand(event_id)
