"""Running external deliveries, one after the other, until nothing is due."""

import time

import structlog
from django.db import InterfaceError, OperationalError, connection
from structlog.contextvars import bound_contextvars

from events import metrics, registry
from events.external.calling import Result, call
from events.external.leasing import Lease, due_handlers, lease_named, lease_next
from events.external.reporting import report
from events.nudging import nudge_external
from events.outcomes import log_context

log = structlog.get_logger(__name__)

# Seconds. A worker that has worked for so long gives way to its shutdown.
TURN = 5.0
# Seconds for which a report is tried while the database is away, and between two tries.
PERSISTENCE, PAUSE = 60.0, 0.5


def longest_turn() -> float:
    """Seconds after which a worker must have given way; one that has not hangs for good."""
    timeouts = [handler.timeout for handler in registry.all_handlers() if handler.is_external]
    return TURN + max(timeouts, default=0.0) + PERSISTENCE + PAUSE


def run_due() -> int:
    """Run what is due, until nothing is that may be called now, or the turn is over.

    Returns:
        How many calls it made.
    """
    give_way_at = time.monotonic() + TURN
    calls = 0
    while lease := lease_next():
        if not calls:
            _wake_a_colleague()
        _run(lease)
        calls += 1
        if time.monotonic() > give_way_at:
            nudge_external()
            break
    return calls


def run_delivery(delivery_id: int, *, heed_limits: bool = True) -> bool:
    """Run one external delivery, if it is due and nobody else runs it.

    Args:
        heed_limits: False calls the handler even if its breaker is open or it is busy.

    Returns:
        Whether it ran.
    """
    lease = lease_named(delivery_id, heed_limits)
    if lease:
        _run(lease)
    return lease is not None


def _wake_a_colleague() -> None:
    """Wake one more worker where there is more to do: each that finds work wakes the next."""
    if due_handlers():
        nudge_external()


def _run(lease: Lease) -> None:
    metrics.waited("external", lease.late)
    context = log_context(lease.event, lease.handler.name)
    with bound_contextvars(**context, tenant=lease.event.tenant.slug):
        _report_persistently(lease, call(lease))


def _report_persistently(lease: Lease, result: Result) -> None:
    """Report even if the database was away for a while: else the call would be made again."""
    give_up_at = time.monotonic() + PERSISTENCE
    while True:
        try:
            report(lease, result)
        except (OperationalError, InterfaceError) as error:
            if time.monotonic() > give_up_at:
                raise
            log.warning("report_delayed", error=str(error).strip())
            connection.close()
            time.sleep(PAUSE)
        else:
            return
