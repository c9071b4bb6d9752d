"""The event log, which is also the queue."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from events.payloads import Payload, payload_type
from events.types import label_of
from salesflow.accounts.ids import uuid7
from salesflow.accounts.scoping import TenantManager

if TYPE_CHECKING:
    from salesflow.accounts.models import Tenant


class MomentOf(Func):
    """When an id of version 7 was made, to the millisecond."""

    template = (
        "to_timestamp(('x' || left(replace(%(expressions)s::text, '-', ''), 12))"
        "::bit(48)::bigint / 1000.0::float8)"
    )
    output_field = models.DateTimeField()


class IsFarFrom(Func):
    """Whether two moments are more than a minute apart."""

    template = "(%(expressions)s) NOT BETWEEN interval '-1 minute' AND interval '1 minute'"
    arg_joiner = " - "
    output_field = models.BooleanField()


# Events that were recorded long before or after their id was made, in transactions that took long
# or by a clock that is wrong: `events.windows` asks for them.
STRAYS = Q(IsFarFrom(F("created_at"), MomentOf(F("id"))))


class EventStatus(models.TextChoices):
    """The aggregate over an event's deliveries."""

    PENDING = "pending", _("Pending")
    PROCESSED = "processed", _("Processed")
    FAILED = "failed", _("Failed")


class Event(models.Model):
    """Something that happened, written with the change that caused it, never edited."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    position = models.BigIntegerField(
        db_default=Func(Value("events_position_seq"), function="nextval"),
        editable=False,
        help_text=_("Its place in the log."),
    )
    tenant = models.ForeignKey(
        "accounts.Tenant",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=_("tenant"),
    )
    type = models.CharField(_("type"), max_length=100)
    version = models.PositiveSmallIntegerField(_("version"), default=1)
    payload = models.JSONField(_("payload"))
    status = models.CharField(
        _("status"), max_length=10, choices=EventStatus.choices, default=EventStatus.PENDING
    )
    source = models.CharField(_("source"), max_length=50)
    request_id = models.CharField(_("request"), max_length=64, blank=True)
    # The span that published it, where requests are traced (events/tracing.py).
    traceparent = models.CharField(
        max_length=55, blank=True, default="", db_default="", editable=False
    )
    subject_type = models.CharField(_("subject type"), max_length=50, blank=True)
    subject_id = models.UUIDField(pgettext_lazy("of an event", "subject"), null=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="+",
        verbose_name=_("actor"),
    )
    cause_id = models.UUIDField(
        _("cause"), null=True, help_text=_("The event whose handler published this one.")
    )
    corrects_id = models.UUIDField(
        _("corrects"), null=True, help_text=_("The event in whose place this one was published.")
    )
    occurred_at = models.DateTimeField(_("occurred"), db_default=Now())
    created_at = models.DateTimeField(_("recorded"), db_default=Now())
    due_at = models.DateTimeField(
        _("due"),
        db_default=Now(),
        help_text=_("When a worker takes it, as long as it is pending."),
    )
    processed_at = models.DateTimeField(_("settled"), null=True)
    error_message = models.TextField(_("error"), blank=True)

    # Set while an external handler runs, see `Delivery.idempotency_key`.
    idempotency_key: str = ""

    objects = TenantManager()
    unscoped = models.Manager()

    class Meta:
        db_table = "events"
        verbose_name = _("event")
        verbose_name_plural = _("events")
        permissions = [
            ("replay_event", "Can replay events"),
            ("replay_external", "Can replay with external effects"),
            ("correct_event", "Can edit events and replay them"),
        ]
        indexes = [
            # SELECT … WHERE tenant_id = … ORDER BY created_at DESC LIMIT 10
            models.Index("tenant", models.F("created_at").desc(), name="events_by_tenant_time"),
            # The API's pages: WHERE tenant_id = … AND id < … ORDER BY id DESC
            models.Index("tenant", models.F("id").desc(), name="events_by_tenant"),
            # The API's filter: WHERE tenant_id = … AND type = … ORDER BY id DESC
            models.Index("tenant", "type", models.F("id").desc(), name="events_by_type"),
            # The API's and the admin's filter: WHERE tenant_id = … AND source = … ORDER BY id DESC
            models.Index("tenant", "source", models.F("id").desc(), name="events_by_source"),
            # Workers, see events/taking.py: the tenants that wait, and for each of them
            # WHERE status = 'pending' AND tenant_id = … AND due_at <= now()
            # ORDER BY due_at, position
            models.Index(
                fields=["tenant", "due_at", "position"],
                condition=Q(status="pending"),
                name="events_waiting",
            ),
            # Ordered handlers: WHERE subject_id = ANY(…) AND status <> 'processed'
            models.Index(
                fields=["subject_id", "position"],
                condition=~Q(status="processed") & Q(subject_id__isnull=False),
                name="events_open_by_subject",
            ),
            # SELECT … WHERE status = 'failed' ORDER BY created_at DESC, and the admin's filter
            models.Index(
                models.F("created_at").desc(), condition=Q(status="failed"), name="events_failed"
            ),
            # The API's filter: WHERE tenant_id = … AND status = 'failed' ORDER BY id DESC
            models.Index(
                "tenant",
                models.F("id").desc(),
                condition=Q(status="failed"),
                name="events_failed_by_tenant",
            ),
            # The console's filters: WHERE tenant_id = … AND status = 'failed' AND type = …
            # ORDER BY id DESC
            models.Index(
                "tenant",
                "type",
                models.F("id").desc(),
                condition=Q(status="failed"),
                name="events_failed_by_type",
            ),
            # … and WHERE tenant_id = … AND status = 'failed' AND source = … ORDER BY id DESC
            models.Index(
                "tenant",
                "source",
                models.F("id").desc(),
                condition=Q(status="failed"),
                name="events_failed_by_source",
            ),
            # Windows of time, see events/windows.py: WHERE id >= … AND id < … AND created_at < …
            # AND (it is a stray) ORDER BY id DESC LIMIT 1
            models.Index(
                fields=["id"], include=["created_at"], condition=STRAYS, name="events_strays"
            ),
            # A timeline: WHERE subject_id = … ORDER BY occurred_at DESC, position DESC
            models.Index(
                "subject_id",
                models.F("occurred_at").desc(),
                models.F("position").desc(),
                name="events_by_subject",
            ),
            # What one request caused: WHERE request_id = … ORDER BY id DESC
            models.Index(
                "request_id",
                models.F("id").desc(),
                condition=~Q(request_id=""),
                name="events_of_request",
            ),
            # What an event's handlers published: WHERE cause_id = …
            models.Index(
                fields=["cause_id"], condition=Q(cause_id__isnull=False), name="events_by_cause"
            ),
            # What was published in an event's place: WHERE corrects_id = …
            models.Index(
                fields=["corrects_id"],
                condition=Q(corrects_id__isnull=False),
                name="events_by_corrected",
            ),
            # The console's failed events of all tenants: WHERE status = 'failed' ORDER BY id DESC
            models.Index(
                models.F("id").desc(), condition=Q(status="failed"), name="events_failed_by_id"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"

    @property
    def data(self) -> Payload:
        """The typed payload.

        Raises:
            KeyError: no installed app declares this event's type any more.
            pydantic.ValidationError: the payload is not of that type's shape.
        """
        return payload_type(self.type).model_validate(self.payload)

    @property
    def type_label(self) -> str:
        """The type in words, for people."""
        return label_of(self.type)


def tenants_of(events: "list[Event]") -> "dict[UUID, Tenant]":
    """The tenants of `events` by id, in one query."""
    from salesflow.accounts.models import Tenant

    found: dict[Any, Tenant] = Tenant.objects.in_bulk({event.tenant_id for event in events})
    return found
