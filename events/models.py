"""The event log, which is also the queue: events, what each handler did, and replays.

None of these tables has foreign key constraints: they are written thousands of rows a second,
never updated by hand, and pruned in an order that keeps them whole.
"""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func, Q, Value
from django.db.models.functions import Now
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from events.circuit import CircuitState
from events.payloads import Payload, payload_type
from salesflow.accounts.ids import uuid7
from salesflow.accounts.scoping import TenantManager

if TYPE_CHECKING:
    from salesflow.accounts.models import Tenant


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
        permissions = [("replay_event", "Can replay events")]
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
            # A timeline: WHERE subject_id = … ORDER BY occurred_at DESC, position DESC
            models.Index(
                "subject_id",
                models.F("occurred_at").desc(),
                models.F("position").desc(),
                name="events_by_subject",
            ),
            # What one request caused: WHERE request_id = …
            models.Index(
                fields=["request_id"], condition=~Q(request_id=""), name="events_by_request"
            ),
            # What an event's handlers published: WHERE cause_id = …
            models.Index(
                fields=["cause_id"], condition=Q(cause_id__isnull=False), name="events_by_cause"
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
        from events.types import EventType

        return str(EventType(self.type).label) if self.type in EventType.values else self.type


class DeliveryStatus(models.TextChoices):
    """What has become of one event at one handler."""

    PENDING = "pending", _("Waiting")
    RUNNING = "running", _("Running")
    SUCCEEDED = "succeeded", _("Succeeded")
    SKIPPED = "skipped", _("Skipped")
    FAILED = "failed", _("Failed")


WAITS_FOR_CALL = Q(status="pending", tenant__isnull=False)


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
            # What fails at a handler: WHERE handler = … AND status = 'failed'
            models.Index(
                fields=["handler"], condition=Q(status="failed"), name="deliveries_failed"
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
        ]

    def __str__(self) -> str:
        return f"{self.handler}: {self.status}"

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


class Replay(models.Model):
    """An admin's decision to run failed handlers again, over a frozen selection of events."""

    class Status(models.TextChoices):
        RUNNING = "running", _("Running")
        FINISHED = "finished", _("Finished")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(
        "accounts.Tenant",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        related_name="+",
        verbose_name=_("tenant"),
        help_text=_("Empty: it spans several tenants."),
    )
    reason = models.TextField(_("reason"), blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        related_name="+",
        verbose_name=_("by"),
    )
    handlers = ArrayField(
        models.CharField(max_length=100),
        verbose_name=_("handlers"),
        default=list,
        help_text=_("Empty: those that failed."),
    )
    include_external = models.BooleanField(_("with external effects"), default=False)
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.RUNNING
    )
    selected = models.PositiveIntegerField(_("selected"), default=0)
    created_at = models.DateTimeField(_("started"), db_default=Now())
    finished_at = models.DateTimeField(_("finished"), null=True)
    # What came of it, written when it finishes: it outlives the items.
    succeeded = models.PositiveIntegerField(_("succeeded"), db_default=0, default=0)
    failed = models.PositiveIntegerField(_("failed"), db_default=0, default=0)
    skipped = models.PositiveIntegerField(_("skipped"), db_default=0, default=0)
    skipped_because = models.JSONField(
        _("skipped because"),
        db_default=Value({}, models.JSONField()),
        default=dict,
        help_text=_("Note of the skipped items → how many."),
    )
    pruned_at = models.DateTimeField(
        _("pruned"), null=True, help_text=_("When the list of its events was deleted.")
    )

    class Meta:
        db_table = "replays"
        verbose_name = _("replay")
        verbose_name_plural = _("replays")
        ordering = ["-id"]
        indexes = [
            # The sweeper: WHERE status = 'running'
            models.Index(fields=["id"], condition=Q(status="running"), name="replays_running"),
            # Pruning: WHERE status = 'finished' AND pruned_at IS NULL ORDER BY finished_at
            models.Index(
                fields=["finished_at"],
                condition=Q(status="finished", pruned_at=None),
                name="replays_unpruned",
            ),
        ]

    def __str__(self) -> str:
        return self.reason or str(self.id)


class ReplayItem(models.Model):
    """One event of a replay's selection, and what came of it."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RELEASED = "released", _("Running")
        SUCCEEDED = "succeeded", _("Succeeded")
        FAILED = "failed", _("Failed")
        SKIPPED = "skipped", _("Skipped")

    replay = models.ForeignKey(
        Replay, on_delete=models.CASCADE, db_index=False, related_name="items"
    )
    event_id = models.UUIDField(_("event"))
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.WAITING
    )
    note = models.TextField(_("note"), blank=True)

    class Meta:
        db_table = "replay_items"
        verbose_name = _("replay item")
        verbose_name_plural = _("replay items")
        constraints = [
            models.UniqueConstraint(fields=["replay", "event_id"], name="replay_item_once"),
        ]
        indexes = [
            # Progress and the next items: WHERE replay_id = … AND status = … ORDER BY id
            models.Index(fields=["replay", "status", "id"], name="replay_items_by_status"),
            # What a settled event answers: WHERE event_id = ANY(…) AND status = 'released'
            models.Index(
                fields=["event_id"], condition=Q(status="released"), name="replay_items_released"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_id}: {self.status}"

    @property
    def note_label(self) -> str:
        """The note in the reader's language, where it is one of ours."""
        return gettext(self.note)


class JournalEntry(models.Model):
    """A batch that a worker holds: committed before its handlers run, gone when it is settled.

    The settling transaction holds the advisory lock `token`. An entry whose lock is free was left
    by a worker that died.
    """

    token = models.BigIntegerField(primary_key=True)
    event_ids = ArrayField(models.UUIDField())
    handler = models.CharField(
        max_length=100, blank=True, help_text=_("The handler that runs, for an event alone.")
    )
    worker = models.CharField(_("worker"), max_length=100)
    server_started_at = models.DateTimeField(
        help_text=_("When the database server started: its restarts end batches too.")
    )
    started_at = models.DateTimeField(_("started"), db_default=Now())

    objects = models.Manager()

    class Meta:
        db_table = "journal"

    def __str__(self) -> str:
        return f"{len(self.event_ids)} events at {self.worker}"


class Breaker(models.Model):
    """The state of one circuit, see `events.circuit`; a lost row is a closed circuit.

    Every external handler has one under its name; other keys are free.
    """

    key = models.CharField(_("service"), max_length=200, primary_key=True)
    state = models.CharField(
        _("state"), max_length=10, choices=CircuitState.choices, default=CircuitState.CLOSED
    )
    window_started_at = models.DateTimeField(null=True)
    calls = models.PositiveIntegerField(_("calls"), default=0)
    failures = models.PositiveIntegerField(_("failures"), default=0)
    previous_calls = models.PositiveIntegerField(default=0)
    previous_failures = models.PositiveIntegerField(default=0)
    openings = models.PositiveIntegerField(_("openings in a row"), default=0)
    retry_at = models.DateTimeField(_("next probe"), null=True)
    probe = models.BigIntegerField(null=True)
    changed_at = models.DateTimeField(_("since"), db_default=Now())

    objects = models.Manager()

    class Meta:
        db_table = "breakers"
        verbose_name = _("circuit breaker")
        verbose_name_plural = _("circuit breakers")

    def __str__(self) -> str:
        return f"{self.key}: {self.state}"


def tenants_of(events: "list[Event]") -> "dict[UUID, Tenant]":
    """The tenants of `events` by id, in one query."""
    from salesflow.accounts.models import Tenant

    found: dict[Any, Tenant] = Tenant.objects.in_bulk({event.tenant_id for event in events})
    return found
