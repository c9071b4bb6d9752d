"""Failures that have one cause, and when they happened."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from salesflow.accounts.scoping import TenantManager


class FailureGroup(models.Model):
    """What fails at a handler of one tenant in one way, see `events.failures.fingerprints`.

    The same failure at several tenants has one fingerprint and a row for each of them, so that
    nobody reads, counts or triages what is another tenant's.
    """

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        ACKNOWLEDGED = "acknowledged", _("Acknowledged")
        MUTED = "muted", _("Muted")
        RESOLVED = "resolved", _("Resolved")

    tenant = models.ForeignKey(
        "accounts.Tenant",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=_("tenant"),
    )
    fingerprint = models.UUIDField(_("fingerprint"))
    handler = models.CharField(_("handler"), max_length=100)
    error_type = models.CharField(_("exception"), max_length=200)
    frame = models.CharField(
        _("where"), max_length=300, blank=True, help_text=_("The project's innermost function.")
    )
    message = models.CharField(
        _("message"), max_length=500, blank=True, help_text=_("With numbers and ids masked.")
    )
    traceback = models.TextField(_("traceback"), blank=True)
    occurrences = models.BigIntegerField(_("occurrences"), default=0)
    first_seen_at = models.DateTimeField(_("first seen"))
    last_seen_at = models.DateTimeField(_("last seen"))
    last_event_id = models.UUIDField(_("last event"), null=True)

    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.OPEN)
    state_changed_at = models.DateTimeField(_("since"), db_default=Now())
    reopened_at = models.DateTimeField(_("came back"), null=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("owner"),
    )
    note = models.TextField(_("note"), blank=True)
    ticket_url = models.URLField(_("ticket"), blank=True)

    objects = TenantManager()
    unscoped = models.Manager()

    class Meta:
        db_table = "failure_groups"
        verbose_name = _("failure group")
        verbose_name_plural = _("failure groups")
        permissions = [("triage_failuregroup", "Can triage failure groups")]
        constraints = [
            # The upsert at every settling that saw a failure: ON CONFLICT (tenant_id, fingerprint)
            models.UniqueConstraint(
                fields=["tenant", "fingerprint"], name="failure_group_once_per_tenant"
            ),
        ]
        indexes = [
            # The console's list: WHERE state = … ORDER BY last_seen_at DESC
            models.Index("state", models.F("last_seen_at").desc(), name="failure_groups_by_state"),
            # A failure at all tenants: WHERE fingerprint = …
            models.Index(fields=["fingerprint"], name="failure_groups_by_print"),
            # New ones: WHERE first_seen_at > …
            models.Index(fields=["first_seen_at"], name="failure_groups_new"),
            # Those that came back: WHERE reopened_at > …
            models.Index(
                fields=["reopened_at"],
                condition=Q(reopened_at__isnull=False),
                name="failure_groups_reopened",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.handler}: {self.error_type}"


class FailureCount(models.Model):
    """How often a group's failure happened within ten minutes."""

    pk = models.CompositePrimaryKey("group_id", "bucket_at")
    group = models.ForeignKey(
        FailureGroup,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="counts",
    )
    bucket_at = models.DateTimeField(_("from"))
    occurrences = models.PositiveIntegerField(_("occurrences"), default=0)

    objects = models.Manager()

    class Meta:
        db_table = "failure_counts"
        indexes = [
            # Pruning: WHERE bucket_at < …
            models.Index(fields=["bucket_at"], name="failure_counts_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.occurrences} from {self.bucket_at:%Y-%m-%d %H:%M}"
