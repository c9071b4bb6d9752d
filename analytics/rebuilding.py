"""Builds a tenant's facts anew from its event log, with the handlers that wrote them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from analytics.models import EventFact, LeadFact
from events import EventType
from events.batches import call_handler
from events.corrections.queries import without_corrected
from events.models import Event
from events.registry import Handler, all_handlers
from salesflow.accounts.context import current_tenant, tenant_context
from salesflow.accounts.models import Tenant

CHUNK = 2000


@dataclass
class Rebuilt:
    """What a rebuild came to.

    Attributes:
        events: how many events were read.
        failed: event id → error, of those that no handler could make a fact of.
    """

    events: int = 0
    failed: dict[UUID, str] = field(default_factory=dict)


def rebuild_facts(tenant: Tenant, *, progress: Callable[[int], Any] | None = None) -> Rebuilt:
    """Build the tenant's facts anew, in one transaction.

    Facts whose events were pruned from the log stay as they are. Workers that want to write the
    tenant's facts wait until it is done; publishing does not.

    Args:
        progress: called with the number of events just read.
    """
    rebuilt = Rebuilt()
    with transaction.atomic(), tenant_context(tenant):
        _keep_workers_out()
        _forget_facts()
        for chunk in _chunks(_told_events()):
            for handler in _fact_handlers():
                events = [event for event in chunk if event.type in handler.types]
                rebuilt.failed |= dict(_run(handler, events))
            rebuilt.events += len(chunk)
            if progress:
                progress(len(chunk))
    return rebuilt


def count_told_events(tenant: Tenant) -> int:
    """How many events of the tenant a rebuild has to read."""
    with tenant_context(tenant):
        return _told_events().count()


def _told_events() -> QuerySet[Event]:
    types = {event_type for handler in _fact_handlers() for event_type in handler.types}
    # What was corrected is told by its correction, in the same place of the log.
    events = without_corrected(Event.objects.filter(type__in=types))
    return events.only("id", "tenant_id", "position", "type", "payload", "occurred_at")


def _fact_handlers() -> list[Handler]:
    return [handler for handler in all_handlers() if handler.module == "analytics.handlers"]


def _chunks(events: QuerySet[Event]) -> Iterator[list[Event]]:
    # In no order: the facts do not depend on it, and the log need not be sorted.
    stream = events.iterator(chunk_size=CHUNK)
    while chunk := list(islice(stream, CHUNK)):
        yield chunk


def _run(handler: Handler, events: list[Event]) -> Iterable[tuple[UUID, str]]:
    """Run a handler; events that it cannot take are found by halving, as in settling."""
    if not events:
        return
    try:
        with transaction.atomic():
            call_handler(handler, events)
    except Exception as error:  # as in settling, one event must not spoil the others
        if len(events) == 1:
            yield events[0].id, f"{type(error).__name__}: {error}"
            return
        middle = len(events) // 2
        yield from _run(handler, events[:middle])
        yield from _run(handler, events[middle:])


def _forget_facts() -> None:
    """Delete the facts that the log can tell again."""
    for model in EventFact.__subclasses__():
        told = Event.objects.filter(id=OuterRef("event_id"))
        model.objects.filter(Exists(told)).delete()
    births = Event.objects.filter(subject_id=OuterRef("lead_id"), type=EventType.LEAD_CREATED)
    LeadFact.objects.filter(Exists(births)).delete()


# --- One at a time ------------------------------------------------------------------------------


def wait_for_rebuild() -> None:
    """Hold a rebuild of the current tenant's facts back until this transaction ends."""
    _lock("pg_advisory_xact_lock_shared", f"analytics.facts:{current_tenant().id}")


def _keep_workers_out() -> None:
    # One rebuild at a time: two, and the workers between them, could wait for each other.
    _lock("pg_advisory_xact_lock", "analytics.rebuild")
    _lock("pg_advisory_xact_lock", f"analytics.facts:{current_tenant().id}")


def _lock(function: str, name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(hashtextextended(%s, 0))", [name])
