"""What the engine did, by minute and by hour: what the console draws, without asking the log."""

from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

# The tenant of what all tenants come to together: whoever sees all of them reads one row for many.
EVERYBODY = UUID(int=0)


class Tally(models.Model):
    """What one handler did, or what became of one event type, in a minute or an hour of a tenant.

    Workers add to these rows about once a second, outside the settling transactions: a worker
    that is killed takes at most a second of figures along, and none of the events.
    """

    class Span(models.TextChoices):
        MINUTE = "minute", _("Minute")
        HOUR = "hour", _("Hour")

    class Kind(models.TextChoices):
        HANDLER = "handler", _("Handler")
        TYPE = "type", _("Event type")

    pk = models.CompositePrimaryKey("span", "starts_at", "kind", "name", "tenant_id")
    span = models.CharField(max_length=6, choices=Span.choices)
    starts_at = models.DateTimeField(_("from"))
    kind = models.CharField(max_length=7, choices=Kind.choices)
    name = models.CharField(_("name"), max_length=100)
    tenant = models.ForeignKey(
        "accounts.Tenant",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    succeeded = models.BigIntegerField(
        default=0, help_text=_("Deliveries that succeeded, or events that were processed.")
    )
    failed = models.BigIntegerField(
        default=0, help_text=_("Deliveries that gave up, or events that failed.")
    )
    retried = models.BigIntegerField(
        default=0, help_text=_("Attempts that failed and are made again.")
    )
    durations = ArrayField(
        models.BigIntegerField(),
        default=list,
        help_text=_("How many events took how long: see `events.tallies.BOUNDS`."),
    )

    objects = models.Manager()

    class Meta:
        db_table = "tallies"
        indexes = [
            # One's own figures: WHERE tenant_id = ANY(…) AND span = … AND starts_at > …
            models.Index(fields=["tenant", "span", "starts_at"], name="tallies_by_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.name} in the {self.span} from {self.starts_at:%Y-%m-%d %H:%M}"
