"""The events of channels, typed. What was written stays on the message's row."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from events.payloads import Changes, Payload
from events.types import EventType

if TYPE_CHECKING:
    from channels.models import AccountTrial, Conversation, Inbound, Message

# Vendors round to seconds, and their clocks may be slow.
ROUNDED = timedelta(minutes=1)


def milliseconds_between(earlier: datetime | None, later: datetime | None) -> int | None:
    """Whole milliseconds, never negative: two machines' clocks may differ; None: one is unknown."""
    if earlier is None or later is None:
        return None
    return max(0, round((later - earlier).total_seconds() * 1000))


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
        return cls.about(instance, **cls.details(instance))

    @classmethod
    def about(cls, message: Message, **details: Any) -> Self:
        """The message as it is now, with the fields that only this event has."""
        return cls(
            lead_id=message.lead_id,
            message_id=message.id,
            conversation_id=message.conversation_id,
            channel=message.channel,
            message_type=message.type,
            author_id=message.author_id,
            **details,
        )

    @classmethod
    def details(cls, instance: Message) -> dict[str, Any]:
        """The fields that only this event has."""
        return {}


class MessageQueued(MessagePayload, type=EventType.MESSAGE_QUEUED, subject="lead"):
    """A message to a lead was written and waits for its transport."""


class MessageReceived(MessagePayload, type=EventType.MESSAGE_RECEIVED, subject="lead"):
    """A lead has written.

    Attributes:
        stored_ms: from the moment the vendor had it until we did; None for what had come in before
            its account was connected.
        automatic: such as "out_of_office" where no person wrote it; else empty.
    """

    stored_ms: int | None = None
    automatic: str = ""

    @classmethod
    def details(cls, instance: Message) -> dict[str, Any]:
        """How long it was under way, and whether a person wrote it."""
        account = instance.account
        is_old = account is not None and instance.created_at < account.created_at - ROUNDED
        stored_at = None if is_old else instance.stored_at
        return {
            "stored_ms": milliseconds_between(instance.created_at, stored_at),
            "automatic": instance.automatic,
        }


class MessageSent(MessagePayload, type=EventType.MESSAGE_SENT, subject="lead"):
    """The transport has taken a message over.

    Attributes:
        latency_ms: from the moment it was queued, waits between tries included.
        transport: which transport took it.
        answer_ms: from the lead's first message that nobody had answered; None for no answer.
    """

    latency_ms: int
    success: bool = True
    transport: str = ""
    answer_ms: int | None = None

    @classmethod
    def details(cls, instance: Message) -> dict[str, Any]:
        """How long it took, and who took it."""
        return {
            "latency_ms": instance.latency_ms or 0,
            "transport": instance.transport,
            "answer_ms": instance.answer_ms,
        }


class MessageDelivered(MessagePayload, type=EventType.MESSAGE_DELIVERED, subject="lead"):
    """A message has reached the lead's device or mailbox.

    Attributes:
        delivery_ms: from the moment the transport took it over; None where nobody knows that.
    """

    delivery_ms: int | None = None

    @classmethod
    def details(cls, instance: Message) -> dict[str, Any]:
        """How long it was under way."""
        return {"delivery_ms": milliseconds_between(instance.sent_at, instance.delivered_at)}


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


class MessageWithdrawn(MessagePayload, type=EventType.MESSAGE_WITHDRAWN, subject="lead"):
    """A message was taken back before it went out: nobody has got it, and nobody will.

    Attributes:
        reason: a `channels.models.Withdrawal`, or words.
    """

    reason: str

    @classmethod
    def details(cls, instance: Message) -> dict[str, Any]:
        """Why."""
        return {"reason": instance.error}


class MessageOpened(MessagePayload, type=EventType.MESSAGE_OPENED, subject="lead"):
    """A person has opened a mail, as far as anybody can tell; told once."""


class MessageClicked(MessagePayload, type=EventType.MESSAGE_CLICKED, subject="lead"):
    """A person has followed a link of a mail for the first time; told once a mail.

    Attributes:
        link: the address that it leads to.
    """

    link: str = ""


class ConversationPayload(Payload):
    """What every event about a conversation says.

    These are what people decide. A conversation also opens by itself, when a message is written or
    comes in, and when the time of a snooze is over: those events and `until` tell it.
    """

    lead_id: UUID
    conversation_id: UUID
    channel: str

    @classmethod
    def about(cls, conversation: Conversation, **details: Any) -> Self:
        """The conversation as it is now, with the fields that only this event has."""
        return cls(
            lead_id=conversation.lead_id,
            conversation_id=conversation.id,
            channel=conversation.channel,
            **details,
        )


class ConversationAssigned(
    ConversationPayload, type=EventType.CONVERSATION_ASSIGNED, subject="lead"
):
    """A conversation went to another colleague, or to nobody."""

    from_assignee_id: int | None
    assignee_id: int | None
    assignee: str = ""


class ConversationSnoozed(ConversationPayload, type=EventType.CONVERSATION_SNOOZED, subject="lead"):
    """A conversation was put off until a time, or until the lead writes."""

    until: datetime


class ConversationClosed(ConversationPayload, type=EventType.CONVERSATION_CLOSED, subject="lead"):
    """Somebody was done with a conversation."""


class ConversationReopened(
    ConversationPayload, type=EventType.CONVERSATION_REOPENED, subject="lead"
):
    """Somebody put a conversation among the open ones again."""


class InboundReceived(Payload, type=EventType.INBOUND_RECEIVED, subject="account"):
    """A vendor has handed something over: a webhook call, a mail; it is to be taken in."""

    account_id: UUID
    inbound_id: UUID

    @classmethod
    def of(cls, instance: Inbound, changes: Changes) -> Self:
        """Where it lies."""
        return cls(account_id=instance.account_id, inbound_id=instance.id)


class FilesAnnounced(Payload, type=EventType.FILES_ANNOUNCED, subject="account"):
    """A message came in whose files have still to be fetched from the vendor."""

    account_id: UUID
    message_id: UUID


class AccountTrialRequested(Payload, type=EventType.ACCOUNT_TRIAL_REQUESTED, subject="account"):
    """Somebody wants to know whether an account works.

    Attributes:
        kind: "check", "send" or "webhook".
    """

    account_id: UUID
    trial_id: UUID
    kind: str

    @classmethod
    def of(cls, instance: AccountTrial, changes: Changes) -> Self:
        """What is to be tried."""
        return cls(account_id=instance.account_id, trial_id=instance.id, kind=instance.kind)


class ContactOptedOut(Payload, type=EventType.CONTACT_OPTED_OUT, subject="lead"):
    """A person does not want to be written to on a channel.

    Attributes:
        source: such as "keyword", "unsubscribe_link", "whatsapp_preference" or "manual".
        record_id: the consent record, which has the proof.
    """

    lead_id: UUID
    channel: str
    source: str
    record_id: UUID


class ContactOptedIn(Payload, type=EventType.CONTACT_OPTED_IN, subject="lead"):
    """A person allows to be written to on a channel.

    Attributes:
        basis: the lawful basis, such as "consent".
        record_id: the consent record, which has the proof.
    """

    lead_id: UUID
    channel: str
    source: str
    basis: str
    record_id: UUID


class AddressBounced(Payload, type=EventType.ADDRESS_BOUNCED, subject="lead"):
    """A message came back from an address.

    Attributes:
        hard: the address does not exist; else the mail may come through another time.
        reason: the server's, in words.
        message_id: the message that came back, where that is known.
    """

    lead_id: UUID
    channel: str
    hard: bool
    reason: str
    message_id: UUID | None = None


class AccountStopped(Payload, type=EventType.ACCOUNT_STOPPED, subject="account"):
    """A vendor refuses an account: nothing goes out through it before somebody looked at it."""

    account_id: UUID
    channel: str
    reason: str
