"""Whom to tell when something goes wrong."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from salesflow.accounts.ids import uuid7


class AlertRule(models.Model):
    """When somebody is told, and where."""

    class Kind(models.TextChoices):
        NEW_GROUP = "new_group", _("A new failure group")
        REOPENED = "group_reopened", _("A resolved failure that comes back")
        FAILURE_RATE = "failure_rate", _("Failure rate of a handler")
        OLDEST_PENDING = "oldest_pending", _("Age of the oldest pending event")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(
        "accounts.Tenant",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("tenant"),
        help_text=_("Empty: every tenant."),
    )
    name = models.CharField(_("name"), max_length=100)
    kind = models.CharField(_("when"), max_length=20, choices=Kind.choices)
    threshold = models.FloatField(
        _("threshold"),
        null=True,
        blank=True,
        help_text=_("Of a rate: per cent of the last ten minutes. Of an age: seconds."),
    )
    emails = ArrayField(
        models.EmailField(), verbose_name=_("e-mail addresses"), default=list, blank=True
    )
    webhook_url = models.URLField(_("webhook"), blank=True)
    webhook_secret = models.CharField(
        _("secret"),
        max_length=200,
        blank=True,
        help_text=_("Signs what is sent to the webhook; see the documentation."),
    )
    is_active = models.BooleanField(_("active"), default=True)
    # When it told of several alerts at once, see events/alerts/digests.py.
    digested_at = models.DateTimeField(_("last digest"), null=True, editable=False)
    created_at = models.DateTimeField(_("created"), db_default=Now())

    objects = models.Manager()

    class Meta:
        db_table = "alert_rules"
        verbose_name = _("alert rule")
        verbose_name_plural = _("alert rules")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Alert(models.Model):
    """That a rule told of something, and what it measured; the event is a tenant's, this is not."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="alerts")
    # What it is about, such as a group's fingerprint: told at most once an hour.
    key = models.CharField(max_length=200)
    tenant = models.ForeignKey(
        "accounts.Tenant",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    # Of a digest, which tells of many, too; empty: it waits for one.
    event_id = models.UUIDField(null=True)
    # What was measured, at all tenants where the rule is of all, and what was still fine then.
    value = models.FloatField(null=True)
    threshold = models.FloatField(null=True)
    raised_at = models.DateTimeField(_("raised"), db_default=Now())

    objects = models.Manager()

    class Meta:
        db_table = "alerts"
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        indexes = [
            # What was told: WHERE rule_id = … AND key = … AND raised_at > …
            models.Index(fields=["rule", "key", "raised_at"], name="alerts_by_key"),
            # What an event tells: WHERE event_id = …
            models.Index(fields=["event_id"], name="alerts_by_event"),
            # How much a rule has told of late: WHERE rule_id = … AND raised_at > …
            models.Index(fields=["rule", "raised_at"], name="alerts_by_time"),
            # What waits for a digest: WHERE rule_id = … AND event_id IS NULL AND raised_at < …
            models.Index(
                fields=["rule", "raised_at"],
                condition=models.Q(event_id__isnull=True),
                name="alerts_held_back",
            ),
        ]

    def __str__(self) -> str:
        return self.key
