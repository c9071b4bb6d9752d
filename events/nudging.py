"""Nudges: messages that tell a worker what is due. A lost one costs seconds, never an event."""

import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction

log = structlog.get_logger(__name__)


class Broker:
    """Remembers for a while that the broker is away, so that requests do not each wait for it."""

    def __init__(self) -> None:
        self._away_until = 0.0

    def send(self, task: Any, *args: Any) -> bool:
        """Send one message; False, and a log line, when the broker does not take it."""
        if time.monotonic() < self._away_until:
            return False
        try:
            task.apply_async(args, retry=False)
        except Exception as error:  # whatever the transport raises: the sweeper makes up for it
            self._away_until = time.monotonic() + settings.BROKER_AWAY_SECONDS
            log.warning("broker_away", error=f"{type(error).__name__}: {error}")
            return False
        return True


broker = Broker()


class Nudge:
    """Sends the ids that one transaction published, after it committed."""

    def __init__(self) -> None:
        self.event_ids: list[UUID] = []

    def __call__(self) -> None:
        nudge_events(self.event_ids)


def nudge_after_commit(event_ids: Sequence[UUID]) -> None:
    """Nudge once the current transaction has committed: one nudge a transaction, not an event."""
    nudge = _registered_nudge()
    if nudge is None:
        nudge = Nudge()
        transaction.on_commit(nudge)
    nudge.event_ids.extend(event_ids)


def _registered_nudge() -> Nudge | None:
    """The nudge of this transaction, if it has one that was not rolled back.

    A savepoint that could still take it away encloses this call too, and would take what is
    added to the nudge with it.
    """
    for entry in reversed(connection.run_on_commit):
        callback = entry[1]
        if isinstance(callback, Nudge):
            return callback
    return None


def nudge_events(event_ids: Sequence[UUID]) -> bool:
    """Tell workers that these events are due; False when the broker is away."""
    from events.tasks import settle_events

    size = settings.EVENT_BATCH_SIZE
    chunks = [event_ids[at : at + size] for at in range(0, len(event_ids), size)]
    sent = [broker.send(settle_events, [str(event_id) for event_id in ids]) for ids in chunks]
    return all(sent)


def nudge_deliveries(delivery_ids: Sequence[int]) -> None:
    """Tell workers that these deliveries to external handlers are due."""
    from events.tasks import run_external_delivery

    for delivery_id in delivery_ids:
        broker.send(run_external_delivery, delivery_id)


def after_commit(callback: Callable[..., Any], *args: Any) -> None:
    """Call back once the current transaction has committed."""
    transaction.on_commit(lambda: callback(*args))
