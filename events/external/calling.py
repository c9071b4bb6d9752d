"""Calling an external handler, in the context of its event and in no transaction."""

import time
from dataclasses import dataclass

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.utils import translation

from events import tracing
from events.context import event_context
from events.external.heartbeat import heartbeat
from events.external.leasing import Lease
from events.external.timeouts import TimedOut, call_within
from events.outcomes import milliseconds_since
from salesflow.accounts.context import tenant_context


@dataclass(frozen=True)
class Result:
    """What came of a call.

    Attributes:
        error: what the handler raised, None if it succeeded.
        duration_ms: how long it took.
    """

    error: Exception | None
    duration_ms: float


def call(lease: Lease) -> Result:
    """Call the handler while a heartbeat keeps its lease."""
    event = lease.event
    event.idempotency_key = lease.delivery.idempotency_key
    with (
        tenant_context(event.tenant),
        # What a handler writes down, people of the tenant read.
        translation.override(event.tenant.language),
        event_context(
            source="handler",
            request_id=event.request_id,
            actor_id=event.actor_id,
            cause_id=event.id,
        ),
        heartbeat(lease),
    ):
        started = time.perf_counter()
        error = _raised_by(lease)
        return Result(error, milliseconds_since(started))


def _raised_by(lease: Lease) -> Exception | None:
    within_test = connection.in_atomic_block
    try:
        with tracing.handling(lease.handler.name, [lease.event]):
            call_within(lease.handler.timeout, lease.handler.function, lease.event)
    except TimedOut as error:
        if not within_test:
            _renew_connection()
        return error
    except Exception as error:  # a handler may raise anything
        return error
    return None


def _renew_connection() -> None:
    """Go on with another connection: the interruption may have left this one in mid-sentence."""
    connection.close()
    if connection.in_atomic_block:
        del connections[DEFAULT_DB_ALIAS]
