"""What changes conversations and messages. Bad input raises ValidationError, field → messages."""

from channels.services.conversations import mark_conversation_read
from channels.services.messages import lock_message, receive_message, send_message
from channels.services.outcomes import (
    confirm_sent,
    discard_prepared,
    record_status,
    settle_unknown,
)
from channels.services.queueing import MessageDraft, Refusal, queue_messages
from channels.services.withdrawing import withdraw_messages

__all__ = [
    "MessageDraft",
    "Refusal",
    "confirm_sent",
    "discard_prepared",
    "lock_message",
    "mark_conversation_read",
    "queue_messages",
    "receive_message",
    "record_status",
    "send_message",
    "settle_unknown",
    "withdraw_messages",
]
