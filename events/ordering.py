"""Order per subject, for handlers that ask for it: each waits until its predecessor succeeded.

Published means: has a place in the log. Two transactions that change one subject at once settle
between themselves whose event comes first, by the row lock of what they change.

What has to wait is parked: its delivery is pending without a time for the next attempt. Its event
becomes due when its predecessor succeeds, or when a person gives the predecessor's failure up. An
event looks by itself, too, once in a while: its predecessor may have been pruned.

What a replay runs waits for a predecessor that is still on its way, and for no other: behind one
that was given up it fails anew, or its replay would never end.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from events import registry
from events.models import Event
from events.registry import Handler
from events.retry import Permanent
from events.rows import execute, fetch_rows

Place = tuple[str, UUID]
"""A handler's name and a subject's id."""

# Kept on record in English, with the event's id behind it.
WAITS = "waits for the event before it: "


class Blocker(NamedTuple):
    """An event that those behind it in the log have to wait for.

    Attributes:
        has_failed: whether the handler has given it up.
    """

    position: int
    event_id: UUID
    has_failed: bool = False


class PredecessorFailed(Permanent):
    """What was replayed stands behind an event that its handler has given up."""

    def __init__(self, blocker: Blocker) -> None:
        super().__init__(f"replay the event before it first, which failed: {blocker.event_id}")


# In one order for all workers, so that they do not wait for each other in a circle.
LOCK = """
    SELECT pg_advisory_xact_lock(key) FROM (
        SELECT DISTINCT hashtextextended(handler || subject, 0) AS key
        FROM unnest(%(handlers)s::text[], %(subjects)s::text[]) AS place (handler, subject)
        ORDER BY key
    ) AS sorted
"""
TRY = """
    SELECT handler, subject FROM unnest(%(handlers)s::text[], %(subjects)s::text[])
      AS place (handler, subject)
    WHERE pg_try_advisory_xact_lock(hashtextextended(handler || subject, 0))
"""
# Reads events_open_by_subject, which holds no processed event.
UNFINISHED = """
    SELECT first.*, EXISTS (
        SELECT FROM deliveries
        WHERE event_id = first.id AND handler = %(handler)s AND status = 'failed'
    ) FROM (
        SELECT DISTINCT ON (subject_id) subject_id, position, id FROM events
        WHERE subject_id = ANY(%(subjects)b) AND status <> 'processed' AND type = ANY(%(types)s)
          AND id <> ALL(%(ids)b) AND (
            -- Once it has deliveries it gets no more: a handler that is newer never runs for it.
            NOT EXISTS (SELECT FROM deliveries WHERE event_id = events.id)
            OR EXISTS (
                SELECT FROM deliveries WHERE event_id = events.id AND handler = %(handler)s
                  AND deliveries.status NOT IN ('succeeded', 'skipped')
            )
          )
        ORDER BY subject_id, position
    ) AS first
"""
# Those that somebody holds are about to look for themselves.
LET_GO = """
    UPDATE events SET due_at = statement_timestamp() FROM (
        SELECT parked.id
        FROM unnest(%(handlers)s::text[], %(subjects)b, %(most)s::int[])
          AS place (handler, subject, most)
        CROSS JOIN LATERAL (
            SELECT id FROM events
            WHERE subject_id = place.subject AND status = 'pending'
              AND due_at > statement_timestamp() AND EXISTS (
                SELECT FROM deliveries WHERE event_id = events.id AND handler = place.handler
                  AND deliveries.status = 'pending' AND next_attempt_at IS NULL
              )
            ORDER BY position LIMIT place.most FOR NO KEY UPDATE SKIP LOCKED
        ) AS parked
    ) AS parked WHERE events.id = parked.id
"""


def lock_places(places: Iterable[Place]) -> None:
    """Hold these places until the transaction ends: nobody else decides there meanwhile."""
    listed = sorted(set(places), key=str)
    if listed:
        handlers, subjects = [name for name, _ in listed], [str(subject) for _, subject in listed]
        fetch_rows(LOCK, {"handlers": handlers, "subjects": subjects})


def take_free_places(places: Iterable[Place]) -> set[Place]:
    """As `lock_places`, without waiting: holds those that nobody else does, and returns them."""
    listed = sorted(set(places), key=str)
    if not listed:
        return set()
    handlers, subjects = [name for name, _ in listed], [str(subject) for _, subject in listed]
    found = fetch_rows(TRY, {"handlers": handlers, "subjects": subjects})
    return {(handler, UUID(subject)) for handler, subject in found}


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
    return {subject_id: Blocker(*found) for subject_id, *found in fetch_rows(UNFINISHED, values)}


def sentence(blocker: Blocker) -> str:
    """What a parked delivery says in place of an error."""
    return f"{WAITS}{blocker.event_id}"


def blocker_in(error: str) -> UUID | None:
    """The event that such a sentence names; None where it is none."""
    return UUID(error.removeprefix(WAITS)) if error.startswith(WAITS) else None


def let_go(places: Collection[Place]) -> int:
    """Make due what was parked at these places, after a success there, or when what failed there
    was given up; returns how many.

    A batch takes many of a subject's events one after the other. An external handler has one call
    at a time for it, so all but the next one would be parked again.
    """
    handlers, subjects = zip(*sorted(places), strict=True)
    most = [1 if _is_external(handler) else None for handler in handlers]
    values = {"handlers": list(handlers), "subjects": list(subjects), "most": most}
    return execute(LET_GO, values)


def _is_external(name: str) -> bool:
    handler = registry.get_handler(name)
    return bool(handler and handler.is_external)
