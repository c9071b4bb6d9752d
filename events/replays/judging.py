"""Judging a replay while it runs: may it go on, and how many of its events may go next."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.translation import gettext as _

from events.models import Replay, ReplayItem
from events.rows import fetch_rows

# How many events have gone when a step of the canary ends: 1, then 10, then 100.
CANARY = (1, 11, 111)
# Unanswered and due at once: a fresh event waits behind no more than these.
WINDOW = 2000
# So few unanswered ones let more be released at once, before the workers run out of them.
REFILL = 1500
# With those that wait for a later attempt, which keep nobody waiting until they come due together.
MOST_UNANSWERED = 20_000
# Seconds' worth of a pace that may go at once, where nobody has come by for longer.
BURST = timedelta(seconds=5)
# Without a canary, so many answers say whether too many are failures.
ENOUGH_ANSWERS = 20
# The newest answers are judged by themselves, too, a thousand at most: after 40,000 successes a
# failure that comes back for every event would be a tenth of all only after 4,445 of them.
STRETCH = 1000
# So many of them speak for themselves: a few failures in a row are left to the whole.
ENOUGH_OF_STRETCH = 500

# The failure that an attempt of a replay met was met by the last attempt before the replay; for a
# correction, by the original.
CAME_BACK = """
    EXISTS (
        SELECT FROM attempts AS again
        WHERE again.delivery_id = deliveries.id AND again.replay_id = item.replay_id
          AND again.status = 'failed' AND again.group_id = coalesce((
            SELECT before.group_id FROM attempts AS before
            WHERE before.delivery_id = deliveries.id AND before.status = 'failed'
              AND before.replay_id IS DISTINCT FROM item.replay_id
            ORDER BY before.number DESC LIMIT 1
          ), (
            SELECT original.group_id FROM deliveries AS original
            WHERE item.correction_id IS NOT NULL AND original.event_id = item.event_id
              AND original.handler = deliveries.handler
          ))
    )
"""
UNANSWERED = """
    FROM replay_items AS item JOIN deliveries
      ON deliveries.event_id = coalesce(item.correction_id, item.event_id)
      AND deliveries.replay_id = item.replay_id
    JOIN events ON events.id = deliveries.event_id
    WHERE item.replay_id = %(replay)s AND item.status = 'released'
"""
# A first failure counts at once, whatever the handler's patience: retries may take hours. Asleep
# are those for which no worker has anything to do by now.
LOOK = f"""
    SELECT count(*) FILTER (WHERE failing), count(*) FILTER (WHERE asleep) FROM (
        SELECT bool_or(failures > 0) AS failing, bool_and(
            deliveries.status <> 'running' AND (deliveries.status <> 'pending'
            OR coalesce(next_attempt_at, due_at) > statement_timestamp())
        ) AS asleep {UNANSWERED} GROUP BY item.id
    ) AS unanswered
"""  # noqa: S608 (a constant)
FAILING_AS_BEFORE = f"""
    SELECT count(DISTINCT item.id) {UNANSWERED} AND deliveries.failures > 0 AND {CAME_BACK}
"""


@dataclass(frozen=True)
class Standing:
    """How a running replay stands.

    Attributes:
        now: the database's time.
        waiting: events that were not released yet.
        unanswered: released ones that have not come to an end.
        failing: those of them that have failed at least once.
        asleep: those of them that are not due before later, as far as anybody looked.
        failed: failures among the answers; a first failure is one, though it is tried again.
    """

    now: datetime
    waiting: int
    unanswered: int = 0
    failing: int = 0
    asleep: int = 0
    succeeded: int = 0
    failed: int = 0

    @property
    def answers(self) -> int:
        """How many have shown what becomes of them."""
        return self.succeeded + self.failed

    @property
    def silent(self) -> int:
        """Released ones of which nothing was heard: they run, or wait for their handler."""
        return self.unanswered - self.failing


def standing_of(replay: Replay, now: datetime) -> Standing:
    """How the replay stands, from its own row; its events are looked up where they matter."""
    unanswered = max(0, replay.released - replay.succeeded - replay.failed)
    failing = asleep = 0
    if replay.stop_percent is not None or unanswered > REFILL:
        [(failing, asleep)] = fetch_rows(LOOK, {"replay": replay.id})
    return Standing(
        now,
        waiting=max(0, replay.selected - replay.released - replay.skipped),
        unanswered=unanswered,
        failing=failing,
        asleep=asleep,
        succeeded=replay.succeeded,
        failed=replay.failed + failing,
    )


# --- May it go on? ------------------------------------------------------------------------------


def must_stop(replay: Replay, standing: Standing) -> bool:
    """Whether more has failed than the replay puts up with, and there is something left to save."""
    if replay.stop_percent is None or not standing.waiting:
        return False
    step = next((end for end in CANARY if replay.has_canary and replay.released <= end), None)
    if step is None and standing.answers < ENOUGH_ANSWERS:
        return False
    # Of a step all are counted, answered or not: more than this will not come back as successes.
    of = min(step, replay.released + standing.waiting) if step else standing.answers
    newest, newest_failed = _newest(replay, standing)
    return standing.failed * 100 > replay.stop_percent * of or (
        newest >= ENOUGH_OF_STRETCH and newest_failed * 100 > replay.stop_percent * newest
    )


def _newest(replay: Replay, standing: Standing) -> tuple[int, int]:
    """Answers since the newest stretch began, and the failures among them."""
    failed = standing.failed - replay.stretch_failed
    return standing.answers - replay.stretch_answers, max(0, failed)


def stretch_after(replay: Replay, standing: Standing) -> dict[str, int]:
    """Where the newest stretch begins, as fields of the replay: here, if the last one is over."""
    if standing.answers - replay.stretch_answers < STRETCH:
        return {}
    return {"stretch_answers": standing.answers, "stretch_failed": standing.failed}


def why_stopped(replay: Replay, standing: Standing) -> dict[str, int]:
    """What is told of a replay that stops by itself; see `stopped_sentence`."""
    newest, newest_failed = _newest(replay, standing)
    failed = ReplayItem.objects.filter(replay=replay, status=ReplayItem.Status.FAILED)
    [(failing_as_before,)] = fetch_rows(FAILING_AS_BEFORE, {"replay": replay.id})
    came_back = failed.filter(came_back=True).count() + failing_as_before
    return {
        "failed": standing.failed,
        "answers": standing.answers,
        "came_back": came_back,
        "newest": newest,
        "newest_failed": newest_failed,
        "limit": replay.stop_percent or 0,
        "untouched": standing.waiting,
    }


def stopped_sentence(told: Mapping[str, Any]) -> str:
    """Why a replay stopped by itself, in the reader's language."""
    if told["came_back"] == told["failed"]:
        text = _("The failure came back: %(failed)s of %(answers)s events failed as before.")
    elif told["came_back"]:
        text = _("%(failed)s of %(answers)s events failed again, %(came_back)s of them as before.")
    else:
        text = _("%(failed)s of %(answers)s events failed, none of them as before.")
    if told["failed"] * 100 <= told["limit"] * told["answers"] and told.get("newest_failed"):
        newest = _("Of the newest %(newest)s answers %(newest_failed)s were failures.")
        text = f"{text} {newest}"
    limit = _("It stops above %(limit)s %%; %(untouched)s events were not touched.")
    return f"{text} {limit}" % {name: intcomma(number) for name, number in told.items()}


# --- How many next? -----------------------------------------------------------------------------


def room_for(replay: Replay, standing: Standing, *, heeds_pace: bool = True) -> int:
    """How many events may be released now: by the canary, the window, and the pace."""
    window = WINDOW - (standing.unanswered - standing.asleep)
    room = min(standing.waiting, window, MOST_UNANSWERED - standing.unanswered)
    if replay.has_canary:
        room = min(room, _left_of_step(replay.released, standing.silent, room))
    if replay.pace and heeds_pace:
        allowed = (standing.now - _paid_until(replay, standing.now)) / timedelta(seconds=1)
        room = min(room, int(allowed * replay.pace))
    return max(0, room)


def _left_of_step(released: int, silent: int, otherwise: int) -> int:
    """How much the canary's step has left; the next one begins when no event is silent."""
    for end in CANARY:
        if released < end or (released == end and silent):
            return end - released
    return otherwise


def _paid_until(replay: Replay, now: datetime) -> datetime:
    """Up to when the pace is used up; what nobody used for long is lost."""
    return max(replay.released_at or now, now - BURST)


def paid_after(replay: Replay, released: int, now: datetime) -> datetime:
    """Up to when the pace is used up, once so many more are released."""
    if not replay.pace:
        return now
    return _paid_until(replay, now) + timedelta(seconds=released / replay.pace)
