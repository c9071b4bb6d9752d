"""Forgetting: plans that nobody starts end after a day, and the items of all that ended go."""

import time
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Now

from events.models import Replay
from events.rows import execute

# A plan that nobody starts is forgotten: by then it is not any more what its planner has seen.
PLAN_LASTS = timedelta(days=1)
# Items that are deleted in one transaction.
CHUNK = 10_000

FORGET = """
    DELETE FROM replay_items WHERE id = ANY(ARRAY(
        SELECT id FROM replay_items WHERE replay_id = %(replay)s ORDER BY id LIMIT %(most)s
    ))
"""


def expire_plans() -> None:
    """Cancel the plans that nobody has started for a day."""
    planned = Replay.objects.filter(status__in=[Replay.Status.PLANNING, Replay.Status.PLANNED])
    old = planned.filter(created_at__lt=Now() - Value(PLAN_LASTS)).order_by("id")
    with transaction.atomic():
        ids = list(old.select_for_update(skip_locked=True).values_list("id", flat=True)[:100])
        ended = Replay.objects.filter(pk__in=ids)
        ended.update(status=Replay.Status.CANCELLED, finished_at=Now())


def forget_dropped(give_way_at: float) -> bool:
    """Delete the items of plans that ended without a start: each look at one may freeze many.

    Args:
        give_way_at: when to stop, on the monotonic clock.

    Returns:
        Whether something is left.
    """
    dropped = Replay.objects.filter(
        status=Replay.Status.CANCELLED, started_at=None, pruned_at=None
    ).order_by("id")
    for replay_id in dropped.values_list("id", flat=True)[:100]:
        while forget_chunk(replay_id):
            if time.monotonic() > give_way_at:
                return True
    return False


@transaction.atomic
def forget_chunk(replay_id: UUID) -> bool:
    """Delete some items of a plan that was dropped; returns whether there may be more."""
    deleted = execute(FORGET, {"replay": replay_id, "most": CHUNK})
    if deleted < CHUNK:
        Replay.objects.filter(pk=replay_id).update(pruned_at=Now())
    return deleted == CHUNK
