"""Running: releases step by step what a replay's canary, pace and window allow, until its end.

A turn is one transaction: a process that dies within it has done nothing, and whoever comes next
goes on from the rows. Turns of one replay follow each other, under an advisory lock.
"""

import time
from datetime import datetime
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Count, F
from django.db.models.functions import Now
from django.utils import translation

from events.journal import limit_transaction
from events.models import Replay, ReplayItem
from events.nudging import nudge_replays
from events.replays.auditing import note
from events.replays.filling import fill_plans
from events.replays.forgetting import expire_plans, forget_dropped
from events.replays.judging import (
    Standing,
    must_stop,
    paid_after,
    room_for,
    standing_of,
    stopped_sentence,
    stretch_after,
    why_stopped,
)
from events.replays.releasing import CHUNK, Released, release_next

log = structlog.get_logger(__name__)

# Seconds that a sweep may spend on releasing.
TURN = 1.0
# Any number that is ours alone among two-part advisory locks.
RELEASING_LOCK = 0x5A1E5F12

OPEN = [ReplayItem.Status.WAITING, ReplayItem.Status.RELEASED]


def advance_running_replays() -> None:
    """Carry on every replay that has not finished, wherever its worker left it, and every plan.

    For a moment alone: whoever calls this has other work. What is left is asked for anew.
    """
    give_way_at = time.monotonic() + TURN
    running = Replay.objects.filter(status=Replay.Status.RUNNING).order_by("id")
    has_more = [
        _advance_apart(replay_id, give_way_at) for replay_id in running.values_list("id", flat=True)
    ]
    expire_plans()
    has_more += [fill_plans(give_way_at), forget_dropped(give_way_at)]
    if any(has_more):
        nudge_replays()


def _advance_apart(replay_id: UUID, give_way_at: float) -> bool:
    """As `advance`; what goes wrong with one replay keeps none of the others."""
    try:
        return advance(replay_id, give_way_at)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("replay_cannot_go_on", replay=str(replay_id))
        return False


def advance(replay_id: UUID, give_way_at: float = float("inf")) -> bool:
    """Release what may go now, chunk by chunk, and close the replay when all have answered.

    Args:
        give_way_at: when to stop, on the monotonic clock.

    Returns:
        Whether it gave way before it was through.
    """
    while take_turn(replay_id):
        if time.monotonic() > give_way_at:
            return True
    return False


def take_turn(replay_id: UUID) -> bool:
    """Stop, finish, or release one chunk; returns whether another one may follow at once."""
    with transaction.atomic():
        limit_transaction()
        found = _hold(replay_id)
        if found is None:
            return False
        replay, now = found
        standing = standing_of(replay, now)
        if must_stop(replay, standing):
            _stop(replay, why_stopped(replay, standing))
            return False
        taken = release_next(replay, room) if (room := room_for(replay, standing)) else Released()
        if taken.taken:
            return _count(replay, taken, standing) and not _is_filled_by(taken, room)
        _finish_if_all_have_answered(replay)
        return False


def is_held_back_by_pace(replay_id: UUID) -> bool:
    """Whether more of a running replay would be released now but for its pace."""
    running = Replay.objects.filter(pk=replay_id, status=Replay.Status.RUNNING)
    replay = running.exclude(pace=None).annotate(read_at=Now()).first()
    if replay is None:
        return False
    return room_for(replay, standing_of(replay, replay.read_at), heeds_pace=False) > 0


def _hold(replay_id: UUID) -> tuple[Replay, datetime] | None:
    """The running replay and the database's time; None where another process has its turn.

    Its row is locked only at the end of a turn: workers write their answers to it.
    """
    with connection.cursor() as cursor:
        statement = "SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))"
        cursor.execute(statement, [RELEASING_LOCK, str(replay_id)])
        if not cursor.fetchone()[0]:
            return None
    running = Replay.objects.filter(pk=replay_id, status=Replay.Status.RUNNING)
    replay = running.select_related("tenant", "actor").annotate(read_at=Now()).first()
    return (replay, replay.read_at) if replay else None


def _count(replay: Replay, taken: Released, standing: Standing) -> bool:
    """Write a turn on the replay's row; undo it where somebody has paused the replay meanwhile."""
    because = dict(replay.skipped_because)
    for reason, number in taken.skipped.items():
        because[reason] = because.get(reason, 0) + number
    changed = _change(
        replay,
        released=F("released") + taken.released,
        succeeded=F("succeeded") + taken.answered,
        skipped=F("skipped") + taken.skipped.total(),
        skipped_because=because,
        released_at=paid_after(replay, taken.released, standing.now),
        **stretch_after(replay, standing),
    )
    if not changed:
        transaction.set_rollback(True)
    # What a pace allows a moment later is left to the next sweep.
    return changed and (not replay.pace or not taken.released or taken.taken >= CHUNK)


def _is_filled_by(taken: Released, room: int) -> bool:
    """Whether a turn has used up all the room: answers make more, and ask for the next turn."""
    return taken.released - taken.answered >= room


def _stop(replay: Replay, told: dict[str, int]) -> None:
    with translation.override("en"):
        because = stopped_sentence(told)
    plan = {**replay.plan, "stopped": told}
    status = Replay.Status.STOPPED
    if _change(replay, status=status, stopped_because=because, plan=plan, finished_at=Now()):
        note("stopped", replay, reason=because, details=told)
        log.warning("replay_stopped", replay=str(replay.id), because=because)


def _finish_if_all_have_answered(replay: Replay) -> None:
    """Close the replay, and keep what came of it on its own row: that outlives the items."""
    items = ReplayItem.objects.filter(replay=replay)
    if items.filter(status__in=OPEN).exists():
        return
    counts = dict(items.order_by().values_list("status").annotate(Count("id")))
    skipped = items.filter(status=ReplayItem.Status.SKIPPED).order_by().values_list("note")
    finished = _change(
        replay,
        status=Replay.Status.FINISHED,
        finished_at=Now(),
        succeeded=counts.get(ReplayItem.Status.SUCCEEDED, 0),
        failed=counts.get(ReplayItem.Status.FAILED, 0),
        skipped=counts.get(ReplayItem.Status.SKIPPED, 0),
        skipped_because=dict(skipped.annotate(Count("id"))),
    )
    if finished:
        replay.refresh_from_db()
        note("finished", replay)


def _change(replay: Replay, **fields: object) -> bool:
    """Write the row of a replay, unless somebody has paused or ended it."""
    running = Replay.objects.filter(pk=replay.pk, status=Replay.Status.RUNNING)
    return bool(running.update(**fields))
