"""Nobody is stuck silently: whoever waits for what was settled long ago goes on after all.

Handlers let people go on; one that was given up, or paused for days, would keep them for ever.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from channels.models import MessageStatus
from channels.sequences import settling
from channels.sequences.models import Enrolment, Waiting
from channels.sequences.taking import FIRST
from channels.statuses import PROGRESS
from events.rows import fetch_rows
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant

log = structlog.get_logger(__name__)

# What was settled later than this may yet be handled by whoever is to do so.
PATIENCE = timedelta(minutes=10)
AT_ONCE = 500
# People whose step was due before that are late: nobody works, or not fast enough.
LATE = timedelta(minutes=10)

# Through the index enrolment_by_wait, a slice at a time. Of a message that was handed over, and of
# which nobody knows whether it arrived, nothing tells when that was found out.
STUCK = """
    SELECT waiting.tenant_id, waiting.waiting_id, coalesce(message.status, task.state),
           coalesce(message.failed_at, message.withdrawn_at, message.sent_at, task.settled_at)
    FROM (
        SELECT tenant_id, waiting_id FROM sequences_enrolment
        WHERE waiting_id > %(after)s AND state <> 'finished'
        ORDER BY waiting_id LIMIT %(size)s
    ) AS waiting
    LEFT JOIN channels_message AS message ON message.id = waiting.waiting_id
    LEFT JOIN leads_task AS task ON task.id = waiting.waiting_id
    ORDER BY waiting.waiting_id
"""
# The oldest of each tenant, by the index enrolment_due.
OLDEST_DUE = """
    WITH RECURSIVE waiting AS (
        (SELECT tenant_id, next_step_at FROM sequences_enrolment
         WHERE state = 'active' AND next_step_at IS NOT NULL
         ORDER BY tenant_id, next_step_at LIMIT 1)
        UNION ALL
        SELECT next.tenant_id, next.next_step_at FROM waiting, LATERAL (
            SELECT tenant_id, next_step_at FROM sequences_enrolment
            WHERE state = 'active' AND next_step_at IS NOT NULL AND tenant_id > waiting.tenant_id
            ORDER BY tenant_id, next_step_at LIMIT 1
        ) AS next
    ) SELECT min(next_step_at) FROM waiting
"""
UNDER_WAY = {MessageStatus.PREPARED.value, MessageStatus.QUEUED.value, "open"}


@dataclass
class Stuck:
    """What people of one tenant wait for in vain, and when that was settled."""

    sent: dict[UUID, datetime] = field(default_factory=dict)
    failed: dict[UUID, datetime] = field(default_factory=dict)
    withdrawn: dict[UUID, datetime] = field(default_factory=dict)
    other: dict[UUID, datetime] = field(default_factory=dict)

    def mend(self) -> int:
        """Do what handlers have left undone; returns for how many people."""
        return (
            settling.note_sent(self.sent)
            + settling.note_failed(self.failed)
            + settling.note_withdrawn(self.withdrawn)
            + settling.let_go_on(self.other)
        )


def mend_enrolments(at: datetime | None = None) -> int:
    """Let those of all tenants go on who wait for what was settled, or is gone.

    Args:
        at: the time; now when not given.

    Returns:
        How many they were.
    """
    now, mended = at or timezone.now(), 0
    for found in _slices(now):
        tenants = Tenant.objects.in_bulk([*found])
        for tenant_id, stuck in found.items():
            with tenant_context(tenants[tenant_id]), transaction.atomic():
                mended += stuck.mend()
    if mended:
        log.warning("sequences_mended", enrolments=mended)
    return mended


def look_at_obstacles(at: datetime | None = None) -> int:
    """Look whether what holds people up is there still: of an account that is connected again, or a
    template that was approved, nobody tells. Returns how many were held up."""
    now, found = at or timezone.now(), 0
    blocked = Enrolment.unscoped.filter(waiting_for=Waiting.PERSON).order_by()
    for tenant in Tenant.objects.filter(pk__in=blocked.values("tenant")):
        with tenant_context(tenant):
            found += _look_at_obstacles_of_tenant(now)
    return found


def oldest_due(at: datetime | None = None) -> timedelta | None:
    """For how long a step has been due that nobody has executed; None: nothing is due."""
    [(oldest,)] = fetch_rows(OLDEST_DUE, {})
    late = (at or timezone.now()) - oldest if oldest else None
    return late if late and late > timedelta() else None


def warn_of_delay(at: datetime | None = None) -> None:
    """Say so in the log where steps have been due for long."""
    late = oldest_due(at)
    if late and late > LATE:
        log.warning("sequence_steps_late", seconds=round(late.total_seconds()))


def _look_at_obstacles_of_tenant(now: datetime) -> int:
    rows = Enrolment.objects.filter(waiting_for=Waiting.PERSON).exclude(state="finished")
    leads = list(rows.values_list("lead_id", flat=True).order_by("lead_id").distinct())
    found = 0
    for start in range(0, len(leads), AT_ONCE):
        with transaction.atomic():
            found += settling.look_at_obstacles(leads[start : start + AT_ONCE], now)
    return found


def _slices(now: datetime) -> Iterator[dict[UUID, Stuck]]:
    after = FIRST
    while rows := fetch_rows(STUCK, {"after": after, "size": AT_ONCE}):
        found: dict[UUID, Stuck] = defaultdict(Stuck)
        for tenant_id, waiting_id, status, settled_at in rows:
            if status not in UNDER_WAY and (settled_at is None or settled_at < now - PATIENCE):
                _sort_in(found[tenant_id], waiting_id, status, settled_at or now)
        yield dict(found)
        after = rows[-1][1]


def _sort_in(stuck: Stuck, waiting_id: UUID, status: str | None, at: datetime) -> None:
    kinds: dict[str | None, dict[UUID, datetime]] = {
        MessageStatus.FAILED.value: stuck.failed,
        MessageStatus.WITHDRAWN.value: stuck.withdrawn,
        **{each.value: stuck.sent for each in PROGRESS},
    }
    # Nobody knows whether one arrived, or it was deleted; or it is a task.
    kinds.get(status, stuck.other)[waiting_id] = at
