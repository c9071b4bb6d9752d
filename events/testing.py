"""For tests of code that publishes or handles events."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from events import registry
from events.external import run_delivery
from events.models import Delivery, DeliveryStatus, Event, EventStatus
from events.registry import Handler, check_event_types
from events.retry import RetryPolicy
from events.settling import settle

MOST_ROUNDS = 50


def settle_events() -> int:
    """Settle all pending events here and now, through the functions that workers call.

    Events published by handlers are settled too; waits between retries are not slept through.

    Returns:
        How many times an event was taken.
    """
    taken = 0
    for _round in range(MOST_ROUNDS):
        pending = Event.unscoped.filter(status=EventStatus.PENDING)
        ids = list(pending.order_by("position").values_list("id", flat=True))
        if not ids:
            return taken
        _let_time_pass(ids)
        taken += settle(ids)
        _run_external_deliveries(ids)
    raise AssertionError(f"Events are still pending after {MOST_ROUNDS} rounds.")


def _let_time_pass(event_ids: list[Any]) -> None:
    Delivery.objects.filter(event_id__in=event_ids, status=DeliveryStatus.PENDING).update(
        next_attempt_at=None
    )


def _run_external_deliveries(event_ids: list[Any]) -> None:
    for delivery in Delivery.objects.filter(
        event_id__in=event_ids, status=DeliveryStatus.PENDING, next_attempt_at__isnull=False
    ):
        handler = registry.get_handler(delivery.handler)
        if handler and handler.is_external:
            run_delivery(delivery.pk)


@contextmanager
def handler_of(
    *types: str, function: Callable[..., Any], name: str = "", **declared: Any
) -> Iterator[Handler]:
    """Register `function` as a handler for the length of a block.

    Args:
        declared: fields of `events.registry.Handler`, such as `effects="external"`.
    """
    declared.setdefault("retry", RetryPolicy(max_attempts=1))
    handler = Handler(
        name=name or getattr(function, "__name__", "handler"),
        function=function,
        types=frozenset(map(str, types)),
        **declared,
    )
    registry.add_handler(handler)
    try:
        check_event_types([handler])
        yield handler
    finally:
        registry.remove_handler(handler.name)
