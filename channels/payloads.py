"""The events that messages publish, typed. What was written stays on the message's row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from events.payloads import Changes, Payload
from events.types import EventType

if TYPE_CHECKING:
    from channels.models import Message


class MessagePayload(Payload):
    """What every event about a message says.

    Attributes:
        channel: such as "email" or "whatsapp".
        message_type: "text" or "template".
        author_id: the colleague who wrote it; None when the lead or a program did.
    """

    lead_id: UUID
    message_id: UUID
    conversation_id: UUID
    channel: str
    message_type: str
    author_id: int | None = None

    @classmethod
    def of(cls, instance: Message, changes: Changes) -> Self:
        """The message as it is now."""
        return cls(
            lead_id=instance.lead_id,
            message_id=instance.id,
            conversation_id=instance.conversation_id,
            channel=instance.channel,
            message_type=instance.type,
            author_id=instance.author_id,
            **cls.details(instance),
        )

    @classmethod
    def details(cls, instance: Message) -> dict[str, Any]:
        """The fields that only this event has."""
        return {}


class MessageQueued(MessagePayload, type=EventType.MESSAGE_QUEUED, subject="lead"):
    """A message to a lead was written and waits for its transport."""


class MessageReceived(MessagePayload, type=EventType.MESSAGE_RECEIVED, subject="lead"):
    """A lead has written."""


class MessageSent(MessagePayload, type=EventType.MESSAGE_SENT, subject="lead"):
    """The transport has taken a message over.

    Attributes:
        latency_ms: from the moment it was queued, waits between tries included.
        transport: which transport took it.
    """

    latency_ms: int
    success: bool = True
    transport: str = ""

    @classmethod
    def details(cls, instance: Message) -> dict[str, Any]:
        """How long it took, and who took it."""
        return {"latency_ms": instance.latency_ms or 0, "transport": instance.transport}


class MessageDelivered(MessagePayload, type=EventType.MESSAGE_DELIVERED, subject="lead"):
    """A message has reached the lead's device or mailbox."""


class MessageRead(MessagePayload, type=EventType.MESSAGE_READ, subject="lead"):
    """The lead has opened a message."""


class MessageFailed(MessagePayload, type=EventType.MESSAGE_FAILED, subject="lead"):
    """A message was given up.

    Attributes:
        reason: the vendor's, in words.
        permanent: it was refused for good; else the tries ran out.
        attempts: how often it was tried.
    """

    reason: str
    permanent: bool
    attempts: int

    @classmethod
    def details(cls, instance: Message) -> dict[str, Any]:
        """Why it was given up."""
        return {
            "reason": instance.error,
            "permanent": instance.permanent,
            "attempts": instance.attempts,
        }
