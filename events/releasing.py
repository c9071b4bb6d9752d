"""Releasing: the next events of a replay go back to the workers, a thousand in four statements."""

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_noop

from events import registry
from events.models import Replay
from events.nudging import after_commit, nudge_events
from events.rows import fetch_rows

CHUNK = 1000

# Kept on record in English, shown in the reader's language (`ReplayItem.note_label`).
NOTHING_TO_RUN = gettext_noop("nothing to run: no handler of this event failed")
STILL_PENDING = gettext_noop("still pending: its handlers have not finished")
ONLY_EXTERNAL = gettext_noop(
    "only handlers with external effects failed, and the replay leaves those out"
)
PRUNED = gettext_noop("the event was pruned")

TAKE_ITEMS = """
    SELECT id, event_id FROM replay_items WHERE replay_id = %(replay)s AND status = 'waiting'
    ORDER BY id LIMIT %(chunk)s FOR UPDATE SKIP LOCKED
"""
# In one order for all, so that two replays of the same events do not wait for each other.
LOCK_EVENTS = """
    SELECT id FROM events WHERE id = ANY(%(events)b) ORDER BY position FOR NO KEY UPDATE
"""
# A statement of its own, since it has to see what was settled while the events' locks were waited
# for: an event that another replay has mended meanwhile has nothing to run.
RELEASE = """
    WITH item AS (
        SELECT item.id, item.event_id, events.status AS event_status
        FROM replay_items AS item LEFT JOIN events ON events.id = item.event_id
        WHERE item.id = ANY(%(items)s)
    ), wanted AS (
        SELECT deliveries.id, deliveries.event_id,
               deliveries.handler <> ALL(%(left_out)s::text[]) AS runs
        FROM item JOIN deliveries ON deliveries.event_id = item.event_id
        WHERE item.event_status <> 'pending' AND CASE
            WHEN %(handlers)s::text[] = '{}' THEN deliveries.status = 'failed'
            ELSE deliveries.handler = ANY(%(handlers)s::text[])
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
            WHEN item.event_status = 'pending' THEN %(still_pending)s
            WHEN item.event_id IN (SELECT id FROM revived) THEN ''
            WHEN item.event_id IN (SELECT event_id FROM wanted) THEN %(only_external)s
            ELSE %(nothing_to_run)s
        END AS note
        FROM item
    )
    UPDATE replay_items AS item
    SET note = answer.note,
        status = CASE answer.note WHEN '' THEN 'released' ELSE 'skipped' END
    FROM answer WHERE item.id = answer.id
    RETURNING item.status
"""
NOTES = {
    "pruned": PRUNED,
    "still_pending": STILL_PENDING,
    "only_external": ONLY_EXTERNAL,
    "nothing_to_run": NOTHING_TO_RUN,
}


@transaction.atomic
def release_next(replay_id: UUID) -> int:
    """Let the engine have the next items of a replay; returns how many it took, 0 at the end."""
    items = fetch_rows(TAKE_ITEMS, {"replay": replay_id, "chunk": CHUNK})
    if not items:
        return 0
    replay = Replay.objects.get(pk=replay_id)
    fetch_rows(LOCK_EVENTS, {"events": [event_id for _, event_id in items]})
    left_out = [] if replay.include_external else _left_out()
    values = {
        **NOTES,
        "replay": replay_id,
        "items": [item_id for item_id, _ in items],
        "handlers": replay.handlers,
        "left_out": left_out,
    }
    released = [status for (status,) in fetch_rows(RELEASE, values) if status == "released"]
    after_commit(nudge_events, len(released))
    return len(items)


def _left_out() -> list[str]:
    return [handler.name for handler in registry.all_handlers() if handler.on_replay == "skip"]
