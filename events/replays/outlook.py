"""The outlook of a plan: what it would run, leave out and take, for a choice of its handlers."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from events import registry
from events.models import Replay
from events.replays.releasing import NOTHING_TO_RUN, ONLY_EXTERNAL, left_out_handlers

# What the engine does about one event beside its handlers, in seconds.
OVERHEAD = 0.0007
# Processes of `make run` that settle events, and that make external calls.
WORKERS, CALLERS = 2, 4


@dataclass(frozen=True)
class HandlerOutlook:
    """What a plan means to one handler.

    Attributes:
        number: of how many events it would run again.
        is_left_out: unless it is ticked: its effects leave the database.
        is_installed: else it fails again.
        subjects: of an external one the first few whom it would reach: (type, id).
    """

    name: str
    number: int
    is_left_out: bool
    is_installed: bool
    subjects: list[tuple[str, str]]


@dataclass(frozen=True)
class Outlook:
    """What a start would do.

    Attributes:
        runs: how many events.
        skipped: why others would be passed over, in English → how many.
        seconds: about how long it would take.
    """

    runs: int
    skipped: dict[str, int]
    seconds: float


def handlers_of(replay: Replay) -> list[HandlerOutlook]:
    """The handlers that a plan is about, by name."""
    numbers: Counter[str] = Counter()
    for names, number in _combinations(replay):
        for name in names:
            numbers[name] += number
    left_out = left_out_handlers(replay.kind)
    subjects = replay.plan.get("subjects", {})
    return [
        HandlerOutlook(
            name,
            numbers[name],
            is_left_out=name in left_out,
            is_installed=registry.get_handler(name) is not None,
            subjects=[(kind, subject) for kind, subject in subjects.get(name, [])],
        )
        for name in sorted(numbers)
    ]


def outlook_of(replay: Replay, ticked: Collection[str], pace: int | None = None) -> Outlook:
    """What would happen if exactly these of the planned handlers were to run.

    Args:
        pace: events per second, if any is set.
    """
    skipped: Counter[str] = Counter()
    runs, work, left_out = 0, 0.0, left_out_handlers(replay.kind)
    for names, number in _combinations(replay):
        running = [name for name in names if name in ticked]
        if running:
            runs += number
            work += number * (OVERHEAD + sum(_seconds_of(replay, name) for name in running))
        else:
            only_external = names and all(name in left_out for name in names)
            skipped[ONLY_EXTERNAL if only_external else NOTHING_TO_RUN] += number
    return Outlook(runs, dict(skipped), max(work, runs / pace if pace else 0.0))


def ticked_by_default(handlers: Iterable[HandlerOutlook]) -> list[str]:
    """Those that run unless somebody decides otherwise."""
    return [handler.name for handler in handlers if not handler.is_left_out]


def chosen_of(replay: Replay) -> list[str]:
    """The planned handlers that run: as somebody decided at the start, else by default."""
    handlers = handlers_of(replay)
    if replay.started_at is None:
        return ticked_by_default(handlers)
    return [
        handler.name
        for handler in handlers
        if (handler.name in replay.handlers or not replay.handlers)
        and (replay.include_external or not handler.is_left_out)
    ]


def _combinations(replay: Replay) -> list[tuple[list[str], int]]:
    """Sets of handlers → how many events are meant to run again at just these."""
    found: list[Any] = replay.plan.get("combinations", [])
    return [(names, number) for names, number in found]


def _seconds_of(replay: Replay, name: str) -> float:
    """Seconds that one more event costs at a handler, as its last attempts took."""
    handler = registry.get_handler(name)
    at_once = CALLERS if handler and handler.is_external else WORKERS
    return float(replay.plan.get("seconds", {}).get(name, 0.0)) / at_once
