"""Handlers that leave one trace for each run, and fail as their parcel's fate has it."""

import json
import os
import random
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import connection
from django.db.models import F

from events import Permanent, Retry, publish, register_event_handler
from events.models import Event
from salesflow.accounts.context import current_tenant
from tests.chaos.workload.models import Counter, Effect, Repair
from tests.chaos.workload.payloads import ParcelCalled, ParcelCounted, ParcelEchoed, ParcelQueued
from tests.chaos.workload.places import calls_file, poison_file
from tests.chaos.workload.sabotage import Sabotage, sabotaged

# Seconds that handlers take; the slow ones are there to be killed and frozen in the middle.
CALL_SECONDS = (0.0, 0.02)
SLOW_CALL_SECONDS = (0.5, 1.5)
SLOW_SECONDS = (0.1, 0.3)
# The slow parcels that this process has seen.
seen: set[str] = set()


@register_event_handler(ParcelCounted.event_type, batch=True)
def tally_in_batch(events: list[Event]) -> None:
    """Leave a trace of each, and add them to a row that all workers write."""
    _tally("tally_in_batch", events)
    Counter.objects.filter(tenant_id=events[0].tenant_id).update(total=F("total") + len(events))


@register_event_handler(ParcelCounted.event_type)
def tally_singly(event: Event) -> None:
    """Leave a trace; some fail once, some always, some kill the process, some publish on."""
    fate = event.payload["fate"]
    _tally("tally_singly", [event])
    if fate == "slow":
        be_slow(event)
    if fate == "poison":
        note_line(poison_file(Path(settings.HOME)), {"pid": os.getpid()})
        os.abort()
    if fate == "mended" and not _is_mended(event):
        raise RuntimeError("This parcel waits for its repair.")
    if fate == "doomed" or (fate == "flaky" and is_first_try(event, "tally_singly")):
        raise RuntimeError(f"This parcel is {fate}.")
    if fate == "echoing":
        publish(ParcelEchoed(**event.payload))


@register_event_handler(ParcelEchoed.event_type)
def tally_echo(event: Event) -> None:
    """Leave a trace of what a handler published."""
    _tally("tally_echo", [event])


@register_event_handler(ParcelQueued.event_type, ordered=True)
def tally_in_order(event: Event) -> None:
    """Leave a trace; the ids of a series' traces are to rise with the parcels' numbers."""
    _tally("tally_in_order", [event])
    if event.payload["fate"] == "slow":
        be_slow(event)
    if event.payload["fate"] == "flaky" and is_first_try(event, "tally_in_order"):
        raise RuntimeError("This parcel is flaky.")


@register_event_handler(
    ParcelCalled.event_type, effects="external", max_attempts=20, timeout=5, on_replay="run"
)
def call_outside(event: Event) -> None:
    """Note the call in a file, as a service outside would, then fail as the fate has it."""
    fate = event.payload["fate"]
    note_line(
        calls_file(Path(settings.HOME)),
        {
            "key": event.idempotency_key,
            "event": str(event.id),
            "parcel": event.payload["parcel_id"],
            "tenant": str(current_tenant().id),
            "in_transaction": connection.in_atomic_block or not connection.get_autocommit(),
        },
    )
    take_time(SLOW_CALL_SECONDS if fate == "slow" else CALL_SECONDS)
    if fate == "hopeless":
        raise Permanent("The recipient does not exist.")
    if fate == "flaky" and is_first_try(event, "call_outside"):
        raise RuntimeError("This parcel is flaky.")
    if fate == "later" and is_first_try(event, "call_outside"):
        raise Retry(after=0.5)


def be_slow(event: Event) -> None:
    """Take time, once in a process: where a batch is halved, each half would be as slow again."""
    parcel_id = event.payload["parcel_id"]
    if parcel_id not in seen:
        seen.add(parcel_id)
        take_time(SLOW_SECONDS)


def take_time(seconds: tuple[float, float]) -> None:
    """Be busy for as long as chance decides."""
    time.sleep(random.uniform(*seconds))


def note_line(path: Path, line: dict[str, object]) -> None:
    """Append a line in one write, which several processes may do at once."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, f"{json.dumps(line)}\n".encode())
    finally:
        os.close(descriptor)


def is_first_try(event: Event, handler: str) -> bool:
    """Whether the engine has no failure of this event at this handler on its books."""
    return not event.deliveries.filter(handler=handler, failures__gt=0).exists()


def _is_mended(event: Event) -> bool:
    return Repair.objects.filter(pk=event.payload["parcel_id"]).exists()


def _tally(handler: str, events: Sequence[Event]) -> None:
    if sabotaged(Sabotage.EFFECTS):
        _tally_outside_the_transaction(handler, events)
        return
    Effect.objects.bulk_create([_effect(handler, event) for event in events])


def _effect(handler: str, event: Event) -> Effect:
    return Effect(
        handler=handler,
        event_id=event.id,
        parcel_id=event.payload["parcel_id"],
        tenant_id=current_tenant().id,  # on whose behalf the engine runs this
        series_id=event.payload["series_id"],
        number=event.payload["number"],
    )


def _tally_outside_the_transaction(handler: str, events: Sequence[Event]) -> None:
    """What no handler may do: its effect stays when the settling is rolled back."""
    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as connection:
        for event in events:
            effect = _effect(handler, event)
            connection.execute(
                "INSERT INTO chaos_effect"
                " (handler, event_id, parcel_id, tenant_id, series_id, number)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                [
                    *(effect.handler, effect.event_id, effect.parcel_id),
                    *(effect.tenant_id, effect.series_id, effect.number),
                ],
            )
