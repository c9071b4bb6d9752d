"""For tests of code that publishes or handles events; docs/testing.md shows how.

All of it works inside a test's own transaction, hence with pytest-django's plain `db` too.
"""

import difflib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max, QuerySet
from django.db.models.functions import Now
from django.utils import translation

from events import registry
from events.batches import call_handler
from events.external import run_delivery
from events.models import Delivery, DeliveryStatus, Event, EventStatus
from events.payloads import Payload
from events.publishing import Draft, publish_many
from events.registry import Handler, check_event_types
from events.retry import RetryPolicy
from events.settling import settle
from salesflow.accounts.context import _current_tenant, current_tenant, tenant_context
from salesflow.accounts.models import Tenant

__all__ = [
    "assert_not_published",
    "assert_published",
    "capture_events",
    "handler_of",
    "published",
    "run_handler",
    "settle_events",
]

Kind = type[Payload] | str
"""A payload class, or the name of an event type."""

MOST_ROUNDS = 50
# So many events, and so much of a value, are told when an assertion fails.
MOST_TOLD, LONGEST_TOLD = 20, 80


# --- Settling -----------------------------------------------------------------------------------


def settle_events() -> int:
    """Settle all pending events here and now, through the functions that workers call.

    Events that handlers publish are settled too. Waits between retries are not slept through, nor
    does a breaker or a limit of concurrent calls hold external handlers back. What waits for a
    failed event of its subject at an `ordered` handler stays pending.

    Returns:
        How many times an event was taken.

    Raises:
        AssertionError: handlers go on publishing or failing without an end in sight.
    """
    taken, before = 0, None
    for _round in range(MOST_ROUNDS):
        ids = list(_pending().order_by("position").values_list("id", flat=True))
        tries = sorted(Delivery.objects.filter(event_id__in=ids).values_list("pk", "attempts"))
        if (ids, tries) == before or not ids:
            return taken
        before = ids, tries
        _let_time_pass(ids)
        taken += settle(ids)
        _run_external_deliveries(ids)
    raise AssertionError(
        f"Events are still pending after {MOST_ROUNDS} rounds:\n{_told(_pending(), _unfinished)}"
    )


def _pending() -> QuerySet[Event]:
    return Event.unscoped.filter(status=EventStatus.PENDING)


def _let_time_pass(event_ids: Sequence[UUID]) -> None:
    Delivery.objects.filter(event_id__in=event_ids, status=DeliveryStatus.PENDING).update(
        next_attempt_at=None
    )


def _run_external_deliveries(event_ids: Sequence[UUID]) -> None:
    for delivery in Delivery.objects.filter(
        event_id__in=event_ids, status=DeliveryStatus.PENDING, next_attempt_at__isnull=False
    ):
        handler = registry.get_handler(delivery.handler)
        if handler and handler.is_external:
            run_delivery(delivery.pk, heed_limits=False)


# --- What was published -------------------------------------------------------------------------


def published(kind: Kind = "", /, **fields: Any) -> list[Event]:
    """The events that were published, in their order; of all tenants where none is current.

    Args:
        kind: a payload class or an event type; by default any.
        fields: what the payload says, in the payload's own types or as it stands in JSON.

    Raises:
        AssertionError: events of that type have no such field.
    """
    _check_fields(kind, fields)
    return [event for event in _events_of(kind) if not _differences(event, fields)]


def assert_published(kind: Kind, /, **fields: Any) -> Event:
    """The one event of that kind whose payload says that; see `published`.

    Raises:
        AssertionError: there is none, or more than one; it tells what was published instead.
    """
    found = published(kind, **fields)
    if len(found) != 1:
        raise AssertionError(_complaint("one", kind, fields, found))
    return found[0]


def assert_not_published(kind: Kind, /, **fields: Any) -> None:
    """See to it that no such event was published; see `published`.

    Raises:
        AssertionError: there is one; it tells which.
    """
    found = published(kind, **fields)
    if found:
        raise AssertionError(_complaint("no", kind, fields, found))


@contextmanager
def capture_events() -> Iterator[list[Event]]:
    """Collect what is published in the block, of whatever tenant: the list is filled at its end."""
    events: list[Event] = []
    before = Event.unscoped.aggregate(last=Max("position"))["last"] or 0
    yield events
    events += Event.unscoped.filter(position__gt=before).order_by("position")


def _events_of(kind: Kind) -> QuerySet[Event]:
    tenant = _current_tenant.get()
    events = Event.unscoped.filter(tenant=tenant) if tenant else Event.unscoped.all()
    return (events.filter(type=_type_of(kind)) if kind else events).order_by("position")


def _type_of(kind: Kind) -> str:
    return str(kind if isinstance(kind, str) else kind.event_type)


def _check_fields(kind: Kind, fields: dict[str, Any]) -> None:
    """A slip in a field's name must not look like an event that is missing."""
    if isinstance(kind, str):
        return
    for name in fields.keys() - kind.model_fields.keys():
        known = ", ".join(kind.model_fields)
        raise AssertionError(f"{kind.__name__} has no field “{name}” (fields: {known}).")


def _differences(event: Event, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that the event's payload says something else about → what it says."""
    typed = _typed(event)
    return {
        name: event.payload.get(name)
        for name, wanted in fields.items()
        if wanted not in (event.payload.get(name), getattr(typed, name, None))
    }


def _typed(event: Event) -> Payload | None:
    try:
        return event.data
    except (KeyError, ValueError):  # written directly into the table by a test
        return None


# --- One handler --------------------------------------------------------------------------------


def run_handler(
    handler: Handler | str | Callable[..., Any],
    /,
    *payloads: Payload,
    tenant: Tenant | None = None,
    occurred_at: datetime | None = None,
) -> list[Event]:
    """Run one handler, and no other, as if events with these payloads had just been published.

    What the handler raises reaches the test as it is, and takes the handler's database effects
    along; nothing is retried. An external handler runs in no transaction but the test's own.

    Args:
        handler: the decorated function, its name, or what `handler_of` yields.
        payloads: of the events; a batch handler gets them as one list, others one by one.
        tenant: whose events they are; by default the current tenant's.
        occurred_at: when it happened; by default now.

    Returns:
        The events that the handler published, in their order.

    Raises:
        LookupError: no such handler is registered.
        ValueError: the handler does not listen to such an event.
    """
    declared = _registered(handler)
    _check_listens(declared, payloads)
    tenant = tenant or current_tenant()
    with (
        tenant_context(tenant),
        translation.override(tenant.language),
        nullcontext() if declared.is_external else transaction.atomic(),
    ):
        events = publish_many(Draft(payload, occurred_at) for payload in payloads)
        _keep_from_others(declared, events)
        with capture_events() as caused:
            call_handler(declared, events)
    return caused


def _registered(handler: Handler | str | Callable[..., Any]) -> Handler:
    if isinstance(handler, Handler):
        return handler
    known = {declared.name: declared for declared in registry.all_handlers()}
    if isinstance(handler, str):
        if handler not in known:
            close = difflib.get_close_matches(handler, known, n=1)
            hint = f" Did you mean “{close[0]}”?" if close else ""
            raise LookupError(f"No handler is called “{handler}”.{hint}")
        return known[handler]
    matches = [declared for declared in known.values() if declared.function is handler]
    name = getattr(handler, "__name__", repr(handler))
    if not matches:
        raise LookupError(f"{name} is no handler: decorate it with @register_event_handler(…).")
    if len(matches) > 1:
        names = ", ".join(declared.name for declared in matches)
        raise LookupError(f"{name} is several handlers: give the name of one ({names}).")
    return matches[0]


def _check_listens(handler: Handler, payloads: Sequence[Payload]) -> None:
    for payload in payloads:
        if payload.event_type not in handler.types:
            listens_to = ", ".join(sorted(handler.types))
            raise ValueError(
                f"Handler “{handler.name}” does not listen to {payload.event_type}, "
                f"but to {listens_to}."
            )


def _keep_from_others(handler: Handler, events: list[Event]) -> None:
    """Settle the events already, so that `settle_events` leaves them alone."""
    ids = [event.id for event in events]
    Event.unscoped.filter(id__in=ids).update(status=EventStatus.PROCESSED, processed_at=Now())
    for event in events:
        event.idempotency_key = Delivery(event=event, handler=handler.name).idempotency_key


@contextmanager
def handler_of(
    *kinds: Kind, function: Callable[..., Any], name: str = "", **declared: Any
) -> Iterator[Handler]:
    """Register `function` as a handler for the length of a block; it is tried once.

    Args:
        kinds: payload classes or event types.
        declared: fields of `events.registry.Handler`, such as `effects="external"`, or
            `retry=RetryPolicy(max_attempts=3)`.
    """
    declared.setdefault("retry", RetryPolicy(max_attempts=1))
    handler = Handler(
        name=name or getattr(function, "__name__", "handler"),
        function=function,
        types=frozenset(map(_type_of, kinds)),
        **declared,
    )
    registry.add_handler(handler)
    try:
        check_event_types([handler])
        yield handler
    finally:
        registry.remove_handler(handler.name)


# --- What a failed assertion says ---------------------------------------------------------------


def _complaint(count: str, kind: Kind, fields: dict[str, Any], found: list[Event]) -> str:
    wanted = " with " + ", ".join(map(_field, fields.items())) if fields else ""
    expected = f"Expected {count} {_type_of(kind)}{wanted}"
    if found:
        return f"{expected}, but {len(found)} were published:\n{_lines(found)}"
    if similar := list(_events_of(kind)):
        told = _lines(similar, lambda event: _contradiction(event, fields))
        return f"{expected}, but none was published. Those of that type say:\n{told}"
    others = _lines(list(_events_of("")))
    return f"{expected}, but none was published. Published were:\n{others}"


def _contradiction(event: Event, fields: dict[str, Any]) -> str:
    differences = _differences(event, fields)
    return "  ≠ " + ", ".join(map(_field, differences.items()))


def _unfinished(event: Event) -> str:
    unfinished = event.deliveries.filter(status__in=[DeliveryStatus.PENDING])
    return "".join(
        f"\n    {delivery.handler}: {delivery.attempts} tries, {delivery.error or 'no error'}"
        for delivery in unfinished
    )


def _told(events: QuerySet[Event], more: Callable[[Event], str]) -> str:
    return _lines(list(events.order_by("position")), more)


def _lines(events: Sequence[Event], more: Callable[[Event], str] = lambda event: "") -> str:
    if not events:
        return "  nothing"
    left_out = len(events) - MOST_TOLD
    lines = [f"  … and {left_out} before"] if left_out > 0 else []
    return "\n".join(lines + [f"  {_line(event)}{more(event)}" for event in events[-MOST_TOLD:]])


def _line(event: Event) -> str:
    return f"{event.type}({', '.join(map(_field, event.payload.items()))})"


def _field(field: tuple[str, Any]) -> str:
    name, value = field
    text = str(value) if isinstance(value, UUID) else repr(value)
    return f"{name}={text if len(text) <= LONGEST_TOLD else text[:LONGEST_TOLD] + '…'}"
