"""Who did what in the console."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from salesflow.accounts.ids import uuid7


class AuditLine(models.Model):
    """One action of one person, kept for ever."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(
        "accounts.Tenant",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="+",
        verbose_name=_("tenant"),
        help_text=_("Empty: it concerns several tenants."),
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="+",
        verbose_name=_("by"),
    )
    # The line about several tenants of which this one tells a single tenant its part.
    part_of = models.UUIDField(null=True)
    action = models.CharField(_("action"), max_length=50)
    target_type = models.CharField(max_length=30)
    target_id = models.CharField(max_length=100)
    reason = models.TextField(_("reason"), blank=True)
    details = models.JSONField(_("details"), default=dict)
    created_at = models.DateTimeField(_("when"), db_default=Now())

    objects = models.Manager()

    class Meta:
        db_table = "audit_lines"
        verbose_name = _("audit line")
        verbose_name_plural = _("audit lines")
        indexes = [
            # A tenant's lines: WHERE tenant_id = … ORDER BY id DESC
            models.Index("tenant", models.F("id").desc(), name="audit_lines_by_tenant"),
            # The search: WHERE action = … ORDER BY id DESC
            models.Index("action", models.F("id").desc(), name="audit_lines_by_action"),
            # The lines of one page: WHERE target_type = … AND target_id = … ORDER BY id DESC
            models.Index(
                "target_type", "target_id", models.F("id").desc(), name="audit_lines_by_target"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target_type} {self.target_id}"
