"""Releasing: the next events of a replay go back to the workers, a thousand in four statements.

Of a correction they are published anew, and those that are given up go nowhere.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from events import registry
from events.models import Event, Replay, ReplayItem
from events.nudging import after_commit, nudge_events
from events.replays.giving_up import give_up_items
from events.replays.notes import (
    IN_ANOTHER_REPLAY,
    NOTHING_TO_RUN,
    ONLY_EXTERNAL,
    PRUNED,
    STILL_PENDING,
)
from events.rows import fetch_rows, update_rows

CHUNK = 1000
# Corrections are published one by one.
CHUNK_OF_CORRECTIONS = 100

TAKE_ITEMS = """
    SELECT id, event_id FROM replay_items WHERE replay_id = %(replay)s AND status = 'waiting'
    ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED
"""
# Whoever releases has other work to do, and a worker may hold an event for long: it is left to a
# later turn.
LOCK_EVENTS = """
    SELECT id FROM events WHERE id = ANY(%(events)b) FOR NO KEY UPDATE SKIP LOCKED
"""
PRUNED_EVENTS = """
    SELECT id FROM unnest(%(events)b) AS id
    WHERE NOT EXISTS (SELECT FROM events WHERE events.id = id.id)
"""
# A statement of its own, since it has to see what was settled before the events were locked: one
# that another replay has mended meanwhile has nothing to run. What has failed runs again though
# other handlers of the event have still to run, unless another replay waits for one of these. What
# was given up runs where its handler is named, and what was corrected never does.
RELEASE = """
    WITH item AS (
        SELECT item.id, item.event_id, events.status AS event_status,
               CASE WHEN events.status = 'pending' THEN (
                   SELECT replay_id::text FROM deliveries
                   WHERE event_id = item.event_id AND replay_id IS NOT NULL
                     AND deliveries.status IN ('pending', 'running') LIMIT 1
               ) END AS other
        FROM replay_items AS item LEFT JOIN events ON events.id = item.event_id
        WHERE item.id = ANY(%(items)s)
    ), wanted AS (
        SELECT deliveries.id, deliveries.event_id,
               deliveries.handler <> ALL(%(left_out)s::text[]) AS runs
        FROM item JOIN deliveries ON deliveries.event_id = item.event_id
        WHERE item.event_status IS NOT NULL AND item.other IS NULL AND CASE deliveries.status
            WHEN 'failed' THEN %(handlers)s::text[] = '{}'
                OR deliveries.handler = ANY(%(handlers)s::text[])
            WHEN 'succeeded' THEN deliveries.handler = ANY(%(again)s::text[])
            WHEN 'skipped' THEN deliveries.handler = ANY(%(again)s::text[]) AND EXISTS (
                SELECT FROM replays
                WHERE replays.id = deliveries.replay_id AND replays.kind = 'give_up'
            )
            ELSE false
        END
    ), reset AS (
        UPDATE deliveries
        SET status = 'pending', failures = 0, next_attempt_at = NULL, replay_id = %(replay)s
        FROM wanted WHERE deliveries.id = wanted.id AND wanted.runs
        RETURNING deliveries.event_id
    ), revived AS (
        UPDATE events
        SET status = 'pending', processed_at = NULL, due_at = statement_timestamp()
        WHERE id IN (SELECT event_id FROM reset) RETURNING id
    ), answer AS (
        SELECT item.id, CASE
            WHEN item.event_status IS NULL THEN %(pruned)s
            WHEN item.other IS NOT NULL THEN %(in_another)s || ': ' || item.other
            WHEN item.event_id IN (SELECT id FROM revived) THEN ''
            WHEN item.event_id IN (SELECT event_id FROM wanted) THEN %(only_external)s
            WHEN item.event_status = 'pending' THEN %(still_pending)s
            ELSE %(nothing_to_run)s
        END AS note
        FROM item
    )
    UPDATE replay_items AS item
    SET note = answer.note,
        status = CASE answer.note WHEN '' THEN 'released' ELSE 'skipped' END
    FROM answer WHERE item.id = answer.id
    RETURNING item.note
"""
NOTES = {
    "pruned": PRUNED,
    "in_another": IN_ANOTHER_REPLAY,
    "still_pending": STILL_PENDING,
    "only_external": ONLY_EXTERNAL,
    "nothing_to_run": NOTHING_TO_RUN,
}


@dataclass(frozen=True)
class Released:
    """What a turn did with the next items.

    Attributes:
        released: how many the workers have now, or had no need to have.
        skipped: why others were passed over → how many.
        answered: how many of those that were released have answered by that: they were given up.
    """

    released: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    answered: int = 0

    @property
    def taken(self) -> int:
        """How many items it was; 0 at the end, and where workers hold all of the next ones."""
        return self.released + self.skipped.total()


def release_next(replay: Replay, most: int) -> Released:
    """Let the engine have the next items of a replay, in the caller's transaction.

    Args:
        most: how many may be released; the caller keeps others from releasing any meanwhile.
    """
    is_correction = replay.kind == Replay.Kind.CORRECTION
    items = _free_items(replay, min(most, CHUNK_OF_CORRECTIONS if is_correction else CHUNK))
    if not items:
        return Released()
    if replay.gives_up:
        return _give_up(replay, items)
    notes = _correct(replay, items) if is_correction else _release(replay, items)
    skipped = Counter(note for note in notes if note)
    released = len(notes) - skipped.total()
    after_commit(nudge_events, released)
    return Released(released, skipped)


def _free_items(replay: Replay, most: int) -> dict[int, UUID]:
    """Lock the next items of a replay and their events, without those that a worker holds."""
    items: dict[int, UUID] = dict(fetch_rows(TAKE_ITEMS, {"replay": replay.id, "most": most}))
    if not items:
        return {}
    events = list(items.values())
    free = {event_id for (event_id,) in fetch_rows(LOCK_EVENTS, {"events": events})}
    if len(free) < len(items):
        free |= {event_id for (event_id,) in fetch_rows(PRUNED_EVENTS, {"events": events})}
    return {item_id: event_id for item_id, event_id in items.items() if event_id in free}


def _release(replay: Replay, items: dict[int, UUID]) -> Sequence[str]:
    """Set the failed deliveries back to pending; returns the items' notes, "" for released ones."""
    values: dict[str, Any] = {
        **NOTES,
        "replay": replay.id,
        "items": list(items),
        "handlers": replay.handlers,
        "again": replay.again,
        "left_out": [] if replay.include_external else left_out_handlers(),
    }
    return [note for (note,) in fetch_rows(RELEASE, values)]


def left_out_handlers(kind: str = Replay.Kind.REPLAY) -> list[str]:
    """The handlers that a replay leaves out unless it is asked for external effects.

    A correction leaves out all that have such effects: to them it is something new. What is given
    up has no effects.
    """
    if kind == Replay.Kind.GIVE_UP:
        return []
    is_correction = kind == Replay.Kind.CORRECTION
    return [
        handler.name
        for handler in registry.all_handlers()
        if handler.skips_replays or (is_correction and handler.is_external)
    ]


def _give_up(replay: Replay, items: dict[int, UUID]) -> Released:
    """Set the failures of the events aside; nobody has anything to run."""
    decided = give_up_items(replay, items)
    skipped = Counter(item.note for item in decided if item.status == ReplayItem.Status.SKIPPED)
    given_up = len(decided) - skipped.total()
    return Released(given_up, skipped, answered=given_up)


def _correct(replay: Replay, items: dict[int, UUID]) -> Sequence[str]:
    """Publish corrections in the place of the events; returns the items' notes, as `_release`."""
    from events.corrections import correct_item

    # Without payloads: one that is too deep to be read would keep all others.
    events = Event.unscoped.defer("payload").in_bulk(list(items.values()))
    rows = []
    for item_id, event_id in items.items():
        found = events.get(event_id)
        made = correct_item(replay, found) if found else PRUNED
        item = ReplayItem(id=item_id, status="skipped", note=made if isinstance(made, str) else "")
        if not isinstance(made, str):
            item.status, item.correction_id = "released", made.pk
        rows.append(item)
    update_rows(rows, ["status", "note", "correction_id"])
    return [row.note for row in rows]
