"""What people write down about a lead, and whom they mean."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from events import Publisher, publishes
from leads.models.lead import Lead
from leads.payloads import ColleagueMentioned, NoteAdded
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import User


@publishes(NoteAdded, on="create", occurred="created_at")
class Note(Publisher):
    """What somebody wrote down about a lead."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    lead = models.ForeignKey(
        Lead, on_delete=models.CASCADE, related_name="notes", verbose_name=_("lead")
    )
    author = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("author"),
    )
    body = models.TextField(_("text"), max_length=10_000)
    created_at = models.DateTimeField(_("written"), default=timezone.now)

    class Meta:
        verbose_name = _("note")
        verbose_name_plural = _("notes")
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(condition=~Q(body=""), name="note_says_something"),
        ]
        indexes = [
            # The notes on a lead's page, newest first.
            models.Index(fields=["lead", "-created_at"], name="note_by_age"),
        ]

    def __str__(self) -> str:
        return self.body[:80]


@publishes(ColleagueMentioned, on="create")
class Mention(Publisher):
    """That a note is meant for a colleague."""

    id = models.BigAutoField(primary_key=True)
    note = models.ForeignKey(
        Note, on_delete=models.CASCADE, db_index=False, related_name="mentions"
    )
    user = models.ForeignKey(User, on_delete=models.CASCADE, db_index=False, related_name="+")
    seen_at = models.DateTimeField(_("seen"), null=True, blank=True)

    class Meta:
        verbose_name = _("mention")
        verbose_name_plural = _("mentions")
        constraints = [
            # Its index finds the mentions that go with their note.
            models.UniqueConstraint(fields=["note", "user"], name="mention_once"),
        ]
        indexes = [
            # Somebody's mentions, the newest first; and those that they have not seen.
            models.Index(fields=["tenant", "user", "-id"], name="mention_by_user"),
            models.Index(fields=["user"], condition=Q(seen_at__isnull=True), name="mention_unseen"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.note_id}"
