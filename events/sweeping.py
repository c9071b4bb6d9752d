"""The sweeper: wakes workers for what is due and that nobody was told of, or was told in vain.

It has a queue and a process of its own, takes nothing that a worker could hold, and does no harm
when it runs twice at once.
"""

from collections.abc import Callable
from datetime import datetime

import structlog
from django.conf import settings

from events import external, journal, metrics, pauses, tallies
from events.alerts.rules import raise_alerts
from events.disruptions import disruptions_logged
from events.nudging import MOST_AT_ONCE, nudge_events
from events.replays import advance_running_replays
from events.rows import fetch_rows
from events.taking import WAITING

log = structlog.get_logger(__name__)

# So many looks (minutes) after the first no batch can hold an event any more, so nobody works. Then
# one look of so many sends a message, should the broker have lost all that were sent before.
PATIENCE, RARELY = 150, 30

# Younger ones have just been nudged.
OLDEST_DUE = f"""
    WITH RECURSIVE {WAITING}
    SELECT min(due_at) FROM waiting WHERE due_at <= statement_timestamp() - interval '1 second'
"""  # noqa: S608 (a constant)


def sweep() -> None:
    """Wake workers for due retries, lost nudges and resumed handlers, and carry replays on.

    What goes wrong with one of these is logged and keeps none of the others.
    """
    for step in (
        pauses.let_go,
        wake_workers,
        external.sweep,
        advance_running_replays,
        journal.delete_dead_entries,
        tallies.prune,
        raise_alerts,
    ):
        _attempt(step)
    metrics.swept()


class Waker:
    """How many messages a look of the sweeper sends.

    Where no worker runs, nobody takes the messages of earlier looks out of the queue, and each
    look would add to them for as long as that lasts.
    """

    def __init__(self) -> None:
        self._oldest: datetime | None = None
        self._looks = 0

    def messages(self, oldest: datetime | None) -> int:
        """One for each worker at first; fewer while nobody touches what has waited longest.

        Args:
            oldest: since when the event that waits longest has been due; None: there is none.
        """
        self._looks = self._looks + 1 if oldest == self._oldest else 1
        self._oldest = oldest
        if oldest is None:
            return 0
        if self._looks == 1:
            return MOST_AT_ONCE
        # A batch may hold that event for minutes, while others become due.
        return 1 if self._looks <= PATIENCE or self._looks % RARELY == 0 else 0


waker = Waker()


def wake_workers() -> int:
    """Nudge the workers when an event has been due for a while; returns how many are nudged."""
    [(oldest,)] = fetch_rows(OLDEST_DUE, {})
    messages = waker.messages(oldest)
    nudge_events(messages * settings.EVENT_BATCH_SIZE)
    return messages


def _attempt(step: Callable[[], object]) -> None:
    try:
        with disruptions_logged(step=step.__name__):
            step()
    except Exception:
        log.exception("sweep_failed", step=step.__name__)
