"""All that was written with a lead on one channel, and who takes care of it."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from channels.models.account import Account, Channel
from leads.models import Lead
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import TenantScoped, User


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
    account = models.ForeignKey(
        Account,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        # Nobody lists an account's conversations.
        db_index=False,
        related_name="+",
        verbose_name=_("account"),
        help_text=_("Through which the lead wrote last; answers go out from there."),
    )
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.OPEN)
    assignee = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        # The index conversation_by_assignee serves it.
        db_index=False,
        related_name="+",
        verbose_name=_("assignee"),
    )
    snoozed_until = models.DateTimeField(_("snoozed until"), null=True, blank=True)
    unread = models.PositiveIntegerField(
        _("unread"), default=0, help_text=_("Messages that came in since somebody looked.")
    )
    last_message_at = models.DateTimeField(_("last message"), default=timezone.now)
    last_inbound_at = models.DateTimeField(_("lead wrote last"), null=True, blank=True)
    waiting_since = models.DateTimeField(
        _("waiting since"),
        null=True,
        blank=True,
        help_text=_("The first message of the lead that nobody has answered."),
    )
    changed_at = models.DateTimeField(_("last changed"), auto_now=True, db_default=Now())

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        constraints = [
            # Its index answers "the conversations of this lead".
            models.UniqueConstraint(
                fields=["lead", "channel"], name="conversation_once_per_lead_and_channel"
            ),
            models.CheckConstraint(
                condition=Q(state="snoozed", snoozed_until__isnull=False)
                | ~Q(state="snoozed") & Q(snoozed_until__isnull=True),
                name="conversation_snoozed_until_when",
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
            # "Mine", "unassigned" and a colleague's in the inbox.
            models.Index(
                fields=["tenant", "assignee", "state", "-last_message_at", "-id"],
                name="conversation_by_assignee",
            ),
            # The same on one channel.
            models.Index(
                fields=["tenant", "channel", "state", "-last_message_at", "-id"],
                name="conversation_by_channel",
            ),
            # What nobody has looked at yet: the inbox's filter, and the figure in the navigation.
            models.Index(
                fields=["tenant", "-last_message_at", "-id"],
                condition=Q(unread__gt=0),
                name="conversation_unread",
            ),
            # Whether anything in the inbox has changed since an open page last asked.
            models.Index(fields=["tenant", "-changed_at"], name="conversation_by_change"),
            # Whose time has come to be shown again.
            models.Index(
                fields=["snoozed_until"],
                condition=Q(state="snoozed"),
                name="conversation_to_wake",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lead} ({self.get_channel_display()})"


class Replying(TenantScoped):
    """That somebody is writing an answer; it counts for some seconds after `seen_at`."""

    id = models.BigAutoField(primary_key=True)
    conversation = models.ForeignKey(
        Conversation,
        on_delete=models.CASCADE,
        # The constraint's index serves it.
        db_index=False,
        related_name="replying",
    )
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["conversation", "user"], name="replying_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.conversation_id}"
