"""Parcels, whose rows publish, and the traces that handlers leave of them."""

from typing import ClassVar, Self

from django.db import models

from events import Publisher, publishes
from salesflow.accounts.ids import uuid7
from tests.chaos.workload.payloads import ParcelCalled, ParcelCounted, ParcelQueued


@publishes(ParcelCounted, on="create", when=lambda parcel: parcel.kind == "counted")
@publishes(ParcelCalled, on="create", when=lambda parcel: parcel.kind == "called")
@publishes(ParcelQueued, on="create", when=lambda parcel: parcel.kind == "queued")
class Parcel(Publisher):
    """A business row: it is there exactly when its event is.

    Attributes:
        kind: which event it publishes, and so which handlers take it.
        fate: what these handlers make of it, see `tests.chaos.workload.fates`.
        number: its place in its series, in the order in which they were published.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=10)
    fate = models.CharField(max_length=10)
    series_id = models.UUIDField()
    number = models.PositiveIntegerField(default=0)

    class Meta:
        app_label = "chaos"

    def __str__(self) -> str:
        return f"{self.kind} {self.fate} {self.id}"


class Effect(models.Model):
    """One run of a handler that committed. Nothing here is unique, so that a doubled one shows."""

    handler = models.CharField(max_length=30)
    event_id = models.UUIDField()
    parcel_id = models.UUIDField()
    tenant_id = models.UUIDField()
    series_id = models.UUIDField()
    number = models.PositiveIntegerField()

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        app_label = "chaos"

    def __str__(self) -> str:
        return f"{self.handler} {self.parcel_id}"


class Repair(models.Model):
    """The reason why a parcel's handler failed is gone."""

    parcel_id = models.UUIDField(primary_key=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        app_label = "chaos"

    def __str__(self) -> str:
        return str(self.parcel_id)


class Counter(models.Model):
    """What was tallied in batches for a tenant, kept by adding: what runs twice counts twice."""

    tenant_id = models.UUIDField(primary_key=True)
    total = models.BigIntegerField(default=0)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        app_label = "chaos"

    def __str__(self) -> str:
        return f"{self.tenant_id}: {self.total}"
