"""Sequences and their versions."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import TenantScoped, User


class Sequence(TenantScoped):
    """Timed steps that reach out to a lead until somebody answers; its steps are in versions."""

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        ACTIVE = "active", _("active")
        PAUSED = "paused", _("paused")
        ARCHIVED = "archived", _("archived")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=100)
    state = models.CharField(
        _("state"),
        max_length=10,
        choices=State.choices,
        default=State.DRAFT,
        help_text=_("Paused: nobody moves on. Archived: nobody new, those under way go on."),
    )
    owner = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("owner"),
    )
    published = models.ForeignKey(
        "Version",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        # Nobody asks which sequence a version is published of.
        db_index=False,
        related_name="+",
        verbose_name=_("published version"),
        help_text=_("Who is enrolled now starts on it, and finishes on it."),
    )
    created_at = models.DateTimeField(_("created"), db_default=Now())
    changed_at = models.DateTimeField(_("last changed"), auto_now=True, db_default=Now())

    class Meta:
        verbose_name = _("sequence")
        verbose_name_plural = _("sequences")
        constraints = [
            # Its index answers "the sequence of this name".
            models.UniqueConstraint(
                "tenant",
                Lower("name"),
                condition=~Q(state="archived"),
                name="sequence_name_once_per_tenant",
            ),
            models.CheckConstraint(
                condition=Q(state="draft") | Q(published__isnull=False),
                name="sequence_runs_on_a_version",
            ),
        ]
        indexes = [
            # The list: one tenant's sequences in a state, by name.
            models.Index(fields=["tenant", "state", "name", "id"], name="sequence_by_state"),
        ]

    def __str__(self) -> str:
        return self.name


class Version(TenantScoped):
    """What a sequence consists of. Once it is published, nothing in it changes any more.

    `content` is a `channels.sequences.documents.Document`; the engine reads it as a
    `channels.sequences.plans.Plan`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    sequence = models.ForeignKey(
        Sequence,
        on_delete=models.CASCADE,
        # The constraint's index serves it.
        db_index=False,
        related_name="versions",
        verbose_name=_("sequence"),
    )
    number = models.PositiveIntegerField(_("number"))
    content = models.JSONField(_("content"), default=dict)
    revision = models.PositiveIntegerField(
        _("revision"),
        default=1,
        help_text=_("Rises with every edit, so that two who edit at once notice."),
    )
    created_at = models.DateTimeField(_("created"), db_default=Now())
    published_at = models.DateTimeField(_("published"), null=True, blank=True)
    published_by = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("published by"),
    )

    class Meta:
        verbose_name = _("version of a sequence")
        verbose_name_plural = _("versions of sequences")
        constraints = [
            # Its index answers "the versions of this sequence".
            models.UniqueConstraint(fields=["sequence", "number"], name="version_number_once"),
            models.UniqueConstraint(
                fields=["sequence"],
                condition=Q(published_at__isnull=True),
                name="version_one_draft",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sequence_id} {self.number}"
