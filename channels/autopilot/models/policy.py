"""What the autopilot may do: per tenant, per channel, per conversation."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from channels.models import Channel, Conversation
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import TenantScoped, User


class Mode(models.TextChoices):
    """How much is left to it, from nothing on."""

    OFF = "off", _("off")
    DRAFT = "draft", _("drafts only")
    APPROVE = "approve", _("with approval")
    AUTO = "auto", _("by itself, within limits")


class Policy(TenantScoped):
    """The rule of a tenant, of one of its channels, or of a conversation: the closest one counts.

    `limits` is a `channels.autopilot.limits.Limits`; `actions` a
    `channels.autopilot.policies.Actions`, which the tenant's own rule alone has.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    channel = models.CharField(
        _("channel"), max_length=20, choices=Channel.choices, blank=True, help_text=_("Empty: all.")
    )
    conversation = models.ForeignKey(
        Conversation,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        # The constraint policy_of_conversation serves it.
        db_index=False,
        related_name="+",
        verbose_name=_("conversation"),
    )
    mode = models.CharField(_("mode"), max_length=10, choices=Mode.choices, default=Mode.OFF)
    ceiling = models.CharField(
        _("at most"),
        max_length=10,
        choices=Mode.choices,
        blank=True,
        default="",
        db_default="",
        help_text=_("What a manager has left to it in a conversation: others may leave it less."),
    )
    limits = models.JSONField(_("limits"), default=dict, blank=True)
    actions = models.JSONField(_("what it does by itself"), default=dict, blank=True)
    criteria = models.TextField(
        _("criteria"), blank=True, help_text=_("By which new leads are qualified, in own words.")
    )
    changed_at = models.DateTimeField(_("last changed"), auto_now=True, db_default=Now())
    changed_by = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("changed by"),
    )

    class Meta:
        verbose_name = _("autopilot rule")
        verbose_name_plural = _("autopilot rules")
        constraints = [
            # Its index answers "the rules of this tenant and of its channels".
            models.UniqueConstraint(
                fields=["tenant", "channel"],
                condition=Q(conversation__isnull=True),
                name="policy_of_channel",
            ),
            # Its index answers "the rule of this conversation".
            models.UniqueConstraint(
                fields=["conversation"],
                condition=Q(conversation__isnull=False),
                name="policy_of_conversation",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel or self.conversation_id or self.tenant_id}: {self.mode}"
