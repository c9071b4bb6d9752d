"""Finding leases that were lost, and waking workers for what is due."""

from django.db.models.functions import Now

from events import metrics
from events.external.calling import Result
from events.external.leasing import due_handlers
from events.external.reporting import Ended, LeaseLost, write
from events.external.transactions import brief_transaction
from events.models import Delivery, DeliveryStatus
from events.nudging import nudge_external

MOST_AT_ONCE = 500


def sweep() -> int:
    """Rescue lost leases and wake a worker if a delivery is due; returns how many were rescued."""
    rescued = 0
    while found := rescue_lost_leases():
        rescued += found
    if due_handlers():
        nudge_external()
    return rescued


def rescue_lost_leases() -> int:
    """Record a failed attempt for calls whose heartbeat has stopped; returns how many.

    What somebody holds is left alone: it is being rescued, or reported on after all.
    """
    with brief_transaction():
        lost = list(
            Delivery.objects.filter(status=DeliveryStatus.RUNNING, lease_expires_at__lte=Now())
            .select_related("event__tenant")
            .select_for_update(skip_locked=True, no_key=True, of=("self", "event"))
            .annotate(read_at=Now())
            .order_by("lease_expires_at")[:MOST_AT_ONCE]
        )
        if lost:
            now = lost[0].read_at
            write(
                [Ended(delivery, Result(LeaseLost(), 0.0), delivery.worker) for delivery in lost],
                now,
            )
    if lost:
        metrics.worker_lost("external", len(lost))
    return len(lost)
