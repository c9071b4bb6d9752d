"""Conversations with leads, the messages in them, and the accounts that carry them."""

from channels.models.account import Account, Channel, Pace
from channels.models.attachment import Attachment, AttachmentContent
from channels.models.consent import AddressStanding, ConsentRecord, LawfulBasis
from channels.models.conversation import Conversation, Replying
from channels.models.inbound import Identity, Inbound
from channels.models.message import (
    TROUBLED,
    Automatic,
    Direction,
    Message,
    MessageStatus,
    MessageType,
    Purpose,
    Withdrawal,
)
from channels.models.template import MessageTemplate
from channels.models.tracking import TrackedLink, TrackingHit
from channels.models.trial import AccountTrial

__all__ = [
    "TROUBLED",
    "Account",
    "AccountTrial",
    "AddressStanding",
    "Attachment",
    "AttachmentContent",
    "Automatic",
    "Channel",
    "ConsentRecord",
    "Conversation",
    "Direction",
    "Identity",
    "Inbound",
    "LawfulBasis",
    "Message",
    "MessageStatus",
    "MessageTemplate",
    "MessageType",
    "Pace",
    "Purpose",
    "Replying",
    "TrackedLink",
    "TrackingHit",
    "Withdrawal",
]
