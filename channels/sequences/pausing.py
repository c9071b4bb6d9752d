"""Sequences that are paused: nobody moves on, and nothing goes out any more once that is said.

A batch notes that it moves people of a sequence, and whoever pauses that one waits for the batches
under way: what those have queued is there to be taken back. A batch waits for nobody: what is just
being paused it passes over.
"""

from collections.abc import Collection, Iterable
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from channels.models import Message, MessageStatus
from channels.sequences import models
from channels.sequences.models import Enrolment, Waiting
from channels.sequences.versions import State, enter_state, lock_sequence
from channels.services.withdrawing import withdraw_messages
from events.rows import fetch_rows
from salesflow.accounts.models import User

# Until the transaction ends; many share it, and whoever pauses has it alone. In one order, so that
# no two wait for each other.
SHARE = """
    SELECT id FROM unnest(%(ids)b::uuid[]) AS id
    WHERE pg_try_advisory_xact_lock_shared(hashtextextended('sequence ' || id, 0))
"""
HOLD = """
    SELECT pg_advisory_xact_lock(hashtextextended('sequence ' || id, 0))
    FROM (SELECT id FROM unnest(%(ids)b::uuid[]) AS id ORDER BY id) AS sequences
"""


def share_sequences(ids: Iterable[UUID]) -> frozenset[UUID]:
    """Keep sequences from being paused until the transaction ends; those that nobody is just
    pausing. Whether one is paused has to be read after this."""
    return frozenset(found for (found,) in fetch_rows(SHARE, {"ids": [*{*ids}]}))


@transaction.atomic
def pause_sequence(sequence: models.Sequence, *, actor: User | None) -> bool:
    """Let nobody in it move on; messages that still wait to go out are taken back.

    Returns:
        Whether that changed anything.
    """
    return bool(_pause([sequence.pk], actor))


@transaction.atomic
def resume_sequence(sequence: models.Sequence, *, actor: User | None) -> bool:
    """Let everybody in a paused sequence move on; whether that changed anything."""
    return enter_state(lock_sequence(sequence.pk), State.PAUSED, State.ACTIVE, actor)


@transaction.atomic
def pause_all(*, actor: User | None) -> int:
    """Hold every sequence of the team; how many were running."""
    rows = models.Sequence.objects.filter(state=State.ACTIVE)
    return _pause(list(rows.values_list("pk", flat=True)), actor)


def _pause(ids: Collection[UUID], actor: User | None) -> int:
    if not ids:
        return 0
    sequences = [lock_sequence(sequence_id) for sequence_id in sorted(ids)]
    # Of all before anything is taken back: a batch may wait for a message that is held here.
    fetch_rows(HOLD, {"ids": [*ids]})
    paused = [each for each in sequences if enter_state(each, State.ACTIVE, State.PAUSED, actor)]
    _withdraw_waiting(paused)
    return len(paused)


def _withdraw_waiting(sequences: Collection[models.Sequence]) -> None:
    """What waits to be sent comes back, and is written anew once the sequence goes on."""
    under_way = Enrolment.objects.filter(sequence__in=sequences, waiting_for=Waiting.MESSAGE)
    waiting = under_way.exclude(state=Enrolment.State.FINISHED)
    rows = Message.objects.filter(
        pk__in=waiting.values("waiting_id"), status=MessageStatus.QUEUED
    ).order_by("pk")
    withdraw_messages(list(rows.values_list("pk", flat=True)), _("The sequence is paused."))
