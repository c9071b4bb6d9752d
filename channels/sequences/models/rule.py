"""Who comes into a sequence without being asked for, and who comes in many at once."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from channels.models import Account
from channels.sequences.models.sequence import Sequence
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import TenantScoped, User


class EntryRule(TenantScoped):
    """Enrols leads of which something has happened, such as that they came into a stage.

    `conditions` is a list of `channels.sequences.documents.Condition`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    sequence = models.ForeignKey(
        Sequence, on_delete=models.CASCADE, related_name="rules", verbose_name=_("sequence")
    )
    trigger = models.CharField(
        _("trigger"), max_length=50, help_text=_("An event type, such as lead.created.")
    )
    conditions = models.JSONField(_("conditions"), default=list, blank=True)
    sender = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("sender"),
        help_text=_("Empty: the lead's owner."),
    )
    takes_imports = models.BooleanField(
        _("also imported leads"),
        default=False,
        help_text=_("An import of thousands would else write to all of them."),
    )
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), db_default=Now())

    class Meta:
        verbose_name = _("entry rule")
        verbose_name_plural = _("entry rules")
        indexes = [
            # What an event may set off.
            models.Index(
                fields=["tenant", "trigger"],
                condition=Q(is_active=True),
                name="entry_rule_by_trigger",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.trigger}: {self.sequence_id}"


class BulkEnrolment(TenantScoped):
    """Leads that come into a sequence together, chosen once and taken in the background."""

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        FINISHED = "finished", _("finished")
        CANCELLED = "cancelled", _("cancelled")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    sequence = models.ForeignKey(
        Sequence, on_delete=models.CASCADE, related_name="bulks", verbose_name=_("sequence")
    )
    sender = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("sender"),
    )
    account = models.ForeignKey(
        Account,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,
        related_name="+",
        verbose_name=_("account"),
    )
    actor = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("asked for by"),
    )
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.RUNNING
    )
    lead_ids = models.JSONField(_("leads"), help_text=_("Frozen; taken from the front on."))
    total = models.PositiveIntegerField(_("chosen"))
    done = models.PositiveIntegerField(_("looked at"), default=0)
    enrolled = models.PositiveIntegerField(_("enrolled"), default=0)
    refused = models.JSONField(
        _("refused"), default=dict, blank=True, help_text=_("Reason → how many.")
    )
    created_at = models.DateTimeField(_("created"), db_default=Now())
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("bulk enrolment")
        verbose_name_plural = _("bulk enrolments")
        indexes = [
            # What goes on after a kill.
            models.Index(
                fields=["id"], condition=Q(state="running"), name="bulk_enrolment_running"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.enrolled} of {self.total}"
