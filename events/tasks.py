"""Thin Celery entry points; losing any of these messages costs seconds, never an event."""

import time
from dataclasses import asdict
from uuid import UUID

from celery import Task, shared_task
from django.conf import settings

from events import external, nudging, pruning, settling, sweeping
from events.disruptions import disruptions_logged

# A worker that has settled for so long gives way to what else it was sent, and to its shutdown.
TURN = 1.0


# A worker whose handler never comes back is ended; the journal finds out which one it was. Later
# than one that is frozen loses its transaction: who waits for its locks is not to blame.
@shared_task(name="events.tasks.settle_due", time_limit=1.5 * settings.EVENT_BATCH_SECONDS)
def settle_due() -> None:
    """Settle what is due, batch by batch.

    A batch that was not full was all there was: what is published meanwhile comes with a nudge of
    its own, and together with what follows it.
    """
    give_way_at = time.monotonic() + TURN
    with disruptions_logged():
        while settling.settle_due() and settling.rotation.has_more:
            if time.monotonic() > give_way_at and nudging.broker.send(nudging.SETTLE):
                return


class ExternalTask(Task[..., None]):
    """Ends, with its process, when a call neither returns nor can be interrupted."""

    @property
    def time_limit(self) -> float:  # type: ignore[override]
        """Seconds, see `external.longest_turn`: known once all handlers are."""
        return external.longest_turn()


@shared_task(name="events.tasks.run_external", base=ExternalTask)
def run_external() -> None:
    """Run what is due at external handlers."""
    with disruptions_logged():
        external.run_due()


@shared_task(name="events.tasks.sweep")
def sweep() -> None:
    """Find what is due; the scheduler sends this every few seconds."""
    sweeping.sweep()


@shared_task(name="events.tasks.advance_replays")
def advance_replays() -> None:
    """Release the next events of running replays."""
    from events.replays import advance_running_replays

    advance_running_replays()


@shared_task(name="events.tasks.prune_events", ignore_result=False)
def prune_events(after: str = str(pruning.BEGINNING)) -> dict[str, int]:
    """Delete what is older than the retention, a slice at a time; the scheduler sends this daily.

    Of all tasks this one alone is a long job: what came of it is kept.
    """
    return asdict(pruning.prune_slice(UUID(after)))
