"""Replays: failed handlers run again, as a durable job over a frozen selection of events.

A replay is planned (`planning`): what its selection means (`meaning`) is frozen in chunks
(`filling`), counted (`counting`), and forgotten where nobody starts it (`forgetting`). It is
started, paused, resumed or cancelled by people (`actions`), and carried on by workers and the
sweeper (`running`), which ask whether it may go on and how fast (`judging`) and let the engine have
its events (`releasing`), or set their failures aside where somebody gives these up (`giving_up`);
what came of them is told by the workers that settle them (`answers`), and to whoever watches
(`progress`).
"""

from events.replays.actions import (
    NoReason,
    NothingRuns,
    TooLate,
    cancel,
    change_pace,
    pause,
    replay_event,
    resume,
    start,
    start_replay,
)
from events.replays.planning import plan_for_page, plan_replay
from events.replays.progress import progress_of
from events.replays.running import advance, advance_running_replays

__all__ = [
    "NoReason",
    "NothingRuns",
    "TooLate",
    "advance",
    "advance_running_replays",
    "cancel",
    "change_pace",
    "pause",
    "plan_for_page",
    "plan_replay",
    "progress_of",
    "replay_event",
    "resume",
    "start",
    "start_replay",
]
