"""Messages in either direction."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Concat, Left
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from channels.models.account import Account, Channel
from channels.models.conversation import Conversation
from channels.models.template import MessageTemplate
from channels.payloads import (
    MessageDelivered,
    MessageFailed,
    MessageQueued,
    MessageRead,
    MessageReceived,
    MessageSent,
    MessageWithdrawn,
)
from events import Publisher, publishes
from leads.models import Lead
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import User

# What the inbox's search looks in. Longer texts are found by their beginning: PostgreSQL takes a
# megabyte of words at most.
SEARCHED = SearchVector(
    Left(
        Concat("subject", models.Value(" "), "body", output_field=models.TextField()),
        20_000,
        output_field=models.TextField(),
    ),
    config="simple",
)


class Direction(models.TextChoices):
    """Who wrote a message."""

    INBOUND = "inbound", _("from the lead")
    OUTBOUND = "outbound", _("to the lead")


class MessageStatus(models.TextChoices):
    """How far a message has come; `channels.statuses` says what may follow what."""

    PREPARED = "prepared", _("To be sent by hand")
    QUEUED = "queued", _("Queued")
    UNKNOWN = "unknown", _("Unknown")
    SENT = "sent", _("Sent")
    DELIVERED = "delivered", _("Delivered")
    READ = "read", _("Read")
    FAILED = "failed", _("Failed")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    RECEIVED = "received", _("Received")


# Somebody may have to look at these.
TROUBLED = [MessageStatus.QUEUED, MessageStatus.UNKNOWN, MessageStatus.FAILED]


class Withdrawal(models.TextChoices):
    """Why a message was taken back before it went out; who takes one back may have another reason,
    in words."""

    ANSWERED = "answered", _("They have written in the meantime")
    LATE = "late", _("It could not go out in time")
    ENDED = "ended", _("What it belonged to has ended")
    DISCARDED = "discarded", _("Nobody wanted to send it")


class MessageType(models.TextChoices):
    """What a message is to its vendor."""

    TEXT = "text", _("Text")
    TEMPLATE = "template", _("Template")
    MEDIA = "media", _("File")
    INTERACTIVE = "interactive", _("Buttons")
    REPLY = "reply", _("Choice")
    LOCATION = "location", _("Place")
    CONTACTS = "contacts", _("Business card")
    REACTION = "reaction", _("Reaction")
    UNSUPPORTED = "unsupported", _("Not shown by the vendor")


class Purpose(models.TextChoices):
    """Why a message goes out, which decides what consent it needs."""

    PERSONAL = "personal", _("Personal")
    MARKETING = "marketing", _("Marketing")


class Automatic(models.TextChoices):
    """What has written an inbound message where no person has."""

    NO = "", _("A person")
    AUTO_REPLY = "auto_reply", _("Automatic reply")
    OUT_OF_OFFICE = "out_of_office", _("Out of office")
    LIST = "list", _("Newsletter or list")
    BOUNCE = "bounce", _("Bounce")


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
@publishes(
    MessageWithdrawn,
    on="change",
    fields=["withdrawn_at"],
    when=lambda message: message.withdrawn_at,
    occurred="withdrawn_at",
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
    account = models.ForeignKey(
        Account,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        # Nobody lists an account's messages.
        db_index=False,
        related_name="+",
        verbose_name=_("account"),
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
    purpose = models.CharField(
        _("purpose"), max_length=10, choices=Purpose.choices, default=Purpose.PERSONAL
    )
    automatic = models.CharField(
        _("written by"), max_length=15, choices=Automatic.choices, blank=True, default=Automatic.NO
    )
    status = models.CharField(_("status"), max_length=10, choices=MessageStatus.choices)
    address = models.CharField(
        _("address"),
        max_length=254,
        help_text=_(
            "The lead's e-mail address, phone number in E.164, or the vendor's id of them."
        ),
    )
    subject = models.CharField(_("subject"), max_length=200, blank=True)
    body = models.TextField(_("text"))
    quoted = models.TextField(
        _("quoted"), blank=True, help_text=_("What the text answers, folded away when shown.")
    )
    html = models.TextField(
        _("HTML"), blank=True, help_text=_("As it came; only its cleaned form is ever shown.")
    )
    cc = ArrayField(
        models.CharField(max_length=254), verbose_name=_("copy to"), default=list, blank=True
    )
    in_reply_to = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        # The index message_answers serves it.
        db_index=False,
        related_name="+",
        verbose_name=_("in reply to"),
    )
    references = models.TextField(
        _("references"), blank=True, help_text=_("Message-IDs of a mail's thread, the root first.")
    )
    template = models.ForeignKey(
        MessageTemplate,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        # The index message_of_template serves it.
        db_index=False,
        related_name="+",
        verbose_name=_("template"),
    )
    details = models.JSONField(
        _("details"),
        default=dict,
        blank=True,
        help_text=_("What its type needs: a template's variables, buttons, a link, a place."),
    )
    error = models.TextField(
        _("error"),
        blank=True,
        help_text=_("Why the last try did not succeed, in words; or why it was withdrawn."),
    )
    permanent = models.BooleanField(
        _("refused for good"), default=False, help_text=_("Trying again cannot help.")
    )
    transport = models.CharField(_("transport"), max_length=50, blank=True)
    vendor_id = models.CharField(
        _("vendor's id"), max_length=255, blank=True, help_text=_("What the vendor calls it.")
    )
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    earlier_attempts = models.PositiveIntegerField(
        _("earlier attempts"),
        default=0,
        db_default=0,
        help_text=_("Those of them that were made before it was replayed last."),
    )
    unless_answered_since = models.DateTimeField(
        _("unless they have written since"),
        null=True,
        blank=True,
        help_text=_("It is withdrawn where the lead has written after that, on any channel."),
    )
    not_after = models.DateTimeField(
        _("not after"),
        null=True,
        blank=True,
        help_text=_("If it waits for longer, it is withdrawn."),
    )
    tracks = models.BooleanField(
        _("tracked"),
        default=False,
        db_default=False,
        help_text=_("It tells when it was opened, and which of its links were clicked."),
    )
    slot_at = models.DateTimeField(
        _("may go at"),
        null=True,
        blank=True,
        help_text=_("The place that it has drawn within its account's limits."),
    )
    held_since = models.DateTimeField(
        _("held since"),
        null=True,
        blank=True,
        help_text=_("Since when it lets an earlier message of the conversation go first."),
    )
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
    answer_ms = models.PositiveBigIntegerField(
        _("answered after (ms)"),
        null=True,
        blank=True,
        help_text=_("From the lead's first unanswered message until this answer went out."),
    )
    stored_at = models.DateTimeField(
        _("stored"),
        null=True,
        blank=True,
        help_text=_("When it was taken in here; a vendor may have had it for a while."),
    )
    created_at = models.DateTimeField(
        _("queued or received"), default=timezone.now, help_text=_("It orders the thread.")
    )
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True, blank=True)
    read_at = models.DateTimeField(_("read"), null=True, blank=True)
    failed_at = models.DateTimeField(_("failed"), null=True, blank=True)
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True)
    opened_at = models.DateTimeField(
        _("opened"), null=True, blank=True, help_text=_("By a person, as far as anybody can tell.")
    )
    clicked_at = models.DateTimeField(
        _("clicked"),
        null=True,
        blank=True,
        help_text=_("By a person, as far as anybody can tell."),
    )

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
            # Whether a lead has written since: it stops what a program would write to them.
            models.Index(
                fields=["lead", "-stored_at"],
                condition=Q(direction=Direction.INBOUND, automatic=Automatic.NO),
                name="message_written_by_lead",
            ),
            # Which people have written lately: it stops what a program would write to colleagues.
            models.Index(
                fields=["tenant", "-stored_at"],
                condition=Q(direction=Direction.INBOUND, automatic=Automatic.NO),
                name="message_came_in",
            ),
            # The admin's list of one tenant's messages, the newest first.
            models.Index(fields=["tenant", "-id"], name="message_by_tenant"),
            # The inbox's search: a word of a text.
            GinIndex(F("tenant"), SEARCHED, name="message_search"),
            # What answers a message that is deleted: PostgreSQL asks for each of a lead's messages.
            models.Index(
                fields=["in_reply_to"],
                condition=Q(in_reply_to__isnull=False),
                name="message_answers",
            ),
            # What was made from a template that is deleted.
            models.Index(
                fields=["template"],
                condition=Q(template__isnull=False),
                name="message_of_template",
            ),
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
