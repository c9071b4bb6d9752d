"""Many leads at once: chosen when somebody asks for it, and taken in one slice after the other.

A slice is one transaction, so a worker that dies takes nothing along: what it did not commit is
done again, and a lead that is in the sequence already does not come in twice. A lead that cannot be
taken in at all is found by halving its slice, and counted; the others come in.
"""

import time
from collections import Counter
from collections.abc import Iterable
from collections.abc import Sequence as Many
from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from channels.models import Account
from channels.sequences import models
from channels.sequences.enrolling import EnrolReport, Source, enrol_leads, published_version
from channels.sequences.models import BulkEnrolment
from channels.sequences.refusing import Refusal
from events.batches import is_clash
from leads.models import Lead
from salesflow.accounts.context import current_tenant, tenant_context
from salesflow.accounts.models import User

log = structlog.get_logger(__name__)

State = BulkEnrolment.State
# Leads of one slice; and seconds after which a worker leaves the rest to the next look.
SLICE, LONGEST = 200, 5.0


def begin_bulk(
    lead_ids: Iterable[UUID],
    sequence: models.Sequence,
    *,
    sender: User | None = None,
    account: Account | None = None,
    actor: User | None = None,
) -> BulkEnrolment:
    """Have these leads taken in, in the background.

    Raises:
        ValidationError: under "sequence": nobody can come into it.
    """
    published_version(sequence)
    chosen = [str(lead_id) for lead_id in dict.fromkeys(lead_ids)]
    bulk: BulkEnrolment = BulkEnrolment.objects.create(
        sequence=sequence,
        sender=sender,
        account=account,
        actor=actor,
        lead_ids=chosen,
        total=len(chosen),
    )
    return bulk


def cancel_bulk(bulk: BulkEnrolment) -> bool:
    """Take nobody in any more; whether there was somebody left. Who is in stays in."""
    rows = BulkEnrolment.objects.filter(pk=bulk.pk, state=State.RUNNING)
    return bool(rows.update(state=State.CANCELLED, finished_at=timezone.now()))


def advance_bulks(*, at: datetime | None = None, longest: float = LONGEST) -> int:
    """Carry on what is running, of all tenants, a slice of each in turn; how many were looked at.

    Args:
        at: when they come in; now when not given.
        longest: seconds.
    """
    end, looked_at = time.monotonic() + longest, 0
    while time.monotonic() < end:
        running = BulkEnrolment.unscoped.filter(state=State.RUNNING).order_by("pk")
        slices = [_advance(bulk_id, at) for bulk_id in running.values_list("pk", flat=True)]
        looked_at += sum(slices)
        if not any(slices):
            break
    return looked_at


@transaction.atomic
def _advance(bulk_id: UUID, at: datetime | None) -> int:
    rows = BulkEnrolment.unscoped.filter(pk=bulk_id, state=State.RUNNING)
    bulk = rows.select_for_update(skip_locked=True, of=("self",)).select_related("tenant").first()
    if bulk is None:
        return 0
    with tenant_context(bulk.tenant):
        return _take_slice(bulk, at)


def _take_slice(bulk: BulkEnrolment, at: datetime | None) -> int:
    assert bulk.tenant_id == current_tenant().id
    ids = [UUID(lead_id) for lead_id in bulk.lead_ids[bulk.done : bulk.done + SLICE]]
    if ids and bulk.sequence.state != models.Sequence.State.ARCHIVED:
        _take_in(bulk, ids, at)
        bulk.done += len(ids)
    if bulk.done >= bulk.total or bulk.sequence.state == models.Sequence.State.ARCHIVED:
        bulk.state, bulk.finished_at = State.FINISHED, timezone.now()
    # Not the list of leads, which may be long.
    bulk.save(update_fields=["enrolled", "refused", "done", "state", "finished_at"])
    return len(ids)


def _take_in(bulk: BulkEnrolment, ids: Many[UUID], at: datetime | None) -> None:
    """Take leads in; where that fails, halve them until the culprit stands alone."""
    try:
        with transaction.atomic():
            report = _enrol(bulk, ids, at)
    except Exception as error:  # one that cannot be taken in keeps nobody else
        if is_clash(error):
            raise
        if len(ids) == 1:
            log.exception("bulk_enrolment_broke", lead=str(ids[0]), exc_info=error)
            _count(bulk, 0, [Refusal.BROKEN])
        else:
            middle = len(ids) // 2
            _take_in(bulk, ids[:middle], at)
            _take_in(bulk, ids[middle:], at)
    else:
        _count(bulk, len(report.enrolled), report.refused.values())


def _enrol(bulk: BulkEnrolment, ids: Many[UUID], at: datetime | None) -> EnrolReport:
    return enrol_leads(
        [Lead(pk=lead_id) for lead_id in ids],
        bulk.sequence,
        source=Source.BULK,
        sender=bulk.sender,
        account=bulk.account if bulk.account and bulk.account.is_active else None,
        actor=bulk.actor,
        at=at,
    )


def _count(bulk: BulkEnrolment, enrolled: int, refused: Iterable[Refusal]) -> None:
    bulk.enrolled += enrolled
    bulk.refused = dict(Counter(bulk.refused) + Counter(reason.value for reason in refused))
