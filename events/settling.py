"""Settling: take due events, run their database handlers, write what came of it: one transaction.

The transaction holds the events with FOR NO KEY UPDATE SKIP LOCKED, so two workers never settle
one event at once, and the locks of a worker that died vanish with its connection.
"""

import time
from collections.abc import Callable, Sequence
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, transaction

from events import journal, metrics
from events.batches import Batch, is_clash
from events.taking import BatchSize, Rotation, Taken, take_named

MOST_CLASHES = 5

rotation = Rotation()
batch_size = BatchSize(settings.EVENT_BATCH_SIZE)


def settle(event_ids: Sequence[UUID]) -> int:
    """Settle those of the events that are pending and that no worker holds, in this process.

    Nothing is journaled: a process that is not a worker's ends with what it did.

    Returns:
        How many events it took.

    Raises:
        OperationalError: it clashed again and again; the events stay pending.
    """
    return _again_after_clashes(lambda: _settle_named(event_ids))


def settle_due() -> int:
    """Settle one batch of what is due, each tenant its share, as a worker does.

    Returns:
        How many events it settled, 0 when nothing is due.

    Raises:
        OperationalError: as `settle`.
    """
    started = time.monotonic()
    events = _again_after_clashes(lambda: _settle_journaled(batch_size.size))
    batch_size.note(events, time.monotonic() - started)
    return events


def _again_after_clashes(settle_once: Callable[[], int]) -> int:
    """Two workers whose handlers write the same rows may come to wait for each other.

    PostgreSQL then ends one of them; it lets go of all its locks and begins anew, and no handler
    has failed.
    """
    for _clash in range(MOST_CLASHES):
        try:
            return settle_once()
        except OperationalError as error:
            if not is_clash(error):
                raise
    return settle_once()


def _settle_named(event_ids: Sequence[UUID]) -> int:
    with transaction.atomic():
        journal.limit_transaction()
        return Batch.of(take_named(event_ids)).settle()


def _settle_journaled(size: int) -> int:
    token = 0
    try:
        with transaction.atomic():
            token = journal.lock_entry()
            taken = rotation.take(size)
            return _settle_taken(taken, token) if taken.events else 0
    except BaseException:
        # The worker lives: whoever takes these events next need not suspect them.
        if token:
            journal.journal.withdraw(token)
        raise


def _settle_taken(taken: Taken, token: int) -> int:
    batch = _without_suspects(taken, token)
    journal.journal.open(token, batch.events)
    oldest = min(event.due_at for event in batch.events)
    count = batch.settle()
    journal.close_entry(token)
    transaction.on_commit(lambda: metrics.waited("events", (taken.now - oldest).total_seconds()))
    return count


def _without_suspects(taken: Taken, token: int) -> Batch:
    """The batch of what no worker has died of; in turn with one suspect alone.

    The others are let go with the transaction. Suspects have their turn also while there is other
    work: they stand first among their tenant's, and would keep it waiting.
    """
    crashes = journal.crashes_of(taken.events)
    innocent = [event for event in taken.events if event.id not in crashes]
    rotation.has_more |= bool(crashes)
    if not crashes or (innocent and not rotation.owes_a_trial):
        rotation.owes_a_trial = bool(crashes)
        return Batch.of(taken.only(innocent))
    rotation.owes_a_trial = False
    batch_size.be_cautious()
    suspect = next(event for event in taken.events if event.id in crashes)
    return Batch.of(taken.only([suspect]), journal.Trial(token, crashes[suspect.id]))
