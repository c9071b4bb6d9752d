"""The publishing halves: leads with their events, by this engine or by hand for a task queue."""

from collections.abc import Iterator
from uuid import UUID

from django.db import transaction

from benchmarks.workload.models import PlainProspect, Prospect, Source
from benchmarks.workload.payloads import ProspectEntered
from events.models import Event
from salesflow.accounts.context import current_tenant
from salesflow.accounts.ids import uuid7

# Leads that a bulk publish writes in one transaction.
CHUNK = 1000


def chunks_of(count: int) -> Iterator[int]:
    """Sizes of transactions that add up to `count`."""
    whole, rest = divmod(count, CHUNK)
    yield from [CHUNK] * whole + [rest] * bool(rest)


def fields_of(number: int) -> dict[str, str]:
    """What a lead's form says."""
    return {"name": f"Prospect {number}", "email": f"prospect{number}@example.com"}


def import_prospects(count: int, source: Source = Source.IMPORT) -> None:
    """Write many leads as this engine's users do; the engine publishes."""
    for size in chunks_of(count):
        Prospect.objects.bulk_create(
            Prospect(source=source, **fields_of(number)) for number in range(size)
        )


def enter_prospect(number: int = 0) -> None:
    """Write one lead as this engine's users do, in a transaction of its own."""
    Prospect(source=Source.WEB, **fields_of(number)).save()


@transaction.atomic
def record_prospects(size: int) -> list[UUID]:
    """Write leads and events by hand; returns the events' ids.

    The caller's transaction, if there is one, holds them, so that it can add its jobs.
    """
    tenant = current_tenant()
    prospects = PlainProspect.objects.bulk_create(
        PlainProspect(tenant=tenant, source=Source.WEB, **fields_of(number))
        for number in range(size)
    )
    events = Event.unscoped.bulk_create(_event_of(prospect) for prospect in prospects)
    return [event.id for event in events]


@transaction.atomic
def record_prospect(number: int = 0) -> UUID:
    """Write one lead and its event by hand; returns the event's id."""
    prospect = PlainProspect.objects.create(
        tenant=current_tenant(), source=Source.WEB, **fields_of(number)
    )
    event = _event_of(prospect)
    event.save(force_insert=True)
    return event.id


def _event_of(prospect: PlainProspect) -> Event:
    payload = ProspectEntered(prospect_id=prospect.id, source=prospect.source)
    return Event(
        id=uuid7(),
        tenant=prospect.tenant,
        type=payload.event_type,
        payload=payload.model_dump(mode="json"),
        source="system",
        subject_type=payload.subject,
        subject_id=prospect.id,
    )
