"""Where a decision puts somebody: changes of an enrolment's row, and of many rows at once.

All but `save_enrolments` change the row in memory alone; the caller holds it locked.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from channels.sequences.deciding import LOOK_AGAIN
from channels.sequences.decisions import Block, Delay, Ending, Later
from channels.sequences.models import Enrolment, Waiting
from channels.sequences.plans import Plan
from events.rows import execute, update_rows

# Why somebody is paused because a program of theirs said so.
AWAY = "away"
FIELDS = (
    "state",
    "reason",
    "account",
    "step",
    "since",
    "next_step_at",
    "place_at",
    "waiting_for",
    "waiting_id",
    "delay",
    "says",
    "obstacle",
    "resume_at",
    "remaining",
    "time_zone",
    "zone_source",
    "finished_at",
    "steps_done",
    "last_step_at",
)
# What `update_rows` unnests may hold no lists.
SAVE_NAMES = """
    UPDATE sequences_enrolment
    SET obstacle_names = ARRAY(SELECT jsonb_array_elements_text(given.names))
    FROM unnest(%(ids)b::uuid[], %(names)s::jsonb[]) AS given (id, names)
    WHERE sequences_enrolment.id = given.id
"""


def about(row: Enrolment, plan: Plan) -> dict[str, Any]:
    """What every event about the enrolment says."""
    return {
        "lead_id": row.lead_id,
        "sequence_id": row.sequence_id,
        "sequence": plan.name,
        "enrolment_id": row.id,
        "sequence_version": plan.number,
    }


def finish(row: Enrolment, ending: Ending, at: datetime) -> None:
    """It ends."""
    _stand_still(row)
    row.obstacle = ""
    row.state, row.reason = Enrolment.State.FINISHED, ending.value
    # Told late, a reply may have been there before the last step.
    row.finished_at = max(at, row.enrolled_at)
    row.place_at = row.resume_at = row.remaining = None


def fall_due(row: Enrolment, at: datetime) -> None:
    """The engine looks at it then."""
    _stand_still(row)
    row.next_step_at = at


def settle(row: Enrolment, at: datetime) -> None:
    """What it waited for was settled then: waits are counted from there."""
    fall_due(row, at)
    row.since, row.remaining = at, None


def wait_for(row: Enrolment, what: Waiting, awaited: UUID) -> None:
    """A message or a task is awaited."""
    _stand_still(row)
    row.waiting_for, row.waiting_id = what, awaited


def delay(row: Enrolment, later: Later) -> None:
    """Its step, which was due, waits for a time."""
    fall_due(row, later.at)
    row.delay, row.says = later.why, later.says
    if later.place:
        row.place_at = later.place.at
    elif later.gives_back:
        row.place_at = None


def park(row: Enrolment, now: datetime) -> None:
    """Its sequence is held: nothing happens, and after a while it is looked at again."""
    fall_due(row, now + LOOK_AGAIN)
    row.delay = Delay.HELD


def pause(row: Enrolment, until: datetime) -> None:
    """They are away. What is due and what is awaited stays so, and time goes on."""
    row.state, row.reason = Enrolment.State.PAUSED, AWAY
    row.resume_at, row.place_at = until, None


def block(row: Enrolment, obstacle: Block) -> bool:
    """Somebody has to do something first; returns whether that is news.

    An obstacle is remembered while it is looked whether it is there still.
    """
    _stand_still(row)
    row.waiting_for, row.place_at = Waiting.PERSON, None
    names = [name[:200] for name in obstacle.names]
    is_news = (row.obstacle, row.obstacle_names) != (obstacle.why, names)
    row.obstacle, row.obstacle_names = obstacle.why, names
    return is_news


def count_steps(row: Enrolment, number: int, at: datetime) -> None:
    """So many steps were executed: what was in the way is gone."""
    row.obstacle = ""
    row.steps_done, row.last_step_at = row.steps_done + number, at


def wake(row: Enrolment, at: datetime) -> None:
    """Their pause is over: what would have been due meanwhile is due then."""
    row.state, row.reason = Enrolment.State.ACTIVE, ""
    row.resume_at = None
    if not row.waiting_for:
        fall_due(row, max(at, row.next_step_at or at))


def save_enrolments(rows: Sequence[Enrolment]) -> None:
    """Write rows that are locked, in two statements at most.

    The names of an obstacle are written with it; of one that is gone they are not read, and stay.
    """
    update_rows(rows, FIELDS)
    changed = [row for row in rows if row.obstacle]
    if changed:
        names = [Jsonb(row.obstacle_names) for row in changed]
        execute(SAVE_NAMES, {"ids": [row.id for row in changed], "names": names})


def _stand_still(row: Enrolment) -> None:
    row.next_step_at = row.waiting_id = None
    row.waiting_for = Waiting.NOTHING
    row.delay = row.says = ""
