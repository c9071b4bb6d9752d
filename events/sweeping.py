"""The sweeper: finds what is due and that nobody was told of, or was told in vain."""

from uuid import UUID

from django.db import connection

from events.nudging import nudge_events
from events.replaying import advance_running_replays

SWEEP_LIMIT = 2000
MOST_ROUNDS = 20

# The due time is moved on so that an event waits in the broker once, not once a sweep; rows that
# another sweeper or a worker holds are theirs.
TAKE_DUE = """
    UPDATE events SET due_at = statement_timestamp() + interval '30 seconds'
    WHERE id IN (
        SELECT id FROM events WHERE status = 'pending' AND due_at <= statement_timestamp()
        ORDER BY due_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
    )
    RETURNING id
"""


def sweep() -> int:
    """Nudge the events that are due, and carry running replays on.

    Due are retries whose time has come, events whose nudge was lost, and those whose worker died.

    Returns:
        How many events were nudged.
    """
    advance_running_replays()
    found = 0
    for _round in range(MOST_ROUNDS):
        event_ids = take_due_events()
        nudge_events(event_ids)
        found += len(event_ids)
        if len(event_ids) < SWEEP_LIMIT:
            break
    return found


def take_due_events(limit: int = SWEEP_LIMIT) -> list[UUID]:
    """The ids of due events, which nobody else will be given for 30 seconds."""
    with connection.cursor() as cursor:
        cursor.execute(TAKE_DUE, [limit])
        return [row[0] for row in cursor.fetchall()]
