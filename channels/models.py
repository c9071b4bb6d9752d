"""Conversations with leads and the messages in them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from channels.payloads import (
    MessageDelivered,
    MessageFailed,
    MessageQueued,
    MessageRead,
    MessageReceived,
    MessageSent,
)
from events import Publisher, publishes
from leads.models import ContactPoint, Lead
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import TenantScoped, User


class Channel(models.TextChoices):
    """A way to reach a lead."""

    EMAIL = "email", _("E-mail")
    WHATSAPP = "whatsapp", _("WhatsApp")

    @property
    def contact_kind(self) -> ContactPoint.Kind:
        """The kind of contact point that is an address on this channel."""
        return ContactPoint.Kind.EMAIL if self == Channel.EMAIL else ContactPoint.Kind.PHONE


class Direction(models.TextChoices):
    """Who wrote a message."""

    INBOUND = "inbound", _("from the lead")
    OUTBOUND = "outbound", _("to the lead")


class MessageStatus(models.TextChoices):
    """How far a message has come; `channels.statuses` says what may follow what."""

    QUEUED = "queued", _("Queued")
    UNKNOWN = "unknown", _("Unknown")
    SENT = "sent", _("Sent")
    DELIVERED = "delivered", _("Delivered")
    READ = "read", _("Read")
    FAILED = "failed", _("Failed")
    RECEIVED = "received", _("Received")


# Somebody may have to look at these.
TROUBLED = [MessageStatus.QUEUED, MessageStatus.UNKNOWN, MessageStatus.FAILED]


class MessageType(models.TextChoices):
    """What a message is to its vendor."""

    TEXT = "text", _("Text")
    TEMPLATE = "template", _("Template")


class Conversation(TenantScoped):
    """All that was written with a lead on one channel."""

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        SNOOZED = "snoozed", _("Snoozed")
        CLOSED = "closed", _("Closed")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    lead = models.ForeignKey(
        Lead,
        on_delete=models.CASCADE,
        # The constraint's index serves it.
        db_index=False,
        related_name="conversations",
        verbose_name=_("lead"),
    )
    channel = models.CharField(_("channel"), max_length=20, choices=Channel.choices)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.OPEN)
    unread = models.PositiveIntegerField(
        _("unread"), default=0, help_text=_("Messages that came in since somebody looked.")
    )
    last_message_at = models.DateTimeField(_("last message"), default=timezone.now)

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        constraints = [
            # Its index answers "the conversations of this lead".
            models.UniqueConstraint(
                fields=["lead", "channel"], name="conversation_once_per_lead_and_channel"
            ),
        ]
        indexes = [
            # The inbox: one tenant's conversations in a state, the last active first.
            models.Index(
                fields=["tenant", "state", "-last_message_at", "-id"], name="conversation_inbox"
            ),
            # The API's list of conversations in any state.
            models.Index(
                fields=["tenant", "-last_message_at", "-id"], name="conversation_by_activity"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lead} ({self.get_channel_display()})"


def is_queued(message: Message) -> bool:
    """Whether the message waits to be sent."""
    return message.status == MessageStatus.QUEUED


def is_inbound(message: Message) -> bool:
    """Whether the lead wrote it."""
    return message.direction == Direction.INBOUND


# A message may be created with its history, which an import knows: hence also "create".
@publishes(MessageQueued, on="create", when=is_queued, occurred="created_at")
@publishes(MessageReceived, on="create", when=is_inbound, occurred="created_at")
@publishes(
    MessageSent,
    on=("create", "change"),
    fields=["sent_at"],
    when=lambda message: message.sent_at,
    occurred="sent_at",
)
@publishes(
    MessageDelivered,
    on=("create", "change"),
    fields=["delivered_at"],
    when=lambda message: message.delivered_at,
    occurred="delivered_at",
)
@publishes(
    MessageRead,
    on=("create", "change"),
    fields=["read_at"],
    when=lambda message: message.read_at,
    occurred="read_at",
)
@publishes(
    MessageFailed,
    on=("create", "change"),
    fields=["failed_at"],
    when=lambda message: message.failed_at,
    occurred="failed_at",
)
class Message(Publisher):
    """One message of a conversation, in either direction."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    conversation = models.ForeignKey(
        Conversation,
        on_delete=models.CASCADE,
        # The index message_in_thread serves it.
        db_index=False,
        related_name="messages",
        verbose_name=_("conversation"),
    )
    lead = models.ForeignKey(
        Lead,
        on_delete=models.CASCADE,
        # The index message_of_lead serves it.
        db_index=False,
        related_name="messages",
        verbose_name=_("lead"),
    )
    author = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("author"),
    )
    channel = models.CharField(_("channel"), max_length=20, choices=Channel.choices)
    direction = models.CharField(_("direction"), max_length=10, choices=Direction.choices)
    type = models.CharField(
        _("type"), max_length=20, choices=MessageType.choices, default=MessageType.TEXT
    )
    status = models.CharField(_("status"), max_length=10, choices=MessageStatus.choices)
    address = models.CharField(
        _("address"),
        max_length=254,
        help_text=_("The lead's e-mail address, or phone number in E.164."),
    )
    subject = models.CharField(_("subject"), max_length=200, blank=True)
    body = models.TextField(_("text"))
    error = models.TextField(
        _("error"), blank=True, help_text=_("Why the last try did not succeed, in words.")
    )
    permanent = models.BooleanField(
        _("refused for good"), default=False, help_text=_("Trying again cannot help.")
    )
    transport = models.CharField(_("transport"), max_length=50, blank=True)
    vendor_id = models.CharField(
        _("vendor's id"), max_length=255, blank=True, help_text=_("What the vendor calls it.")
    )
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    sending_since = models.DateTimeField(
        _("handed over at"),
        null=True,
        blank=True,
        help_text=_("When the transport was called; empty once its answer is recorded."),
    )
    latency_ms = models.PositiveIntegerField(
        _("latency (ms)"),
        null=True,
        blank=True,
        help_text=_("From queued until the transport took it over."),
    )
    created_at = models.DateTimeField(
        _("queued or received"), default=timezone.now, help_text=_("It orders the thread.")
    )
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True, blank=True)
    read_at = models.DateTimeField(_("read"), null=True, blank=True)
    failed_at = models.DateTimeField(_("failed"), null=True, blank=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        constraints = [
            # Its index answers "which message is this report about", and a message that a vendor
            # gives twice comes in once.
            models.UniqueConstraint(
                fields=["tenant", "channel", "vendor_id"],
                condition=~Q(vendor_id=""),
                name="message_vendor_id_once",
            ),
            models.CheckConstraint(
                condition=Q(direction=Direction.INBOUND, status=MessageStatus.RECEIVED)
                | Q(direction=Direction.OUTBOUND) & ~Q(status=MessageStatus.RECEIVED),
                name="message_received_is_inbound",
            ),
        ]
        indexes = [
            # A thread, the last message first.
            models.Index(fields=["conversation", "-created_at", "-id"], name="message_in_thread"),
            # All messages on a lead's page, whatever their channel.
            models.Index(fields=["lead", "-created_at", "-id"], name="message_of_lead"),
            # The admin's list of one tenant's messages, the newest first.
            models.Index(fields=["tenant", "-id"], name="message_by_tenant"),
            # The admin's list of messages that have not gone out.
            models.Index(
                fields=["status", "-id"],
                condition=Q(status__in=TROUBLED),
                name="message_in_trouble",
            ),
        ]

    def __str__(self) -> str:
        return self.subject or self.body[:80]

    @property
    def is_outbound(self) -> bool:
        """Whether we wrote it."""
        return self.direction == Direction.OUTBOUND
