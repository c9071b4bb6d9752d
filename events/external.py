"""Handlers with external effects: leased, counted before they run, never inside a transaction."""

import time
from collections.abc import Callable
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import translation
from structlog.contextvars import bound_contextvars

from events import registry
from events.context import event_context
from events.models import Delivery, DeliveryStatus, Event, tenants_of
from events.nudging import after_commit, nudge_external
from events.outcomes import (
    aggregate,
    answer_replays,
    log_context,
    milliseconds_since,
    record_failure,
    record_success,
    save_attempts,
    save_deliveries,
    save_events,
    worker_name,
)
from events.registry import Handler
from salesflow.accounts.context import tenant_context

# What a lease lasts longer than its handler may run, for the writing around the call.
LEASE_MARGIN = timedelta(seconds=15)


def due_deliveries() -> QuerySet[Delivery]:
    """The deliveries that external handlers may have now."""
    external = [handler.name for handler in registry.all_handlers() if handler.is_external]
    return Delivery.objects.filter(
        status=DeliveryStatus.PENDING, next_attempt_at__lte=Now(), handler__in=external
    )


def sweep() -> None:
    """Wake workers when deliveries are due."""
    nudge_external(int(due_deliveries().exists()))


def run_delivery(delivery_id: int) -> bool:
    """Run one external delivery if it is due and nobody else runs it.

    Returns:
        Whether it ran.
    """
    lease = _take_lease(delivery_id)
    if lease is None:
        return False
    delivery, handler = lease
    started = time.perf_counter()
    error = _call(handler, delivery)
    _report(delivery, milliseconds_since(started), error)
    return True


def _take_lease(delivery_id: int) -> tuple[Delivery, Handler] | None:
    """Count the attempt and commit the lease, before anything leaves the house."""
    with transaction.atomic():
        delivery = (
            Delivery.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
            .select_related("event")
            .annotate(read_at=Now())
            .filter(pk=delivery_id, status=DeliveryStatus.PENDING, next_attempt_at__lte=Now())
            .first()
        )
        handler = registry.get_handler(delivery.handler) if delivery else None
        if delivery is None or handler is None:
            return None
        delivery.status = DeliveryStatus.RUNNING
        delivery.attempts += 1
        delivery.worker = worker_name()
        delivery.lease_expires_at = (
            delivery.read_at + timedelta(seconds=handler.timeout) + LEASE_MARGIN
        )
        delivery.save(update_fields=["status", "attempts", "worker", "lease_expires_at"])
    return delivery, handler


def _call(handler: Handler, delivery: Delivery) -> Exception | None:
    """Call the handler outside any transaction; returns what it raised."""
    event = delivery.event
    if connection.in_atomic_block:
        raise RuntimeError("An external handler must not run inside a transaction.")
    tenant = tenants_of([event])[event.tenant_id]
    with (
        tenant_context(tenant),
        # What a handler writes down, people of the tenant read.
        translation.override(tenant.language),
        event_context(
            source="handler",
            request_id=event.request_id,
            actor_id=event.actor_id,
            cause_id=event.id,
        ),
        bound_contextvars(**log_context(event, handler.name)),
    ):
        event.idempotency_key = delivery.idempotency_key
        return _raised_by(handler.function, event)


def _raised_by(function: Callable[[Event], object], event: Event) -> Exception | None:
    try:
        function(event)
    except Exception as error:  # a handler may raise anything
        return error
    return None


def _report(leased: Delivery, duration_ms: float, error: Exception | None) -> None:
    """Write what came of the call, unless the lease was lost and the delivery is another's."""
    with transaction.atomic():
        event = (
            Event.unscoped.select_for_update(no_key=True)
            .annotate(read_at=Now())
            .get(pk=leased.event_id)
        )
        deliveries = list(event.deliveries.select_for_update(no_key=True))
        delivery = next(row for row in deliveries if row.pk == leased.pk)
        if (delivery.status, delivery.attempts) != (DeliveryStatus.RUNNING, leased.attempts):
            return
        now = event.read_at
        with bound_contextvars(**log_context(event, delivery.handler)):
            attempt = (
                record_failure(delivery, now, duration_ms, error)
                if error
                else record_success(delivery, now, duration_ms)
            )
        save_deliveries([delivery])
        save_attempts([attempt] if attempt else [])
        save_events([aggregate(event, deliveries, now)])
        answer_replays([event], deliveries)
        if delivery.status == DeliveryStatus.PENDING and delivery.next_attempt_at == now:
            after_commit(nudge_external)
