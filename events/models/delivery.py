"""What each handler did with an event."""

from datetime import UTC, datetime

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from events.models.event import Event


class DeliveryStatus(models.TextChoices):
    """What has become of one event at one handler."""

    PENDING = "pending", _("Waiting")
    RUNNING = "running", _("Running")
    SUCCEEDED = "succeeded", _("Succeeded")
    SKIPPED = "skipped", _("Skipped")
    FAILED = "failed", _("Failed")


WAITS_FOR_CALL = Q(status="pending", tenant__isnull=False)

# The next attempt of what waits for a paused handler, see `events.pauses`: later than any retry.
UNTIL_RESUMED = datetime(9999, 1, 1, tzinfo=UTC)


class Delivery(models.Model):
    """One event at one handler."""

    event = models.ForeignKey(
        Event,
        on_delete=models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="deliveries",
    )
    handler = models.CharField(_("handler"), max_length=100)
    tenant = models.ForeignKey(
        "accounts.Tenant",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="+",
        help_text=_("Of a delivery to an external handler: whose share of the calls it takes."),
    )
    status = models.CharField(
        _("status"),
        max_length=10,
        choices=DeliveryStatus.choices,
        default=DeliveryStatus.PENDING,
    )
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    failures = models.PositiveIntegerField(
        _("failures in a row"), default=0, help_text=_("Since the start, or the last replay.")
    )
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True)
    lease_expires_at = models.DateTimeField(_("lease expires"), null=True)
    worker = models.CharField(_("worker"), max_length=100, blank=True)
    duration_ms = models.FloatField(_("duration (ms)"), null=True)
    error = models.TextField(_("error"), blank=True)
    replay_id = models.UUIDField(_("replay"), null=True)
    group_id = models.BigIntegerField(
        _("failure group"), null=True, help_text=_("Of its last failure.")
    )
    created_at = models.DateTimeField(_("created"), db_default=Now())
    finished_at = models.DateTimeField(_("finished"), null=True)

    objects = models.Manager()

    class Meta:
        db_table = "deliveries"
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["pk"]
        constraints = [
            # Its index answers "the deliveries of these events" at every settling.
            models.UniqueConstraint(fields=["event", "handler"], name="delivery_once_per_handler"),
        ]
        indexes = [
            # What failed at a handler, the last first:
            # WHERE handler = … AND status = 'failed' ORDER BY event_id DESC
            models.Index(
                fields=["handler", "event"],
                condition=Q(status="failed"),
                name="deliveries_failed_by_handler",
            ),
            # … and in a group: WHERE group_id = ANY(…) AND status = 'failed' ORDER BY event_id DESC
            models.Index(
                fields=["group_id", "event"],
                condition=Q(status="failed"),
                name="deliveries_failed_by_group",
            ),
            # What fails now, see events/health.py: WHERE failures > 0 AND status = 'pending', and
            # WHERE failures > 0 AND status = ANY(…) AND event_id >= …
            models.Index(
                fields=["status", "event", "handler"],
                condition=Q(failures__gt=0),
                name="deliveries_failing",
            ),
            # External workers, see events/external/leasing.py: the handlers that have something
            # due: WHERE handler = … AND status = 'pending' AND tenant_id IS NOT NULL
            # AND next_attempt_at <= now()
            models.Index(
                fields=["handler", "next_attempt_at"],
                condition=WAITS_FOR_CALL,
                name="deliveries_to_call",
            ),
            # … and the tenants of a handler, one after the other, with what each has due
            models.Index(
                fields=["handler", "tenant", "next_attempt_at"],
                condition=WAITS_FOR_CALL,
                name="deliveries_to_call_by_tenant",
            ),
            # The calls that run, and lost leases: WHERE status = 'running'
            # AND lease_expires_at <= now()
            models.Index(
                fields=["lease_expires_at"], condition=Q(status="running"), name="deliveries_leased"
            ),
            # What waits for paused handlers, see events/pauses.py: WHERE handler = …
            # AND status = 'pending' AND next_attempt_at = '9999-01-01' ORDER BY event_id
            models.Index(
                fields=["handler", "event"],
                condition=Q(status="pending", next_attempt_at=UNTIL_RESUMED),
                name="deliveries_paused",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.handler}: {self.status}"

    @property
    def waits_for_resume(self) -> bool:
        """Whether it is tried again when its handler, which is paused, is resumed."""
        return self.status == DeliveryStatus.PENDING and self.next_attempt_at == UNTIL_RESUMED

    @property
    def idempotency_key(self) -> str:
        """What an external handler sends along: the same at every attempt and replay."""
        return f"{self.event_id}:{self.handler}"


class Attempt(models.Model):
    """A failed try, or a try made by a replay; a first success is on its delivery alone."""

    class Status(models.TextChoices):
        SUCCEEDED = "succeeded", _("Succeeded")
        FAILED = "failed", _("Failed")

    delivery = models.ForeignKey(
        Delivery,
        on_delete=models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="history",
    )
    number = models.PositiveIntegerField(_("attempt"))
    status = models.CharField(_("status"), max_length=10, choices=Status.choices)
    started_at = models.DateTimeField(_("started"))
    duration_ms = models.FloatField(_("duration (ms)"))
    error_type = models.CharField(_("exception"), max_length=200, blank=True)
    error = models.TextField(_("error"), blank=True)
    traceback = models.TextField(_("traceback"), blank=True)
    worker = models.CharField(_("worker"), max_length=100, blank=True)
    replay_id = models.UUIDField(_("replay"), null=True)
    group_id = models.BigIntegerField(_("failure group"), null=True)

    class Meta:
        db_table = "attempts"
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["delivery", "number"]
        constraints = [
            models.UniqueConstraint(fields=["delivery", "number"], name="attempt_number_once"),
        ]

    def __str__(self) -> str:
        return f"#{self.number} {self.status}"
