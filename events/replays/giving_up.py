"""Giving up: failures that nobody will mend are set aside, and what waits behind them is let go.

A turn of such a replay does this in the place of releasing, see `events.replays.running`: under the
same locks, so that of a replay, a correction and somebody who gives up just one has a failure.
Nothing runs, so an event has answered as soon as it was decided.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from events import ordering, registry
from events.models import Delivery, DeliveryStatus, Event, Replay, ReplayItem
from events.nudging import after_commit, nudge_events
from events.outcomes import error_in
from events.replays.notes import GIVEN_UP, IN_ANOTHER_REPLAY, NOTHING_TO_GIVE_UP, PRUNED
from events.rows import update_rows
from events.states import UNFINISHED, aggregate_status
from events.taking import deliveries_of

FAILED, SKIPPED = DeliveryStatus.FAILED, DeliveryStatus.SKIPPED


@dataclass(frozen=True)
class Case:
    """An event of the selection, and what of it is given up.

    Attributes:
        event: None where it was pruned.
        deliveries: all of the event's.
        failures: those of them that are given up.
        why_not: why none is; empty where some are.
    """

    item_id: int
    event: Event | None
    deliveries: list[Delivery]
    failures: list[Delivery]
    why_not: str

    @property
    def places(self) -> set[ordering.Place]:
        """Where others may wait for it, see `events.ordering`."""
        subject_id = self.event.subject_id if self.event else None
        if subject_id is None:
            return set()
        return {(each.handler, subject_id) for each in self.failures if _is_ordered(each.handler)}

    def set_aside(self, replay: Replay) -> ReplayItem:
        """Give the failures up, on the objects; returns the item with what came of it."""
        if self.event is None or self.why_not:
            return ReplayItem(id=self.item_id, status="skipped", note=self.why_not)
        for each in self.failures:
            each.status, each.failures, each.replay_id = SKIPPED, 0, replay.pk
        self.event.status = aggregate_status(each.status for each in self.deliveries)
        self.event.error_message = error_in(self.deliveries)
        names = ", ".join(each.handler for each in self.failures)
        return ReplayItem(id=self.item_id, status="succeeded", note=f"{GIVEN_UP}: {names}")


def give_up_items(replay: Replay, items: Mapping[int, UUID]) -> list[ReplayItem]:
    """Give up what stands as failed of these items, at the replay's handlers and no others.

    The deliveries keep their attempts and their error, and name the replay that gave them up.

    Args:
        items: id of the item → of its event, which the caller holds.

    Returns:
        The items that were decided. Others have to wait for a worker that decides about the same
        subject, and are left to a later turn.
    """
    cases = _cases_of(replay, items)
    free = ordering.take_free_places({place for case in cases for place in case.places})
    decided = [case for case in cases if case.places <= free]
    rows = [case.set_aside(replay) for case in decided]
    _save(decided, rows)
    if places := {place for case in decided for place in case.places}:
        after_commit(nudge_events, ordering.let_go(places))
    return rows


def _cases_of(replay: Replay, items: Mapping[int, UUID]) -> list[Case]:
    """The items with what has become of their events by now."""
    # Without payloads, which may be large.
    events = Event.unscoped.defer("payload").in_bulk(list(items.values()))
    known = deliveries_of(events.values())
    return [
        _case_of(replay, item_id, events.get(event_id), known.get(event_id, {}).values())
        for item_id, event_id in items.items()
    ]


def _case_of(
    replay: Replay, item_id: int, event: Event | None, deliveries: Iterable[Delivery]
) -> Case:
    rows = sorted(deliveries, key=lambda each: each.pk)
    failures = [each for each in rows if each.status == FAILED and each.handler in replay.handlers]
    released = (each.replay_id for each in rows if each.replay_id and each.status in UNFINISHED)
    if event is None:
        return Case(item_id, None, rows, [], PRUNED)
    if other := next(released, None):
        # What has failed so far of what it runs is part of its answer.
        return Case(item_id, event, rows, [], f"{IN_ANOTHER_REPLAY}: {other}")
    return Case(item_id, event, rows, failures, "" if failures else NOTHING_TO_GIVE_UP)


def _is_ordered(name: str) -> bool:
    handler = registry.get_handler(name)
    return bool(handler and handler.ordered)


def _save(cases: list[Case], items: list[ReplayItem]) -> None:
    """Write what was decided, one statement a table."""
    failures = [failure for case in cases for failure in case.failures]
    update_rows(failures, ["status", "failures", "replay_id"])
    events = [case.event for case in cases if case.event and case.failures]
    update_rows(events, ["status", "error_message"])
    update_rows(items, ["status", "note"])
