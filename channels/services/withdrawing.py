"""Taking messages back before they go out: nobody has got them, and nobody is alarmed."""

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.functional import Promise

from channels.models import Message, MessageStatus, Withdrawal
from channels.statuses import advance

# Those that nobody has been given yet.
WITHDRAWABLE = (MessageStatus.QUEUED, MessageStatus.PREPARED)
# What the words of a reason hold.
LONGEST_REASON = 500


@transaction.atomic
def withdraw_messages(ids: Iterable[UUID], reason: str | Promise) -> list[UUID]:
    """Take back those of the messages that have not gone out; publishes `message.withdrawn`.

    One whose call has begun is left alone: nobody can know yet whether it went out.

    Args:
        reason: a `Withdrawal`, or words.

    Returns:
        The ids of those that were taken back. The rows are locked by their ids.
    """
    rows = Message.objects.select_for_update().filter(
        pk__in=list(ids), status__in=WITHDRAWABLE, sending_since=None
    )
    taken = list(rows.defer("html", "quoted", "references").order_by("pk"))
    for message in taken:
        note_withdrawn(message, reason)
    if taken:
        Message.objects.bulk_update(taken, ["status", "withdrawn_at", "error"])
    return [message.pk for message in taken]


def note_withdrawn(message: Message, reason: str | Promise) -> bool:
    """Note it on a message that the caller holds and saves; whether that could still be."""
    if not advance(message, MessageStatus.WITHDRAWN, at=timezone.now()):
        return False
    message.error = str(reason)[:LONGEST_REASON]
    return True


def reason_in_words(reason: str) -> str:
    """Why a message was taken back."""
    return str(Withdrawal(reason).label) if reason in Withdrawal.values else reason
