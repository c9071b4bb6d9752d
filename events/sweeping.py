"""The sweeper: wakes workers for what is due and that nobody was told of, or was told in vain.

It has a queue and a process of its own, takes nothing that a worker could hold, and does no harm
when it runs twice at once.
"""

from collections.abc import Callable

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from events import external, journal, metrics, pauses, tallies
from events.nudging import MOST_AT_ONCE, nudge_events
from events.replays import advance_running_replays
from events.rows import fetch_rows

log = structlog.get_logger(__name__)

# Younger ones have just been nudged. Steps from tenant to tenant, as events/taking.py does.
ANYTHING_DUE = """
    WITH RECURSIVE waiting AS (
        (SELECT tenant_id, due_at FROM events WHERE status = 'pending'
         ORDER BY tenant_id, due_at LIMIT 1)
        UNION ALL
        SELECT next.tenant_id, next.due_at FROM waiting, LATERAL (
            SELECT tenant_id, due_at FROM events
            WHERE status = 'pending' AND tenant_id > waiting.tenant_id
            ORDER BY tenant_id, due_at LIMIT 1
        ) AS next
    )
    SELECT EXISTS (
        SELECT FROM waiting WHERE due_at <= statement_timestamp() - interval '1 second'
    )
"""


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
    ):
        _attempt(step)
    metrics.swept()


def wake_workers() -> bool:
    """Nudge all workers when an event has been due for a while; returns whether one has."""
    [(due,)] = fetch_rows(ANYTHING_DUE, {})
    if due:
        nudge_events(MOST_AT_ONCE * settings.EVENT_BATCH_SIZE)
    return bool(due)


def _attempt(step: Callable[[], object]) -> None:
    try:
        step()
    except (OperationalError, InterfaceError) as error:
        log.warning("database_away", step=step.__name__, error=str(error).strip())
        connection.close()
    except Exception:
        log.exception("sweep_failed", step=step.__name__)
