"""The workload's tables, the same for all peers."""

from typing import Any, ClassVar, Self
from uuid import UUID

from django.db import models

from benchmarks.workload.payloads import ProspectEntered, ProspectImported
from events import Publisher, publishes
from events.models import Event
from salesflow.accounts.ids import uuid7


class Source(models.TextChoices):
    """How a lead came in, which decides on the kind of handler."""

    IMPORT = "import", "Import"
    WEB = "web", "Web"


def _is_imported(prospect: "Prospect") -> bool:
    return prospect.source == Source.IMPORT


def _is_entered(prospect: "Prospect") -> bool:
    return prospect.source == Source.WEB


@publishes(ProspectImported, on="create", when=_is_imported)
@publishes(ProspectEntered, on="create", when=_is_entered)
class Prospect(Publisher):
    """A lead, as this engine's users write one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200)
    email = models.EmailField()
    source = models.CharField(max_length=10, choices=Source.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "bench_prospects"


class PlainProspect(models.Model):
    """The same rows, as users of a plain task queue write them."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey("accounts.Tenant", models.CASCADE, related_name="+")
    name = models.CharField(max_length=200)
    email = models.EmailField()
    source = models.CharField(max_length=10, choices=Source.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        db_table = "bench_prospects"
        managed = False


class Welcome(models.Model):
    """The row that a handler writes; two for one event would be a doubled effect."""

    event_id = models.UUIDField()
    prospect_id = models.UUIDField()

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        db_table = "bench_welcomes"

    @classmethod
    def of(cls, event: Event) -> Self:
        """The welcome that an event of either type calls for."""
        data: Any = event.data
        prospect_id: UUID = data.prospect_id
        return cls(event_id=event.id, prospect_id=prospect_id)
