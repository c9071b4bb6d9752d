"""Executing what is due: take, decide, act, and write what came of it, in one transaction a batch.

Each step happens once at most: what it does and the row that says so commit together while its
enrolment is held, and the constraint execution_once refuses a second one. A worker that is killed
leaves nothing behind. Locks are taken in one order: enrolments, their leads, quotas,
conversations. A lead that somebody holds is passed over, since a reply may just be coming in: the
reply is seen, or it waits for what is queued here and withdraws it.
"""

import time
from collections.abc import Mapping, Sequence
from copy import copy
from datetime import datetime
from uuid import UUID

import structlog
from django.db import OperationalError, transaction
from django.utils import translation

from channels.sequences import moving
from channels.sequences.batches import Batch
from channels.sequences.decisions import Block, Obstacle
from channels.sequences.models import Enrolment
from channels.sequences.pausing import share_sequences
from channels.sequences.payloads import SequenceResumed
from channels.sequences.reading import held_sequences, lock_free_leads
from channels.sequences.taking import Rotation, take_returned
from channels.sequences.versions import published
from events.batches import is_clash
from events.publishing import Draft, publish_many
from leads.models import Lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant

log = structlog.get_logger(__name__)

# Seconds after which a worker gives way to what else it was sent.
TURN = 5.0
MOST_CLASHES = 5

rotation = Rotation()


def advance_due(limit: int = 300, at: datetime | None = None) -> int:
    """Execute the steps that are due, batch by batch, each tenant its share; wake who is back.

    Args:
        limit: people whom one transaction takes, about.
        at: the time; by default the database's, which alone decides in production.

    Returns:
        How many people were looked at, and put somewhere; 0 when nobody is due. Where it ends
        because its time is over, the next call goes on.
    """
    give_way_at = time.monotonic() + TURN
    moved = wake_returned(limit, at)
    while time.monotonic() < give_way_at:
        done, was_last = _again_after_clashes(limit, at)
        moved += done
        if not done and was_last:
            break
    return moved


def wake_returned(limit: int, at: datetime | None = None) -> int:
    """Let those go on whose pause is over; returns how many."""
    with transaction.atomic():
        taken = take_returned(limit, at)
        tenants = Tenant.objects.in_bulk([*taken.by_tenant()])
        for tenant_id, rows in taken.by_tenant().items():
            with tenant_context(tenants[tenant_id]):
                _wake(rows)
    return len(taken.enrolments)


def _wake(rows: Sequence[Enrolment]) -> None:
    drafts = []
    for row in rows:
        returned = row.resume_at
        assert returned
        moving.wake(row, returned)
        about = moving.about(row, published(row.version_id).plan)
        drafts.append(Draft(SequenceResumed(**about), returned))
    moving.save_enrolments(rows)
    publish_many(drafts)


def _again_after_clashes(limit: int, at: datetime | None) -> tuple[int, bool]:
    """Of two that wait for each other PostgreSQL ends one: it begins anew, and nothing is lost."""
    for _clash in range(MOST_CLASHES):
        try:
            return _advance(limit, at)
        except OperationalError as error:
            if not is_clash(error):
                raise
    return _advance(limit, at)


def _advance(limit: int, at: datetime | None) -> tuple[int, bool]:
    """One transaction: how many it moved, and whether it looked at the last of the tenants."""
    moved = 0
    with transaction.atomic():
        taken = rotation.take(limit, at)
        groups = taken.by_tenant()
        tenants = Tenant.objects.in_bulk([*groups]) if groups else {}
        for tenant_id, rows in groups.items():
            tenant = tenants[tenant_id]
            with tenant_context(tenant), translation.override(tenant.language):
                assert taken.now
                moved += _move(rows, taken.now)
    return moved, rotation.is_at_start


def _move(rows: Sequence[Enrolment], now: datetime) -> int:
    """Put people of the current tenant where they belong by now; those whose lead somebody holds,
    or whose sequence somebody is just pausing, stay where they are."""
    shared = share_sequences(row.sequence_id for row in rows)
    rows = [row for row in rows if row.sequence_id in shared]
    held = held_sequences(rows)
    parked = [row for row in rows if row.sequence_id in held]
    for row in parked:
        moving.park(row, now)
    moving.save_enrolments(parked)
    leads = lock_free_leads(row.lead_id for row in rows if row.sequence_id not in held)
    free = [row for row in rows if row.sequence_id not in held and row.lead_id in leads]
    _execute(free, leads, now)
    return len(parked) + len(free)


def _execute(rows: Sequence[Enrolment], leads: Mapping[UUID, Lead], now: datetime) -> None:
    """Execute a batch; where that fails, halve it until the culprit stands alone."""
    if not rows:
        return
    try:
        with transaction.atomic():
            # Copies: what is rolled back is to be as it was read.
            Batch.of([copy(row) for row in rows], leads, now).execute()
    except Exception as error:  # one that cannot be executed keeps nobody else
        if is_clash(error):
            raise
        if len(rows) == 1:
            _give_up(rows[0], error)
        else:
            middle = len(rows) // 2
            _execute(rows[:middle], leads, now)
            _execute(rows[middle:], leads, now)


def _give_up(row: Enrolment, error: Exception) -> None:
    """Leave it to somebody who looks, and remember what went wrong."""
    log.exception("sequence_step_broke", enrolment=str(row.pk), exc_info=error)
    moving.block(row, Block(Obstacle.BROKEN, (f"{type(error).__name__}: {error}",)))
    moving.save_enrolments([row])
