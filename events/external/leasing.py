"""Taking a due delivery: the attempt counted and its lease committed before anything is called.

Fair in two steps: the handlers take turns, and within a handler the tenants do, so that neither a
busy service nor a busy tenant keeps the others waiting.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from events import breakers, registry
from events.external.transactions import brief_transaction
from events.models import Breaker, Delivery, DeliveryStatus, Event
from events.outcomes import worker_name
from events.registry import Handler

BEGINNING = UUID(int=0)
# Any number that is ours alone among two-part advisory locks.
LEASING_LOCK = 0x5A1E5F11

DUE_HANDLERS = """
    SELECT handler FROM unnest(%s::text[]) AS external (handler) WHERE EXISTS (
        SELECT FROM deliveries
        WHERE handler = external.handler AND status = 'pending' AND tenant_id IS NOT NULL
          AND next_attempt_at <= statement_timestamp()
    ) AND handler NOT IN (SELECT handler FROM handler_pauses)
"""

# One process at a time: nobody may count a handler's running calls while another adds one.
LOCK = "SELECT pg_advisory_xact_lock(%s, hashtext(%s))"
STATE = """
    SELECT statement_timestamp(), (
        SELECT count(*) FROM deliveries
        WHERE status = 'running' AND lease_expires_at > statement_timestamp()
          AND handler = %(handler)s
    ), EXISTS (SELECT FROM handler_pauses WHERE handler = %(handler)s)
"""

# Steps through deliveries_to_call_by_tenant from one tenant to the next, as far as needed and no
# further, whatever number of deliveries each of them has. Holding the event as well keeps the lease
# from being overwritten by a settling transaction that read the delivery before.
TAKE_NEXT = """
    WITH RECURSIVE tenants AS (
        (
            SELECT tenant_id FROM deliveries
            WHERE handler = %(handler)s AND status = 'pending' AND tenant_id > %(after)s
            ORDER BY tenant_id LIMIT 1
        )
        UNION ALL
        SELECT (
            SELECT tenant_id FROM deliveries
            WHERE handler = %(handler)s AND status = 'pending' AND tenant_id > tenants.tenant_id
            ORDER BY tenant_id LIMIT 1
        )
        FROM tenants WHERE tenants.tenant_id IS NOT NULL
    )
    SELECT due.id FROM tenants CROSS JOIN LATERAL (
        SELECT deliveries.id FROM deliveries JOIN events ON events.id = event_id
        WHERE handler = %(handler)s AND deliveries.status = 'pending'
          AND deliveries.tenant_id = tenants.tenant_id
          AND next_attempt_at <= statement_timestamp()
        ORDER BY next_attempt_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
    ) AS due LIMIT 1
"""

TAKE_NAMED = """
    SELECT deliveries.id FROM deliveries JOIN events ON events.id = event_id
    WHERE deliveries.id = %(id)s AND deliveries.status = 'pending'
      AND deliveries.tenant_id IS NOT NULL AND next_attempt_at <= statement_timestamp()
    FOR NO KEY UPDATE SKIP LOCKED
"""


@dataclass(frozen=True)
class Lease:
    """The right to make one call, for as long as the heartbeat goes.

    Attributes:
        number: of the attempt; who reports under another number has lost the lease.
        late: seconds that the delivery waited after it was due.
    """

    delivery: Delivery
    handler: Handler
    number: int
    late: float

    @property
    def event(self) -> Event:
        """What is handled."""
        return self.delivery.event


class Turns:
    """Whose turn it is next in this process."""

    def __init__(self) -> None:
        self._handler = ""
        self._tenants: dict[str, UUID] = {}

    def handlers(self, names: Sequence[str]) -> list[str]:
        """The names in the order in which they are tried, behind the one that was served last."""
        ordered = sorted(names)
        return [n for n in ordered if n > self._handler] + [
            n for n in ordered if n <= self._handler
        ]

    def tenants_after(self, handler: str) -> Iterator[UUID]:
        """Behind which tenants to look for work: the last one served, then none."""
        last = self._tenants.get(handler, BEGINNING)
        yield last
        if last != BEGINNING:
            yield BEGINNING

    def served(self, handler: str, tenant_id: UUID) -> None:
        """Remember who had the latest turn."""
        self._handler, self._tenants[handler] = handler, tenant_id


turns = Turns()


def due_handlers() -> list[str]:
    """The external handlers that have something due, are not paused, and whose breakers agree."""
    names = [handler.name for handler in registry.all_handlers() if handler.is_external]
    due = [row[0] for row in _rows(DUE_HANDLERS, [names])] if names else []
    refused = breakers.refused(due) if due else set()
    return [name for name in due if name not in refused]


def lease_next() -> Lease | None:
    """Lease what is due at the handler and of the tenant whose turn it is; None: nothing is."""
    for name in turns.handlers(due_handlers()):
        handler = registry.get_handler(name)
        if handler and (lease := _lease_of(handler)):
            turns.served(name, lease.event.tenant_id)
            return lease
    return None


def lease_named(delivery_id: int, heed_limits: bool = True) -> Lease | None:
    """Lease this delivery, if it is due, nobody runs it, and its handler may be called now.

    Args:
        heed_limits: False disregards the handler's breaker and concurrency, but never a pause.
    """
    name = Delivery.objects.filter(pk=delivery_id).values_list("handler", flat=True).first()
    handler = registry.get_handler(name or "")
    return _lease_of(handler, delivery_id, heed_limits) if handler else None


def _lease_of(
    handler: Handler, delivery_id: int | None = None, heed_limits: bool = True
) -> Lease | None:
    with brief_transaction():
        _rows(LOCK, [LEASING_LOCK, handler.name])
        [(now, running, is_paused)] = _rows(STATE, {"handler": handler.name})
        breaker = _admitted(handler, now, running) if heed_limits else Breaker()
        if breaker is None or is_paused:
            return None
        found = _take_named(delivery_id) if delivery_id else _take_next(handler.name)
        if found is None:
            return None
        lost_at = now + timedelta(seconds=handler.timeout) + lease_time()
        breakers.begin_probe(breaker, found, now, lost_at)
        return _leased(found, handler, now)


def _admitted(handler: Handler, now: datetime, running: int) -> Breaker | None:
    """The breaker that lets the handler be called; None where it or the concurrency does not."""
    if handler.concurrency is not None and running >= handler.concurrency:
        return None
    return breakers.admitted(handler.name, now) if handler.breaker else Breaker()


def _take_named(delivery_id: int) -> int | None:
    return next((row[0] for row in _rows(TAKE_NAMED, {"id": delivery_id})), None)


def _take_next(handler: str) -> int | None:
    for tenant_id in turns.tenants_after(handler):
        for (delivery_id,) in _rows(TAKE_NEXT, {"handler": handler, "after": tenant_id}):
            return int(delivery_id)
    return None


def _leased(delivery_id: int, handler: Handler, now: datetime) -> Lease:
    """Count the attempt and write the lease, to be committed before anything leaves the house."""
    delivery = Delivery.objects.select_related("event__tenant").get(pk=delivery_id)
    assert delivery.next_attempt_at
    late = (now - delivery.next_attempt_at).total_seconds()
    delivery.status = DeliveryStatus.RUNNING
    delivery.attempts += 1
    delivery.worker = worker_name()
    delivery.lease_expires_at = now + lease_time()
    delivery.save(update_fields=["status", "attempts", "worker", "lease_expires_at"])
    return Lease(delivery, handler, delivery.attempts, late)


def lease_time() -> timedelta:
    """How long a lease lasts without a heartbeat."""
    return timedelta(seconds=settings.EXTERNAL_LEASE_SECONDS)


def _rows(statement: str, values: list[Any] | dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
