"""The outlook of a plan: what it would run, leave out and take, for a choice of its handlers."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from events import registry
from events.models import Replay
from events.replays.notes import NOTHING_TO_GIVE_UP, NOTHING_TO_RUN, ONLY_EXTERNAL
from events.replays.releasing import left_out_handlers

# What the engine does about one event beside its handlers, in seconds.
OVERHEAD = 0.0007
# Processes of `make run` that settle events, and that make external calls.
WORKERS, CALLERS = 2, 4


@dataclass(frozen=True)
class HandlerOutlook:
    """What a plan means to one handler.

    Attributes:
        number: at how many events it has failed.
        succeeded: for how many it has succeeded: it would do again what it did.
        given_up: at how many somebody has given its failure up.
        is_meant: whether it is among those for which the replay was planned.
        is_left_out: unless it is ticked: its effects leave the database.
        is_installed: else it fails again.
        subjects: of an external one the first few whom it would reach: (type, id).
    """

    name: str
    number: int
    succeeded: int
    given_up: int
    is_meant: bool
    is_left_out: bool
    is_installed: bool
    subjects: list[tuple[str, str]]


@dataclass(frozen=True)
class Outlook:
    """What a start would do.

    Attributes:
        runs: how many events; of those that are given up, how many these are.
        skipped: why others would be passed over, in English → how many.
        seconds: about how long it would take.
    """

    runs: int
    skipped: dict[str, int]
    seconds: float


def handlers_of(replay: Replay) -> list[HandlerOutlook]:
    """The handlers that have come to an end with the events of a plan, by name."""
    numbers, succeeded, given_up = Counter[str](), Counter[str](), Counter[str]()
    for each in _combinations(replay):
        numbers.update(dict.fromkeys(each.failed, each.number))
        succeeded.update(dict.fromkeys(each.succeeded, each.number))
        given_up.update(dict.fromkeys(each.given_up, each.number))
    left_out = left_out_handlers(replay.kind)
    subjects = replay.plan.get("subjects", {})
    return [
        HandlerOutlook(
            name,
            numbers[name],
            succeeded[name],
            given_up[name],
            is_meant=name in replay.handlers or not replay.handlers,
            is_left_out=name in left_out,
            is_installed=registry.get_handler(name) is not None,
            subjects=[(kind, subject) for kind, subject in subjects.get(name, [])],
        )
        for name in sorted(numbers | succeeded | given_up)
    ]


def outlook_of(
    replay: Replay,
    ticked: Collection[str],
    pace: int | None = None,
    *,
    again: Collection[str] = (),
) -> Outlook:
    """What would happen if exactly these of the planned handlers were to run.

    Args:
        pace: events per second, if any is set.
        again: the handlers that run also where they have succeeded, or were given up.
    """
    skipped: Counter[str] = Counter()
    runs, work, left_out = 0, 0.0, left_out_handlers(replay.kind)
    nothing = NOTHING_TO_GIVE_UP if replay.gives_up else NOTHING_TO_RUN
    for each in _combinations(replay):
        running = [name for name in each.failed if name in ticked or name in again]
        running += [name for name in each.succeeded + each.given_up if name in again]
        if running:
            runs += each.number
            work += each.number * (OVERHEAD + sum(_seconds_of(replay, name) for name in running))
        else:
            only_external = each.failed and all(name in left_out for name in each.failed)
            skipped[ONLY_EXTERNAL if only_external else nothing] += each.number
    return Outlook(runs, dict(skipped), max(work, runs / pace if pace else 0.0))


def ticked_by_default(handlers: Iterable[HandlerOutlook]) -> list[str]:
    """Those that run unless somebody decides otherwise: of what failed, what was meant."""
    return [
        handler.name
        for handler in handlers
        if handler.number and handler.is_meant and not handler.is_left_out
    ]


def chosen_of(replay: Replay) -> list[str]:
    """The planned handlers that run: as somebody decided at the start, else by default."""
    handlers = handlers_of(replay)
    if replay.started_at is None:
        return ticked_by_default(handlers)
    return [
        handler.name
        for handler in handlers
        if handler.is_meant and (replay.include_external or not handler.is_left_out)
    ]


def again_in(replay: Replay) -> list[str]:
    """Of the handlers that run, those that run also where they have succeeded, or were given up."""
    left_out = [] if replay.include_external else left_out_handlers(replay.kind)
    return [name for name in replay.again if name not in left_out]


class Combination(NamedTuple):
    """Handlers, and at how many events just these have failed, succeeded, or were given up."""

    number: int
    failed: list[str]
    succeeded: list[str]
    given_up: list[str]


def _combinations(replay: Replay) -> list[Combination]:
    found: list[Any] = replay.plan.get("combinations", [])
    # Nobody corrects or gives up what has not failed; plans of earlier versions tell less.
    told = 2 if replay.kind == Replay.Kind.REPLAY else 0
    return [
        Combination(number, failed, *[*others[:told], [], []][:2])
        for failed, number, *others in found
    ]


def _seconds_of(replay: Replay, name: str) -> float:
    """Seconds that one more event costs at a handler, as its last attempts took."""
    handler = registry.get_handler(name)
    at_once = CALLERS if handler and handler.is_external else WORKERS
    return float(replay.plan.get("seconds", {}).get(name, 0.0)) / at_once
