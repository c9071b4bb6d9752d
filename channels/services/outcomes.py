"""What became of messages: as vendors report it, or as colleagues have found out."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from channels.models import Conversation, Direction, Message, MessageStatus, Purpose, Withdrawal
from channels.payloads import milliseconds_between
from channels.services.messages import lock_message
from channels.services.withdrawing import note_withdrawn
from channels.statuses import PROGRESS, advance

# What the column of a latency holds: a message may have waited for weeks.
LONGEST_LATENCY = 2**31 - 1


@transaction.atomic
def record_status(
    message_id: UUID, status: str, *, at: datetime | None = None, reason: str = ""
) -> Message:
    """Note what a vendor reports of a message: sent, delivered, read or failed.

    Reports may come late, twice and in any order; see `channels.statuses`. A report also settles
    a message of which nobody knew whether it had arrived.

    Args:
        at: when it happened; now when not given.
        reason: why it failed, in words.

    Raises:
        Message.DoesNotExist: the tenant has no such message.
    """
    message = lock_message(message_id)
    if not advance(message, status, at=at or timezone.now()):
        return message
    if message.sent_at and message.latency_ms is None:
        note_sent_at(message, message.sent_at)
    message.sending_since = None
    message.error, message.permanent = "", False
    if message.status == MessageStatus.FAILED:
        message.error, message.permanent = reason or _("The vendor did not say why."), True
        note_failed(message)
    message.save()
    return message


@transaction.atomic
def confirm_sent(message: Message, *, at: datetime | None = None) -> Message:
    """Note that a colleague has carried a prepared message to the lead by hand.

    Raises:
        ValidationError: it was not prepared for that, or somebody has said so before.
    """
    message = _lock_prepared(message)
    at = at or timezone.now()
    advance(message, MessageStatus.SENT, at=at)
    message.transport = message.account.transport if message.account else ""
    note_sent_at(message, at)
    message.save()
    return message


@transaction.atomic
def discard_prepared(message: Message) -> None:
    """Take back a prepared message that nobody wants to send; publishes `message.withdrawn`.

    Raises:
        ValidationError: it does not wait to be sent by hand.
    """
    message = _lock_prepared(message)
    note_withdrawn(message, Withdrawal.DISCARDED)
    message.save()


@transaction.atomic
def settle_unknown(message: Message, *, arrived: bool) -> Message:
    """Note what a colleague has found out about a message of which nobody knew whether it arrived.

    Raises:
        ValidationError: that is known by now.
    """
    message = lock_message(message.pk)
    if message.status != MessageStatus.UNKNOWN:
        raise ValidationError(_("What became of this message is known by now."))
    status = MessageStatus.SENT if arrived else MessageStatus.FAILED
    return record_status(message.pk, status, reason=_("A colleague saw that it had not arrived."))


def note_sent_at(message: Message, at: datetime) -> None:
    """Measure a message that has gone out, and note that the lead has their answer.

    One that was replayed is measured from its last call: nobody waited for it since it was written.
    What was written before the lead wrote is no answer to that. The caller holds the message and
    saves it.
    """
    begun_at = message.sending_since if message.earlier_attempts else None
    latency_ms = milliseconds_between(begun_at or message.created_at, at)
    message.latency_ms = min(latency_ms or 0, LONGEST_LATENCY)
    conversation = _locked_conversation(message, waiting_since__lte=message.created_at)
    if conversation:
        message.answer_ms = milliseconds_between(conversation.waiting_since, at)
        conversation.waiting_since = None
        conversation.save(update_fields=["waiting_since", "changed_at"])


def note_failed(message: Message) -> None:
    """Open the conversation of a personal message that failed: else nobody would see that.

    If it had been taken for the lead's answer, they wait again. Not where a later message has gone
    out. The caller holds the message and saves it.
    """
    if message.purpose != Purpose.PERSONAL or _has_successor(message):
        return
    conversation = _locked_conversation(message)
    if conversation is None:
        return
    if message.sent_at and message.answer_ms is not None:
        waited = message.sent_at - timedelta(milliseconds=message.answer_ms)
        conversation.waiting_since = min(conversation.waiting_since or waited, waited)
        message.answer_ms = None
    conversation.state, conversation.snoozed_until = Conversation.State.OPEN, None
    conversation.save(update_fields=["state", "snoozed_until", "waiting_since", "changed_at"])


def _has_successor(message: Message) -> bool:
    """Whether something that was written later has gone out."""
    rows = Message.objects.filter(
        conversation=message.conversation_id,
        direction=Direction.OUTBOUND,
        created_at__gt=message.created_at,
        status__in=PROGRESS,
    )
    found: bool = rows.exists()
    return found


def _locked_conversation(message: Message, **only: Any) -> Conversation | None:
    """The message's conversation, locked if it is like that: else nobody has to wait for it."""
    rows = Conversation.objects.select_for_update()
    locked: Conversation | None = rows.filter(pk=message.conversation_id, **only).first()
    return locked


def _lock_prepared(message: Message) -> Message:
    message = lock_message(message.pk)
    if message.status != MessageStatus.PREPARED:
        raise ValidationError(_("This message does not wait to be sent by hand."))
    return message
