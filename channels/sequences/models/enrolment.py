"""Who is in which sequence, and where."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from channels.models import Account
from channels.sequences.models.rule import EntryRule
from channels.sequences.models.sequence import Sequence, Version
from leads.models import Lead
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import TenantScoped, User


class Waiting(models.TextChoices):
    """What somebody under way waits for, if not for a time."""

    NOTHING = "", _("nothing")
    MESSAGE = "message", _("a message that is on its way")
    TASK = "task", _("a task")
    PERSON = "person", _("somebody who removes an obstacle")


class Enrolment(TenantScoped):
    """A lead in a sequence.

    While it is active it has a time at which the engine looks at it, or waits for something. The
    engine alone moves it from step to step: see `channels.sequences.executing`.
    """

    class State(models.TextChoices):
        ACTIVE = "active", _("active")
        PAUSED = "paused", _("paused")
        FINISHED = "finished", _("finished")

    class Source(models.TextChoices):
        HAND = "hand", _("by hand")
        BULK = "bulk", _("in bulk")
        RULE = "rule", _("by a rule")
        API = "api", _("through the API")
        AUTOPILOT = "autopilot", _("proposed by the autopilot")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    sequence = models.ForeignKey(
        Sequence,
        on_delete=models.CASCADE,
        # The constraint enrolment_round_once serves it.
        db_index=False,
        related_name="enrolments",
        verbose_name=_("sequence"),
    )
    version = models.ForeignKey(
        Version,
        on_delete=models.CASCADE,
        # Versions go with their sequences alone, and their enrolments with those.
        db_index=False,
        related_name="+",
        verbose_name=_("version"),
    )
    lead = models.ForeignKey(
        Lead,
        on_delete=models.CASCADE,
        # The index enrolment_of_lead serves it.
        db_index=False,
        related_name="enrolments",
        verbose_name=_("lead"),
    )
    sender = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("sender"),
        help_text=_("In whose name it is written, and who gets the tasks."),
    )
    account = models.ForeignKey(
        Account,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        # Nobody lists an account's enrolments.
        db_index=False,
        related_name="+",
        verbose_name=_("account"),
        help_text=_("Through which mails go; empty: as with any other message."),
    )
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.ACTIVE)
    reason = models.CharField(
        _("reason"), max_length=20, blank=True, help_text=_("Why it ended, or is paused.")
    )
    step = models.UUIDField(
        _("next step"), null=True, blank=True, help_text=_("Its key; empty when all are done.")
    )
    since = models.DateTimeField(
        _("since"), help_text=_("When the step before was settled: waits are counted from it.")
    )
    next_step_at = models.DateTimeField(_("due"), null=True, blank=True)
    place_at = models.DateTimeField(
        _("place (next message)"),
        null=True,
        blank=True,
        help_text=_("When the next message may go within the caps; it counts for that day."),
    )
    waiting_for = models.CharField(
        _("waits for"), max_length=10, choices=Waiting.choices, blank=True, default=Waiting.NOTHING
    )
    waiting_id = models.UUIDField(_("message or task"), null=True, blank=True)
    delay = models.CharField(
        _("delayed by"),
        max_length=20,
        blank=True,
        help_text=_("Why its step, which was due, waits until the time that is set."),
    )
    says = models.TextField(_("more about it"), blank=True)
    obstacle = models.CharField(_("obstacle"), max_length=20, blank=True)
    obstacle_names = ArrayField(
        models.CharField(max_length=200),
        verbose_name=_("what it is about"),
        default=list,
        blank=True,
    )
    resume_at = models.DateTimeField(
        _("goes on at"), null=True, blank=True, help_text=_("Empty: when somebody says so.")
    )
    remaining = models.DurationField(
        _("remaining"),
        null=True,
        blank=True,
        help_text=_("Working time that was left of a wait when it was paused."),
    )
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)
    zone_source = models.CharField(_("time zone found by"), max_length=10, blank=True)
    company_key = models.CharField(
        _("company"),
        max_length=254,
        blank=True,
        help_text=_("The same for colleagues; empty for mail providers that anybody uses."),
    )
    round = models.PositiveSmallIntegerField(
        _("round"), default=1, help_text=_("How often the lead has come into the sequence.")
    )
    source = models.CharField(_("source"), max_length=10, choices=Source.choices)
    rule = models.ForeignKey(
        EntryRule,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("rule"),
    )
    enrolled_by = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("enrolled by"),
    )
    enrolled_at = models.DateTimeField(_("enrolled"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    steps_done = models.PositiveIntegerField(_("steps done"), default=0)
    last_step_at = models.DateTimeField(_("last step"), null=True, blank=True)

    class Meta:
        verbose_name = _("enrolment")
        verbose_name_plural = _("enrolments")
        constraints = [
            # Its index answers "is this lead in that sequence".
            models.UniqueConstraint(
                fields=["sequence", "lead"],
                condition=~Q(state="finished"),
                name="enrolment_once_at_a_time",
            ),
            models.UniqueConstraint(
                fields=["sequence", "lead", "round"], name="enrolment_round_once"
            ),
            # Nobody is forgotten: who is active has a time, or something that ends the wait.
            models.CheckConstraint(
                condition=~Q(state="active")
                | Q(next_step_at__isnull=False, waiting_for="")
                | Q(next_step_at__isnull=True) & ~Q(waiting_for=""),
                name="enrolment_is_due_or_waits",
            ),
            models.CheckConstraint(
                condition=Q(state="finished", finished_at__isnull=False)
                | ~Q(state="finished") & Q(finished_at__isnull=True),
                name="enrolment_finished_when",
            ),
        ]
        indexes = [
            # The engine: who is due, tenant by tenant.
            models.Index(
                fields=["tenant", "next_step_at", "id"],
                condition=Q(state="active", next_step_at__isnull=False),
                name="enrolment_due",
            ),
            # What ends with an answer of this lead, and what its page shows.
            models.Index(fields=["lead", "-enrolled_at", "-id"], name="enrolment_of_lead"),
            # Whom a message or a task lets go on, once it is settled.
            models.Index(
                fields=["waiting_id"],
                condition=Q(waiting_id__isnull=False),
                name="enrolment_by_wait",
            ),
            # Who is back, and goes on.
            models.Index(
                fields=["resume_at"],
                condition=Q(state="paused", resume_at__isnull=False),
                name="enrolment_to_resume",
            ),
            # Whose colleague has answered.
            models.Index(
                fields=["tenant", "company_key"],
                condition=~Q(state="finished") & ~Q(company_key=""),
                name="enrolment_by_company",
            ),
            # The list of a sequence's people in one state, and how many they are.
            models.Index(
                fields=["sequence", "state", "-enrolled_at", "-id"], name="enrolment_in_sequence"
            ),
            # The list of all people of a sequence.
            models.Index(fields=["sequence", "-enrolled_at", "-id"], name="enrolment_of_sequence"),
            # How many of a sequence wait for somebody.
            models.Index(
                fields=["sequence"],
                condition=Q(waiting_for="person"),
                name="enrolment_blocked_there",
            ),
            # The API's list of the tenant's enrolments, and the admin's of one tenant.
            models.Index(fields=["tenant", "-enrolled_at", "-id"], name="enrolment_by_tenant"),
            # The tenant's list of those who wait for somebody.
            models.Index(
                fields=["tenant", "-enrolled_at", "-id"],
                condition=Q(waiting_for="person"),
                name="enrolment_blocked",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lead_id} in {self.sequence_id}"
