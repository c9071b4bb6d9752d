"""What colleagues have written elsewhere, such as in the vendor's own app on a phone."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from channels.models import Account, Channel, Conversation, Direction, Message, MessageStatus
from channels.services.conversations import open_conversation
from channels.services.messages import known_message
from channels.services.outcomes import note_sent_at
from channels.transports import Incoming
from leads.models import Lead
from leads.services import lock_lead


@transaction.atomic
def record_echo(
    lead: Lead, told: Incoming, *, account: Account, address: str, answered: Message | None = None
) -> Message:
    """Keep a message to a lead that has gone out without us; it answers what the lead has written.

    Args:
        told: the message, as `Echo` has it.
        address: to which it went, in normal form.
        answered: what it quotes.

    Returns:
        The message; the known one where it was recorded before, or is one of ours.
    """
    lead = lock_lead(lead)
    if known := known_message(account.channel, told.vendor_id):
        return known
    conversation = open_conversation(lead, Channel(account.channel))
    now = timezone.now()
    at = min(told.received_at or now, now)
    message = Message(
        conversation=conversation,
        lead=lead,
        account=account,
        channel=account.channel,
        direction=Direction.OUTBOUND,
        type=told.type,
        status=MessageStatus.SENT,
        address=address,
        body=told.text,
        vendor_id=told.vendor_id,
        created_at=at,
        sent_at=at,
        in_reply_to=answered,
        details={**told.details, "echo": True},
    )
    note_sent_at(message, at)
    message.save()
    _note_answered(conversation, at)
    return message


def _note_answered(conversation: Conversation, at: datetime) -> None:
    """Whoever answers has read what was there by then: what is told of it may come late."""
    if at >= (conversation.last_inbound_at or at):
        conversation.unread = 0
    conversation.last_message_at = max(conversation.last_message_at, at)
    conversation.save(update_fields=["unread", "last_message_at", "changed_at"])
