"""What was done for whom, once for each step."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from channels.models import Message
from channels.sequences.models.enrolment import Enrolment
from channels.sequences.models.sequence import Sequence
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import TenantScoped


class Execution(TenantScoped):
    """A step that was executed. It commits with what it did, and there is one of it at most."""

    class Outcome(models.TextChoices):
        QUEUED = "queued", _("message queued")
        PREPARED = "prepared", _("message prepared")
        TASK = "task", _("task added")
        RESTED = "rested", _("wait begun")
        TURNED = "turned", _("way chosen")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    enrolment = models.ForeignKey(
        Enrolment,
        on_delete=models.CASCADE,
        # The constraint's index serves it.
        db_index=False,
        related_name="executions",
        verbose_name=_("enrolment"),
    )
    sequence = models.ForeignKey(
        Sequence,
        on_delete=models.CASCADE,
        # The index execution_statistics serves it.
        db_index=False,
        related_name="+",
        verbose_name=_("sequence"),
    )
    version = models.PositiveIntegerField(_("version"), help_text=_("Its number."))
    step = models.UUIDField(_("step"), help_text=_("Its key, the same in all versions."))
    number = models.PositiveIntegerField(_("number of the step"))
    kind = models.CharField(_("kind"), max_length=10)
    variant = models.CharField(_("variant"), max_length=20, blank=True)
    channel = models.CharField(_("channel"), max_length=20, blank=True)
    outcome = models.CharField(
        pgettext_lazy("of a step or run", "outcome"), max_length=10, choices=Outcome.choices
    )
    next = models.UUIDField(
        _("goes on with"), null=True, blank=True, help_text=_("The key of the step after it.")
    )
    message = models.ForeignKey(
        Message,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        # The index execution_of_message serves it.
        db_index=False,
        related_name="+",
        verbose_name=_("message"),
    )
    task_id = models.UUIDField(_("task"), null=True, blank=True)
    executed_at = models.DateTimeField(_("executed"))
    renewed = models.PositiveSmallIntegerField(
        _("renewed"),
        default=0,
        help_text=_("How often its message was withdrawn unsent, and written anew."),
    )
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    tracked_at = models.DateTimeField(
        _("tracked"),
        null=True,
        blank=True,
        help_text=_("When its message went out, where that one tells whether it is opened."),
    )
    delivered_at = models.DateTimeField(_("delivered"), null=True, blank=True)
    opened_at = models.DateTimeField(_("opened"), null=True, blank=True)
    clicked_at = models.DateTimeField(_("clicked"), null=True, blank=True)
    replied_at = models.DateTimeField(_("replied"), null=True, blank=True)
    won_at = models.DateTimeField(_("won"), null=True, blank=True)
    unsubscribed_at = models.DateTimeField(_("unsubscribed"), null=True, blank=True)
    bounced_at = models.DateTimeField(_("bounced"), null=True, blank=True)
    failed_at = models.DateTimeField(_("failed"), null=True, blank=True)

    class Meta:
        verbose_name = _("executed step")
        verbose_name_plural = _("executed steps")
        constraints = [
            # Each step once at most, whoever tries; its index answers "what was done for them".
            models.UniqueConstraint(fields=["enrolment", "step"], name="execution_once"),
        ]
        indexes = [
            # Whose step a message was.
            models.Index(
                fields=["message"],
                condition=Q(message__isnull=False),
                name="execution_of_message",
            ),
            # Numbers of a sequence by step and variant.
            models.Index(
                fields=["sequence", "step", "variant", "executed_at"], name="execution_statistics"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} of {self.enrolment_id}"
