"""What changes conversations and messages. Bad input raises ValidationError, field → messages."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from channels.models import Channel, Conversation, Direction, Message, MessageStatus, MessageType
from channels.queries import addresses_of
from channels.statuses import advance
from leads.models import Lead
from leads.services import lock_lead
from salesflow.accounts.models import User

# The most characters of a text. WhatsApp: Cloud API reference, messages, text.body.
LONGEST_BODY = {Channel.EMAIL: 100_000, Channel.WHATSAPP: 4096}
LONGEST_SUBJECT = 200
LONGEST_VENDOR_ID = 255


@transaction.atomic
def send_message(
    lead: Lead,
    *,
    channel: str,
    body: str,
    subject: str = "",
    to_address: str = "",
    author: User | None = None,
) -> Message:
    """Queue a message to a lead; a worker gives it to the channel's transport.

    Args:
        channel: a `Channel`.
        subject: e-mail only.
        to_address: one of the lead's addresses on the channel; by default the primary one.
        author: the colleague who wrote it.

    Returns:
        The message, queued. `message.sent` or `message.failed` tells what came of it.

    Raises:
        ValidationError: by `channel`, `body`, `subject` or `to_address`.
        Lead.DoesNotExist: the lead was deleted, or belongs to another tenant.
    """
    known = _known_channel(channel)
    body, subject = _checked_text(known, body, subject)
    lead = lock_lead(lead)
    address = _checked_address(to_address, addresses_of(lead, known), known)
    conversation = _open_conversation(lead, known)
    message = Message(
        conversation=conversation,
        lead=lead,
        author=author,
        channel=known,
        direction=Direction.OUTBOUND,
        status=MessageStatus.QUEUED,
        address=address,
        subject=subject,
        body=body,
    )
    message.save()
    conversation.last_message_at = max(conversation.last_message_at, message.created_at)
    conversation.save()
    return message


def receive_message(
    lead: Lead,
    *,
    channel: str,
    address: str,
    body: str,
    subject: str = "",
    vendor_id: str = "",
    message_type: str = MessageType.TEXT,
    received_at: datetime | None = None,
) -> Message:
    """Take in a message that a lead has written; it opens the conversation again.

    Args:
        address: where it came from, in normal form.
        vendor_id: what the vendor calls it; a message that is given twice comes in once.
        received_at: when the vendor got it; now when not given.

    Returns:
        The message; the known one when it had come in before.

    Raises:
        ValidationError: by `channel` or `vendor_id`.
        Lead.DoesNotExist: the lead was deleted, or belongs to another tenant.
    """
    known = _known_channel(channel)
    if len(vendor_id) > LONGEST_VENDOR_ID:
        raise ValidationError({"vendor_id": _("Longer than 255 characters.")})
    message = Message(
        channel=known,
        direction=Direction.INBOUND,
        status=MessageStatus.RECEIVED,
        type=message_type,
        address=address,
        # PostgreSQL's text holds no null characters, mail may.
        subject=subject.replace("\x00", "")[:LONGEST_SUBJECT],
        body=body.replace("\x00", ""),
        vendor_id=vendor_id,
        created_at=received_at or timezone.now(),
    )
    try:
        return _take_in(lead, message)
    except IntegrityError:
        # The same message came in for another lead, or at the same moment.
        if twin := _known_message(known, vendor_id):
            return twin
        raise


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
    at = at or timezone.now()
    if not advance(message, status, at=at):
        return message
    message.sending_since = None
    failed = message.status == MessageStatus.FAILED
    message.error, message.permanent = (reason, True) if failed else ("", False)
    if status == MessageStatus.SENT and message.latency_ms is None:
        message.latency_ms = milliseconds_between(message.created_at, at)
    message.save()
    return message


def mark_conversation_read(conversation: Conversation) -> None:
    """Note that somebody has looked at the conversation."""
    if conversation.unread:
        conversation.unread = 0
        conversation.save(update_fields=["unread"])


def lock_message(message_id: UUID) -> Message:
    """The message as it is in the database, locked until the transaction ends.

    Raises:
        Message.DoesNotExist: it was deleted, or belongs to another tenant than the current one.
    """
    locked: Message = Message.objects.select_for_update().get(pk=message_id)
    return locked


def milliseconds_between(earlier: datetime, later: datetime) -> int:
    """Whole milliseconds, never negative: two machines' clocks may differ."""
    return max(0, round((later - earlier).total_seconds() * 1000))


def _known_channel(channel: str) -> Channel:
    try:
        return Channel(channel)
    except ValueError:
        known = ", ".join(Channel.values)
        reason = _("There is no channel “%(channel)s” (channels: %(known)s).")
        raise ValidationError({"channel": reason % {"channel": channel, "known": known}}) from None


def _checked_text(channel: Channel, body: str, subject: str) -> tuple[str, str]:
    """Body and subject, tidied, or a ValidationError that names what is wrong with both."""
    errors = {}
    body, subject = body.strip(), subject.strip()
    if not body:
        errors["body"] = _("Write something.")
    elif len(body) > LONGEST_BODY[channel]:
        reason = _("A message on this channel holds up to %(longest)d characters.")
        errors["body"] = reason % {"longest": LONGEST_BODY[channel]}
    if subject and channel != Channel.EMAIL:
        errors["subject"] = _("Only e-mails have a subject.")
    elif len(subject) > LONGEST_SUBJECT:
        errors["subject"] = _("A subject holds up to 200 characters.")
    # A line break in a subject would let its writer add headers to the mail.
    elif len(subject.splitlines()) > 1:
        errors["subject"] = _("A subject is one line.")
    errors |= {
        name: _("Null characters are not allowed.")
        for name, text in (("body", body), ("subject", subject))
        if "\x00" in text
    }
    if errors:
        raise ValidationError(errors)
    return body, subject


def _checked_address(wanted: str, known: Sequence[str], channel: Channel) -> str:
    if not known:
        reason = (
            _("The lead has no e-mail address.")
            if channel == Channel.EMAIL
            else _("The lead has no phone number.")
        )
        raise ValidationError({"channel": reason})
    if wanted and wanted not in known:
        reason = _("“%(address)s” is none of the lead's addresses.")
        raise ValidationError({"to_address": reason % {"address": wanted}})
    return wanted or known[0]


def _open_conversation(lead: Lead, channel: Channel) -> Conversation:
    """The lead's conversation on the channel, open and locked; the caller saves it."""
    rows = Conversation.objects.select_for_update()
    conversation: Conversation = rows.get_or_create(lead=lead, channel=channel)[0]
    conversation.state = Conversation.State.OPEN
    return conversation


@transaction.atomic
def _take_in(lead: Lead, message: Message) -> Message:
    message.lead = lock_lead(lead)
    if known := _known_message(message.channel, message.vendor_id):
        return known
    conversation = _open_conversation(message.lead, Channel(message.channel))
    message.conversation = conversation
    message.save()
    conversation.unread += 1
    conversation.last_message_at = max(conversation.last_message_at, message.created_at)
    conversation.save()
    return message


def _known_message(channel: str, vendor_id: str) -> Message | None:
    if not vendor_id:
        return None
    known: Message | None = Message.objects.filter(channel=channel, vendor_id=vendor_id).first()
    return known
