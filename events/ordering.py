"""Order per subject, for handlers that ask for it: each waits until its predecessor succeeded.

Published means: has a place in the log. Two transactions that change one subject at once settle
between themselves whose event comes first, by the row lock of what they change.

What has to wait is parked: its delivery is pending without a time for the next attempt, and the
success of its predecessor makes its event due. An event looks by itself, too, once in a while: its
predecessor may have been pruned.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from events.models import Event
from events.registry import Handler
from events.rows import execute, fetch_rows

Place = tuple[str, UUID]
"""A handler's name and a subject's id."""


class Blocker(NamedTuple):
    """An event that those behind it in the log have to wait for."""

    position: int
    event_id: UUID


# In one order for all workers, so that they do not wait for each other in a circle.
LOCK = """
    SELECT pg_advisory_xact_lock(key) FROM (
        SELECT DISTINCT hashtextextended(handler || subject, 0) AS key
        FROM unnest(%(handlers)s::text[], %(subjects)s::text[]) AS place (handler, subject)
        ORDER BY key
    ) AS sorted
"""
# Reads events_open_by_subject, which holds no processed event.
UNFINISHED = """
    SELECT DISTINCT ON (subject_id) subject_id, position, id FROM events
    WHERE subject_id = ANY(%(subjects)b) AND status <> 'processed' AND type = ANY(%(types)s)
      AND id <> ALL(%(ids)b) AND NOT EXISTS (
        SELECT FROM deliveries WHERE event_id = events.id AND handler = %(handler)s
          AND deliveries.status IN ('succeeded', 'skipped')
      )
    ORDER BY subject_id, position
"""
# Those that somebody holds are about to look for themselves.
LET_GO = """
    UPDATE events SET due_at = statement_timestamp() WHERE id IN (
        SELECT id FROM events WHERE subject_id = ANY(%(subjects)b) AND status = 'pending'
          AND due_at > statement_timestamp() AND EXISTS (
            SELECT FROM deliveries WHERE event_id = events.id AND handler = ANY(%(handlers)s)
              AND deliveries.status = 'pending' AND next_attempt_at IS NULL
          )
        FOR NO KEY UPDATE SKIP LOCKED
    )
"""


def lock_places(places: Iterable[Place]) -> None:
    """Hold these places until the transaction ends: nobody else decides there meanwhile."""
    listed = sorted(set(places), key=str)
    if listed:
        handlers, subjects = [name for name, _ in listed], [str(subject) for _, subject in listed]
        fetch_rows(LOCK, {"handlers": handlers, "subjects": subjects})


def unfinished_others(handler: Handler, events: Sequence[Event]) -> dict[UUID, Blocker]:
    """Subject → the first event that is not among `events` and that the handler has yet to do.

    Args:
        events: those that the handler may run for now; the caller holds their places.
    """
    subjects = {event.subject_id for event in events if event.subject_id}
    if not subjects:
        return {}
    values = {
        "subjects": list(subjects),
        "types": list(handler.types),
        "handler": handler.name,
        "ids": [event.id for event in events],
    }
    return {
        subject_id: Blocker(position, event_id)
        for subject_id, position, event_id in fetch_rows(UNFINISHED, values)
    }


def let_go(places: Collection[Place]) -> int:
    """Make due what was parked at these places, after a success there; returns how many."""
    handlers = sorted({handler for handler, _ in places})
    subjects = sorted({subject for _, subject in places})
    return execute(LET_GO, {"subjects": subjects, "handlers": handlers})
