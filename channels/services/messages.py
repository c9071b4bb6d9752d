"""Writing and receiving messages; what becomes of them is in `channels.services.outcomes`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from channels.models import (
    Account,
    Automatic,
    Channel,
    Conversation,
    Direction,
    Message,
    MessageStatus,
    MessageTemplate,
    MessageType,
)
from channels.services.conversations import open_conversation
from channels.services.queueing import MessageDraft, queue_messages
from channels.services.queueing.drafts import NO_LEAD
from channels.services.queueing.texts import LONGEST_SUBJECT, known_channel
from channels.transports import File
from leads.models import Lead
from leads.services import lock_lead
from salesflow.accounts.models import User

# In `Message.details`: that a failed message was sent again, as another one.
SENT_AGAIN = "sent_again"
LONGEST_VENDOR_ID = 255


class SendOptions(TypedDict, total=False):
    """What most messages leave as it is; see `channels.services.queueing.MessageDraft`."""

    author: User | None
    account: Account | None
    purpose: str
    message_type: str
    details: Mapping[str, Any]
    template: MessageTemplate | None
    answers: Message | None
    is_new_thread: bool
    unless_answered_since: datetime | None
    not_after: datetime | None
    tracks: bool
    cc: Sequence[str]
    files: Sequence[File]


class ReceiveOptions(TypedDict, total=False):
    """What only some channels know of a message; see `channels.transports.Incoming`."""

    account: Account | None
    quoted: str
    html: str
    automatic: str
    references: str
    cc: Sequence[str]
    in_reply_to: Message | None
    details: Mapping[str, Any]


def send_message(
    lead: Lead,
    *,
    channel: str,
    body: str,
    subject: str = "",
    to_address: str = "",
    **options: Unpack[SendOptions],
) -> Message:
    """Queue a message to a lead; a worker gives it to the account's transport.

    Args:
        channel: a `Channel`.
        subject: e-mail only.
        to_address: one of the lead's addresses on the channel; by default the primary one.
        options: see `SendOptions`.

    Returns:
        The message, queued; on a channel where a person has to carry it, prepared for them.
        `message.sent` or `message.failed` tells what came of it.

    Raises:
        ValidationError: by `channel`, `body`, `subject`, `to_address`, `answers`, `cc` or `files`.
        Lead.DoesNotExist: the lead was deleted, or belongs to another tenant.
    """
    draft = MessageDraft(lead, channel, body, subject=subject, to_address=to_address, **options)
    [outcome] = queue_messages([draft])
    if isinstance(outcome, Message):
        return outcome
    if outcome.code == NO_LEAD:
        raise Lead.DoesNotExist(outcome.error.messages)
    raise outcome.error


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
    **options: Unpack[ReceiveOptions],
) -> Message:
    """Take in a message that a lead has written; it opens the conversation again.

    Args:
        address: where it came from, in normal form.
        vendor_id: what the vendor calls it; a message that is given twice comes in once.
        received_at: when the vendor got it; now when not given.
        options: see `ReceiveOptions`.

    Returns:
        The message; the known one when it had come in before.

    Raises:
        ValidationError: by `channel` or `vendor_id`.
        Lead.DoesNotExist: the lead was deleted, or belongs to another tenant.
    """
    message = _arrived(channel, vendor_id, received_at, options)
    message.type, message.address = message_type, address
    message.subject, message.body = _storable(subject)[:LONGEST_SUBJECT], _storable(body)
    try:
        return _take_in(lead, message)
    except IntegrityError:
        # The same message came in for another lead, or at the same moment.
        if twin := known_message(message.channel, vendor_id):
            return twin
        raise


def lock_message(message_id: UUID) -> Message:
    """The message as it is in the database, locked until the transaction ends.

    Raises:
        Message.DoesNotExist: it was deleted, or belongs to another tenant than the current one.
    """
    locked: Message = Message.objects.select_for_update().get(pk=message_id)
    return locked


def known_message(channel: str, vendor_id: str) -> Message | None:
    """The message that the vendor calls so."""
    if not vendor_id:
        return None
    known: Message | None = Message.objects.filter(channel=channel, vendor_id=vendor_id).first()
    return known


def _arrived(
    channel: str, vendor_id: str, received_at: datetime | None, options: ReceiveOptions
) -> Message:
    """A message that came in, without its words and its writer."""
    if len(vendor_id) > LONGEST_VENDOR_ID:
        raise ValidationError({"vendor_id": _("Longer than 255 characters.")})
    now = timezone.now()
    return Message(
        channel=known_channel(channel),
        direction=Direction.INBOUND,
        status=MessageStatus.RECEIVED,
        vendor_id=vendor_id,
        # A vendor's clock may be fast: nothing has come in before it was written.
        created_at=min(received_at or now, now),
        stored_at=now,
        account=options.get("account"),
        quoted=_storable(options.get("quoted", "")),
        html=_storable(options.get("html", "")),
        automatic=options.get("automatic", Automatic.NO),
        references=_storable(options.get("references", "")),
        cc=list(options.get("cc", ())),
        in_reply_to=options.get("in_reply_to"),
        details=dict(options.get("details", {})),
    )


def _storable(text: str) -> str:
    # PostgreSQL's text holds no null characters, mail may.
    return text.replace("\x00", "")


@transaction.atomic
def _take_in(lead: Lead, message: Message) -> Message:
    message.lead = lock_lead(lead)
    if known := known_message(message.channel, message.vendor_id):
        return known
    conversation = open_conversation(message.lead, Channel(message.channel))
    message.conversation = conversation
    message.save()
    conversation.last_message_at = max(conversation.last_message_at, message.created_at)
    if message.automatic == Automatic.NO:
        _note_written(conversation, message)
    conversation.save()
    return message


def _note_written(conversation: Conversation, message: Message) -> None:
    """A person has written: the conversation is open, unread, and waits for an answer."""
    written = message.created_at
    conversation.state, conversation.snoozed_until = Conversation.State.OPEN, None
    conversation.unread += 1
    if written >= (conversation.last_inbound_at or written):
        conversation.last_inbound_at = written
        conversation.account = message.account or conversation.account
    conversation.waiting_since = min(conversation.waiting_since or written, written)
