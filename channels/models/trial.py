"""Trials of accounts: whether one works, asked by a person and answered in words."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from channels.models.account import Account
from channels.payloads import AccountTrialRequested
from events import Publisher, publishes
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import User


@publishes(AccountTrialRequested, on="create")
class AccountTrial(Publisher):
    """That somebody tried an account, and what came of it."""

    class Kind(models.TextChoices):
        CHECK = "check", _("Check")
        SEND = "send", _("Message to myself")
        WEBHOOK = "webhook", _("Check of the webhook")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(
        Account,
        on_delete=models.CASCADE,
        # The index trial_of_account serves it.
        db_index=False,
        related_name="trials",
        verbose_name=_("account"),
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    address = models.CharField(_("address"), max_length=254, blank=True)
    # With defaults of the database's: processes that know nothing of them may still write rows.
    subject = models.CharField(_("subject"), max_length=200, blank=True, default="", db_default="")
    body = models.TextField(
        _("text"),
        blank=True,
        default="",
        db_default="",
        help_text=_("What is sent; empty: that the account works."),
    )
    actor = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,
        related_name="+",
        verbose_name=_("by"),
    )
    created_at = models.DateTimeField(_("asked"), db_default=Now())
    begun_at = models.DateTimeField(_("begun"), null=True, blank=True)
    answered_at = models.DateTimeField(_("answered"), null=True, blank=True)
    has_worked = models.BooleanField(_("has worked"), null=True, blank=True)
    answer = models.TextField(_("answer"), blank=True, help_text=_("What came of it, in words."))

    class Meta:
        verbose_name = _("trial of an account")
        verbose_name_plural = _("trials of accounts")
        constraints = [
            models.CheckConstraint(
                condition=Q(answered_at__isnull=True, has_worked__isnull=True)
                | Q(answered_at__isnull=False, has_worked__isnull=False),
                name="trial_answered_or_not",
            ),
        ]
        indexes = [
            # The trials on an account's page, the last first.
            models.Index(fields=["account", "-id"], name="trial_of_account"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.kind}"
