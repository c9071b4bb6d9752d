"""What the engine counts for Prometheus.

Each process counts in a memory-mapped file of its own (see `salesflow/prometheus.py`), so that
counting takes microseconds and no lock between processes. Count a batch at once, never
event by event, and after the commit: what was rolled back has not happened.

No metric has a label for the tenant: their number has no bound, and who reads metrics need not
know who does how much.
"""

from functools import cache
from typing import Literal

from prometheus_client import Counter, Histogram

Queue = Literal["events", "external"]
Outcome = Literal["succeeded", "retried", "failed"]

# Seconds. A batch of a database handler takes milliseconds, an HTTP call may take its timeout.
DURATIONS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
WAITS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 3600)

PUBLISHED = Counter("salesflow_events_published", "Events that were committed.", ["type"])
SETTLED = Counter(
    "salesflow_events_settled",
    "Events whose handlers have all finished: processed, or failed where one gave up.",
    ["type", "status"],
)
HANDLED = Counter(
    "salesflow_handler_deliveries",
    "Events that a handler was given: it succeeded, will be tried again, or gave up.",
    ["handler", "outcome"],
)
DURATION = Histogram(
    "salesflow_handler_duration_seconds",
    "How long a handler's call took; a batch is one call.",
    ["handler", "outcome"],
    buckets=DURATIONS,
)
WAIT = Histogram(
    "salesflow_queue_wait_seconds",
    "How long after it was due the oldest of a batch was taken.",
    ["queue"],
    buckets=WAITS,
)
WORKERS_LOST = Counter(
    "salesflow_workers_lost", "Workers that died or froze while they held events.", ["queue"]
)
NUDGES = Counter(
    "salesflow_nudges",
    "Messages that wake workers: sent, or lost by a broker that is away.",
    ["queue", "outcome"],
)
SWEEPS = Counter("salesflow_sweeps", "Looks of the sweeper for what nobody was told of.")


def published(event_type: str, n: int = 1) -> None:
    """Count events of one type, once the transaction that wrote them has committed."""
    _counter(PUBLISHED, event_type).inc(n)


def settled(event_type: str, status: str, n: int = 1) -> None:
    """Count events of one type that got their final status.

    Args:
        status: "processed" or "failed".
    """
    _counter(SETTLED, event_type, str(status)).inc(n)


def handled(handler: str, outcome: Outcome, n: int = 1, seconds: float = 0.0) -> None:
    """Count one call of a handler.

    Args:
        outcome: "succeeded", "retried" (it failed and will be tried again) or "failed" (it gave
            up).
        n: how many events the call was given.
        seconds: how long the call took, for all of them together.
    """
    _counter(HANDLED, handler, outcome).inc(n)
    _histogram(DURATION, handler, outcome).observe(seconds)


def waited(queue: Queue, seconds: float) -> None:
    """Note how late the oldest of a batch was taken, by the database's clock."""
    _histogram(WAIT, queue).observe(max(0.0, seconds))


def worker_lost(queue: Queue, n: int = 1) -> None:
    """Count workers whose journal or lease was found without them."""
    _counter(WORKERS_LOST, queue).inc(n)


def nudged(queue: Queue, sent: bool) -> None:
    """Count a message that was sent to wake a worker, or that the broker did not take."""
    _counter(NUDGES, queue, "sent" if sent else "lost").inc()


def swept() -> None:
    """Count a look of the sweeper: one that has stopped shows in this alone."""
    SWEEPS.inc()


@cache
def _counter(metric: Counter, *labels: str) -> Counter:
    return metric.labels(*labels)


@cache
def _histogram(metric: Histogram, *labels: str) -> Histogram:
    return metric.labels(*labels)
