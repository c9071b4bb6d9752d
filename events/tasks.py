"""Thin Celery entry points; losing any of these messages costs seconds, never an event."""

from uuid import UUID

from celery import shared_task

from events import external, settling, sweeping


@shared_task(name="events.tasks.settle_events")
def settle_events(event_ids: list[str]) -> None:
    """Settle these events."""
    settling.settle([UUID(event_id) for event_id in event_ids])


@shared_task(name="events.tasks.run_external_delivery")
def run_external_delivery(delivery_id: int) -> None:
    """Run one delivery to an external handler."""
    external.run_delivery(delivery_id)


@shared_task(name="events.tasks.sweep")
def sweep() -> None:
    """Find what is due; the scheduler sends this every few seconds."""
    sweeping.sweep()


@shared_task(name="events.tasks.advance_replay")
def advance_replay(replay_id: str) -> None:
    """Release the next events of a replay."""
    from events.replaying import advance

    advance(UUID(replay_id))
