"""What somebody of the team has still to do about a lead."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from events import Publisher, publishes
from leads.models.lead import Lead
from leads.payloads import TaskAssigned, TaskCompleted, TaskCreated, TaskSkipped
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import User

# What tasks are sorted by: those without a time come last.
TASK_DUE = Coalesce(F("due_at"), datetime(9999, 12, 31, tzinfo=UTC))


def is_done(task: Task) -> bool:
    """Whether somebody has done it."""
    return task.state == Task.State.DONE


def is_skipped(task: Task) -> bool:
    """Whether somebody has decided against it."""
    return task.state == Task.State.SKIPPED


@publishes(TaskCreated, on="create", occurred="created_at")
@publishes(TaskAssigned, on="change", fields=["assignee"])
@publishes(TaskCompleted, on="change", fields=["state"], when=is_done, occurred="settled_at")
@publishes(TaskSkipped, on="change", fields=["state"], when=is_skipped, occurred="settled_at")
class Task(Publisher):
    """Something to do about a lead, for somebody or for whoever takes it."""

    class Kind(models.TextChoices):
        CALL = "call", _("Call")
        EMAIL = "email", _("E-mail")
        LINKEDIN = "linkedin", _("LinkedIn")
        TODO = "todo", _("To do")

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        DONE = "done", _("Done")
        SKIPPED = "skipped", _("Skipped")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    lead = models.ForeignKey(
        Lead,
        on_delete=models.CASCADE,
        # The index task_of_lead serves it.
        db_index=False,
        related_name="tasks",
        verbose_name=_("lead"),
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, default=Kind.TODO)
    title = models.CharField(_("title"), max_length=200)
    body = models.TextField(_("text"), max_length=10_000, blank=True)
    due_at = models.DateTimeField(_("due"), null=True, blank=True)
    assignee = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("assignee"),
    )
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.OPEN)
    reason = models.CharField(
        _("reason"), max_length=500, blank=True, help_text=_("Why it was skipped.")
    )
    source = models.CharField(
        _("source"),
        max_length=50,
        blank=True,
        help_text=_("What has asked for it, such as “sequence”; empty: a person."),
    )
    source_id = models.CharField(
        _("source's id"), max_length=100, blank=True, help_text=_("What asks twice gets one task.")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    settled_at = models.DateTimeField(_("done or skipped"), null=True, blank=True)
    settled_by = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("done or skipped by"),
    )

    class Meta:
        verbose_name = _("task")
        verbose_name_plural = _("tasks")
        constraints = [
            # Its index answers "was this task made already"; a step is the same for many leads.
            models.UniqueConstraint(
                fields=["lead", "source", "source_id"],
                condition=~Q(source="") & ~Q(source_id=""),
                name="task_once_per_lead",
            ),
            models.CheckConstraint(condition=~Q(title=""), name="task_says_something"),
            models.CheckConstraint(
                condition=Q(state="open", settled_at__isnull=True)
                | ~Q(state="open") & Q(settled_at__isnull=False),
                name="task_settled_when",
            ),
        ]
        indexes = [
            # "My tasks": the one that is due first comes first.
            models.Index(
                *("tenant", "assignee", TASK_DUE, "id"),
                condition=Q(state="open"),
                name="task_to_do",
            ),
            # Those of nobody: an index with the assignee has them, too, but not in this order.
            models.Index(
                *("tenant", TASK_DUE, "id"),
                condition=Q(state="open", assignee__isnull=True),
                name="task_of_nobody",
            ),
            # The whole team's.
            models.Index("tenant", TASK_DUE, "id", condition=Q(state="open"), name="task_of_team"),
            # The tasks on a lead's page.
            models.Index(fields=["lead", "-created_at", "-id"], name="task_of_lead"),
            # The API's list of tasks in any state.
            models.Index(fields=["tenant", "-created_at", "-id"], name="task_by_age"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_open(self) -> bool:
        """Whether it has still to be done."""
        return self.state == self.State.OPEN

    @property
    def is_overdue(self) -> bool:
        """Whether it should have been done by now."""
        return self.is_open and self.due_at is not None and self.due_at < timezone.now()
