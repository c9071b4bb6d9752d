"""Facts: what events come to, kept ready for counting.

Only handlers write them, from events alone, so all of them can be built anew from the event log
(`rebuild_analytics`). Every fact but `LeadFact` is one event's and keyed by its id.
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from salesflow.accounts.scoping import TenantScoped


class Fact(TenantScoped):
    """Base of all facts.

    Without foreign key constraints, like the log that they come from: thousands are written a
    second, and a lead's facts outlive the lead.
    """

    # Every index that a query needs begins with the tenant anyway.
    tenant = models.ForeignKey(
        "accounts.Tenant",
        on_delete=models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=_("tenant"),
    )

    class Meta:
        abstract = True


class LeadFact(Fact):
    """Where one lead stands, as its events tell.

    Each group of columns is a register with a version: the place in the log of the event that
    wrote it last. Nothing older overwrites it, so that events may be handled in any order and
    any number of times (see `analytics.lead_facts`).
    """

    lead_id = models.UUIDField(primary_key=True)
    created_at = models.DateTimeField(
        null=True, help_text=_("Empty until the event of its creation was handled.")
    )
    created_version = models.BigIntegerField(default=0)
    source = models.CharField(max_length=50, default="", blank=True)
    source_version = models.BigIntegerField(default=0)
    owner_id = models.BigIntegerField(null=True)
    owner_version = models.BigIntegerField(default=0)
    pipeline_id = models.UUIDField(null=True)
    stage_id = models.UUIDField(null=True)
    stage_version = models.BigIntegerField(default=0)
    outcome = models.CharField(max_length=4, default="open")
    outcome_version = models.BigIntegerField(default=0)
    closed_at = models.DateTimeField(null=True)
    closed_version = models.BigIntegerField(default=0)
    value = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    value_version = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, default="", blank=True)
    currency_version = models.BigIntegerField(default=0)
    deleted_at = models.DateTimeField(
        null=True, help_text=_("Kept, so that no late event revives it.")
    )
    deleted_version = models.BigIntegerField(default=0)
    furthest_stage_id = models.UUIDField(
        null=True, help_text=_("The open stage of its pipeline furthest along that it was ever in.")
    )

    class Meta:
        verbose_name = _("lead fact")
        verbose_name_plural = _("lead facts")
        indexes = [
            # The funnel: WHERE tenant_id = … AND pipeline_id = … AND created_at >= … It holds no
            # column that moves or wins change, so that those rewrite no index.
            models.Index(
                fields=["tenant", "pipeline_id", "created_at"],
                condition=Q(deleted_at=None),
                name="lead_facts_by_pipeline",
            ),
        ]

    def __str__(self) -> str:
        return str(self.lead_id)


class EventFact(Fact):
    """Base of the facts that are one event's each."""

    event_id = models.UUIDField(primary_key=True)

    class Meta:
        abstract = True

    @classmethod
    def told_fields(cls) -> list[str]:
        """The fields that the event itself tells; none of them ever changes."""
        names = [column.name for column in cls._meta.concrete_fields]
        return [name for name in names if name not in ("event_id", "left_at")]


class StageEntry(EventFact):
    """A lead came into a stage: by the event that moved it, or created it there."""

    lead_id = models.UUIDField()
    pipeline_id = models.UUIDField()
    stage_id = models.UUIDField()
    stage_position = models.PositiveIntegerField(help_text=_("In the pipeline, at that time."))
    kind = models.CharField(max_length=4, help_text=_("Of the stage: open, won or lost."))
    told_at = models.DateTimeField(help_text=_("When it came in, as the event told."))
    entered_at = models.DateTimeField(help_text=_("When it came in, as was told last."))
    left_at = models.DateTimeField(null=True)
    position = models.BigIntegerField(help_text=_("Of the event in the log."))

    class Meta:
        verbose_name = _("stage entry")
        verbose_name_plural = _("stage entries")
        indexes = [
            # The way of one lead: WHERE lead_id = … ORDER BY entered_at, position
            models.Index(
                fields=["lead_id", "entered_at", "position"], name="stage_entries_by_lead"
            ),
            # Time in each stage: WHERE tenant_id = … AND pipeline_id = …
            models.Index(fields=["tenant", "pipeline_id"], name="stage_entries_by_pipeline"),
        ]

    def __str__(self) -> str:
        return f"{self.lead_id} → {self.stage_id}"


class StageDating(EventFact):
    """It was told anew when a lead came into the stage that it was in then."""

    lead_id = models.UUIDField()
    entered_at = models.DateTimeField()
    position = models.BigIntegerField(help_text=_("Of the event in the log."))

    class Meta:
        verbose_name = _("stage dating")
        verbose_name_plural = _("stage datings")
        indexes = [
            # The last one of a stay: WHERE lead_id = … AND position > … ORDER BY position DESC
            models.Index(fields=["lead_id", "position"], name="stage_datings_by_lead"),
        ]

    def __str__(self) -> str:
        return f"{self.lead_id}: {self.entered_at}"


class MessageFact(EventFact):
    """A message went out, or failed to."""

    lead_id = models.UUIDField()
    message_id = models.UUIDField()
    channel = models.CharField(max_length=20)
    message_type = models.CharField(max_length=50, blank=True)
    success = models.BooleanField()
    latency_ms = models.PositiveIntegerField(null=True)
    occurred_at = models.DateTimeField()

    class Meta:
        verbose_name = _("message fact")
        verbose_name_plural = _("message facts")
        indexes = [
            # Volume, failures and latency by channel: WHERE tenant_id = … AND occurred_at >= …
            models.Index(fields=["tenant", "occurred_at"], name="message_facts_by_time"),
        ]

    def __str__(self) -> str:
        return str(self.message_id)


class ServiceTime(EventFact):
    """How long a step of a message took: until it was stored here, sent, delivered."""

    class Step(models.TextChoices):
        STORED = "stored", _("received → stored")
        SENT = "sent", _("queued → sent")
        DELIVERED = "delivered", _("sent → delivered")

    channel = models.CharField(max_length=20)
    step = models.CharField(max_length=10, choices=Step.choices)
    duration_ms = models.BigIntegerField()
    answer_ms = models.BigIntegerField(
        null=True, help_text=_("Of a sent answer: since the lead's first unanswered message.")
    )
    occurred_at = models.DateTimeField()

    class Meta:
        verbose_name = _("service time")
        verbose_name_plural = _("service times")
        indexes = [
            # Times by channel and step: WHERE tenant_id = … AND occurred_at >= …
            models.Index(fields=["tenant", "occurred_at"], name="service_times_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.step}: {self.duration_ms} ms"


class AutopilotFact(EventFact):
    """The autopilot did something, which cost money and time."""

    lead_id = models.UUIDField(null=True, help_text=_("Trying an endpoint is about no lead."))
    action_type = models.CharField(max_length=50)
    model = models.CharField(max_length=100)
    # A token that a vendor had at hand costs as little as 0.000000075: nothing is rounded.
    cost = models.DecimalField(max_digits=20, decimal_places=12, help_text=_("In US dollars."))
    latency_ms = models.PositiveIntegerField()
    occurred_at = models.DateTimeField()

    class Meta:
        verbose_name = _("autopilot fact")
        verbose_name_plural = _("autopilot facts")
        indexes = [
            # Cost and return by action: WHERE tenant_id = … AND occurred_at >= …
            models.Index(fields=["tenant", "occurred_at"], name="autopilot_facts_by_time"),
        ]

    def __str__(self) -> str:
        return self.action_type


class SequenceFact(EventFact):
    """A lead came into a sequence, a step of it was executed, or it ended."""

    class Kind(models.TextChoices):
        ENROLLED = "enrolled", _("enrolled")
        STEP = "step", _("step executed")
        FINISHED = "finished", _("finished")

    lead_id = models.UUIDField()
    sequence_id = models.UUIDField()
    kind = models.CharField(max_length=8, choices=Kind.choices)
    step = models.PositiveSmallIntegerField(null=True)
    channel = models.CharField(max_length=20, blank=True)
    reason = models.CharField(max_length=50, blank=True, help_text=_("Why it ended."))
    occurred_at = models.DateTimeField()

    class Meta:
        verbose_name = _("sequence fact")
        verbose_name_plural = _("sequence facts")
        indexes = [
            # How a sequence does: WHERE tenant_id = … AND sequence_id = … AND occurred_at >= …
            models.Index(
                fields=["tenant", "sequence_id", "occurred_at"], name="sequence_facts_by_time"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sequence_id}: {self.kind}"
