"""What a model wrote for a person to send, and what it proposed."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from channels.autopilot.models.run import Run
from channels.models import Account, Conversation, Message
from leads.models import Lead
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import TenantScoped, User


class Draft(TenantScoped):
    """An answer that nobody has sent yet; approving it approves one revision of it, no other."""

    class State(models.TextChoices):
        PENDING = "pending", _("to be decided")
        APPROVED = "approved", _("approved")
        SENT = "sent", _("sent")
        DISMISSED = "dismissed", _("dismissed")
        SUPERSEDED = "superseded", _("superseded")
        EXPIRED = "expired", _("expired")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(
        Run,
        on_delete=models.CASCADE,
        related_name="drafts",
        verbose_name=_("run"),
    )
    lead = models.ForeignKey(
        Lead,
        on_delete=models.CASCADE,
        # The index draft_of_lead serves it.
        db_index=False,
        related_name="+",
        verbose_name=_("lead"),
    )
    conversation = models.ForeignKey(
        Conversation,
        on_delete=models.CASCADE,
        # The index draft_of_conversation serves it.
        db_index=False,
        related_name="drafts",
        verbose_name=_("conversation"),
    )
    account = models.ForeignKey(
        Account,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        # Nobody lists an account's drafts.
        db_index=False,
        related_name="+",
        verbose_name=_("account"),
    )
    to_address = models.CharField(_("to"), max_length=254, blank=True)
    subject = models.CharField(_("subject"), max_length=200, blank=True)
    body = models.TextField(_("text"))
    original_body = models.TextField(_("text as it was drafted"))
    based_on = models.ForeignKey(
        Message,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        # The index draft_on_message serves it.
        db_index=False,
        related_name="+",
        verbose_name=_("answers"),
        help_text=_("What the lead wrote last: a newer message takes an approval back."),
    )
    revision = models.PositiveIntegerField(_("revision"), default=1)
    edited_at = models.DateTimeField(_("edited"), null=True, blank=True)
    edited_by = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("edited by"),
        help_text=_("Who last saved the text in the editor, changed or as it was."),
    )
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.PENDING
    )
    reason = models.TextField(
        _("reason"), blank=True, help_text=_("Why it was dismissed, or has to be looked at again.")
    )
    flags = ArrayField(
        models.CharField(max_length=30), verbose_name=_("flags"), default=list, blank=True
    )
    seen_at = models.DateTimeField(_("seen"), null=True, blank=True)
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    decided_by = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
        help_text=_("Empty: a rule did."),
    )
    good_until = models.DateTimeField(
        _("good until"),
        null=True,
        blank=True,
        help_text=_("Who has not decided about it by then, need not any more."),
    )
    send_after = models.DateTimeField(_("goes at"), null=True, blank=True)
    message = models.ForeignKey(
        Message,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        # The index draft_as_message serves it.
        db_index=False,
        related_name="+",
        verbose_name=_("message"),
    )
    created_at = models.DateTimeField(_("drafted"), db_default=Now())

    class Meta:
        verbose_name = _("draft")
        verbose_name_plural = _("drafts")
        constraints = [
            # Its index answers "what waits in this conversation".
            models.UniqueConstraint(
                fields=["conversation"],
                condition=Q(state__in=["pending", "approved"]),
                name="draft_one_open",
            ),
        ]
        indexes = [
            # The queue: what waits longest first.
            models.Index(fields=["tenant", "state", "created_at", "id"], name="draft_queue"),
            # The API's list of all drafts.
            models.Index(fields=["tenant", "created_at", "id"], name="draft_by_tenant"),
            models.Index(fields=["lead", "-id"], name="draft_of_lead"),
            models.Index(fields=["conversation", "-id"], name="draft_of_conversation"),
            # What hangs on a message that is deleted.
            models.Index(
                fields=["based_on"], condition=Q(based_on__isnull=False), name="draft_on_message"
            ),
            models.Index(
                fields=["message"], condition=Q(message__isnull=False), name="draft_as_message"
            ),
            # What is approved and due.
            models.Index(
                fields=["send_after"], condition=Q(state="approved"), name="draft_to_send"
            ),
            # What nobody has decided about in time.
            models.Index(
                fields=["good_until"], condition=Q(state="pending"), name="draft_to_expire"
            ),
            # How much went out without a person since midnight.
            models.Index(
                fields=["tenant", "decided_at"],
                condition=Q(decided_by__isnull=True, state__in=["approved", "sent"]),
                name="draft_by_rule",
            ),
        ]

    def __str__(self) -> str:
        return self.subject or self.body[:80]


class Suggestion(TenantScoped):
    """The next step that a model proposed; a person takes it, or does not."""

    class Kind(models.TextChoices):
        TASK = "task", _("a task")
        STAGE = "stage", _("a stage")
        SEQUENCE = "sequence", _("a sequence")

    class State(models.TextChoices):
        OPEN = "open", _("to be decided")
        ACCEPTED = "accepted", _("accepted")
        DISMISSED = "dismissed", _("dismissed")
        SUPERSEDED = "superseded", _("superseded")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(
        Run, on_delete=models.CASCADE, related_name="suggestions", verbose_name=_("run")
    )
    lead = models.ForeignKey(
        Lead,
        on_delete=models.CASCADE,
        # The index suggestion_of_lead serves it.
        db_index=False,
        related_name="suggestions",
        verbose_name=_("lead"),
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    target = models.CharField(
        _("what"), max_length=200, help_text=_("A task's title, or a stage's or sequence's id.")
    )
    due_at = models.DateTimeField(_("due"), null=True, blank=True)
    reasons = models.JSONField(
        _("reasons"), default=list, blank=True, help_text=_("Each with the fact it stands on.")
    )
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.OPEN)
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    decided_by = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    created_at = models.DateTimeField(_("proposed"), db_default=Now())

    class Meta:
        verbose_name = _("suggestion")
        verbose_name_plural = _("suggestions")
        constraints = [
            models.UniqueConstraint(
                fields=["lead", "kind", "target"],
                condition=Q(state="open"),
                name="suggestion_once",
            ),
        ]
        indexes = [
            models.Index(fields=["lead", "-id"], name="suggestion_of_lead"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.target}"
