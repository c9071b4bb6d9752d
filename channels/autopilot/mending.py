"""What is put in order from time to time, of all tenants: calls that nobody ends, drafts about
which nobody decides, old prompts."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation

from channels.autopilot.calls import INTERRUPTED, close_lost_calls
from channels.autopilot.drafts import expire_draft
from channels.autopilot.models import Call, Draft, Run
from channels.autopilot.outcomes import Outcome
from channels.autopilot.runs import finish_run, lock_run
from salesflow.accounts.context import tenant_context

log = structlog.get_logger(__name__)

# No call lasts as long: whoever noted it is gone, and if the engine had it made again, that would
# have ended it.
LOST_AFTER = timedelta(minutes=15)
# Rows that are written at once.
PORTION = 500


def end_lost_runs(at: datetime | None = None) -> int:
    """End the runs whose workers are gone and that nobody performs again; what was reserved for
    their calls counts as spent.

    Returns:
        How many there were.
    """
    before = (at or timezone.now()) - LOST_AFTER
    lost = Call.unscoped.filter(finished_at=None, started_at__lt=before)
    found = list(lost.values_list("run_id", flat=True).distinct()[:PORTION])
    return sum(_end_if_lost(run_id) for run_id in found)


def forget_prompts(at: datetime | None = None) -> int:
    """Delete what models were asked once that is old: it holds what people wrote.

    Returns:
        How many prompts there were.
    """
    before = (at or timezone.now()) - timedelta(days=settings.AI_PROMPT_DAYS)
    old = Run.unscoped.exclude(messages=[]).filter(finished_at__lt=before)
    count = 0
    while ids := list(old.values_list("pk", flat=True)[:PORTION]):
        count += Run.unscoped.filter(pk__in=ids).update(messages=[])
    return count


def expire_drafts(at: datetime | None = None) -> int:
    """Close the drafts that nobody has decided about in time.

    Returns:
        How many there were.
    """
    late = Draft.unscoped.select_related("tenant").filter(
        state=Draft.State.PENDING, good_until__lt=at or timezone.now()
    )
    count = 0
    for draft in late.order_by("good_until", "pk")[:PORTION]:
        with tenant_context(draft.tenant), translation.override(draft.tenant.language):
            count += expire_draft(draft.pk)
    return count


def _end_if_lost(run_id: UUID) -> bool:
    run = Run.unscoped.select_related("tenant").filter(pk=run_id).first()
    if run is None:
        return False
    with tenant_context(run.tenant), translation.override(run.tenant.language):
        return _end(run_id)


@transaction.atomic
def _end(run_id: UUID) -> bool:
    run = lock_run(run_id)
    if run is None or run.state != Run.State.RUNNING or not close_lost_calls(run):
        return False
    finish_run(run, Outcome.FAILED, INTERRUPTED)
    log.warning("run_lost", run=str(run_id))
    return True
