"""Replay: run failed deliveries again, as a durable job over a frozen selection."""

import time
from collections.abc import Sequence
from uuid import UUID

from django.db import connection, models, transaction
from django.db.models import Count, Q
from django.db.models.functions import Now

from events import registry
from events.models import Event, Replay, ReplayItem
from events.nudging import after_commit, nudge_replays
from events.releasing import release_next
from salesflow.accounts.context import _current_tenant
from salesflow.accounts.models import Tenant, User

# Seconds that a sweep may spend on releasing.
TURN = 1.0
# What can come of an item; the columns of a finished replay that count them are called the same.
ANSWERS = [ReplayItem.Status.SUCCEEDED, ReplayItem.Status.FAILED, ReplayItem.Status.SKIPPED]


def replay_event(
    event_id: UUID | str,
    *,
    reason: str = "",
    handlers: Sequence[str] = (),
    include_external: bool = False,
    actor: User | None = None,
) -> Replay:
    """Replay one event; its handlers run in a worker.

    Args:
        event_id: an event of the current tenant; of any where none is current (a shell).
        reason: why, for the record.
        handlers: run these again, whatever came of them; by default those that failed.
        include_external: also run handlers that are skipped on replay.

    Raises:
        Event.DoesNotExist: no such event, or another tenant's.
        ValueError: an unknown handler.
    """
    tenant = _current_tenant.get()
    events = Event.unscoped.filter(pk=event_id)
    events = events.filter(tenant=tenant) if tenant else events
    if not events.exists():
        raise Event.DoesNotExist(f"There is no event {event_id}.")
    replay = start_replay(
        events,
        reason=reason,
        handlers=handlers,
        include_external=include_external,
        actor=actor,
    )
    advance(replay.id)
    return replay


def start_replay(
    events: models.QuerySet[Event],
    *,
    reason: str,
    handlers: Sequence[str] = (),
    include_external: bool = False,
    actor: User | None = None,
    tenant: Tenant | None = None,
) -> Replay:
    """Freeze a selection of events and replay it in the background; see `replay_event`.

    Args:
        events: the selection; what joins it later stays out.
        tenant: whose replay it is, by default the current tenant's; None spans tenants.

    Raises:
        ValueError: an unknown handler.
    """
    _refuse_unknown(handlers)
    with transaction.atomic():
        replay = Replay.objects.create(
            tenant=tenant or _current_tenant.get(),
            reason=reason,
            actor=actor,
            handlers=list(handlers),
            include_external=include_external,
        )
        replay.selected = _freeze(replay, events)
        replay.save(update_fields=["selected"])
        after_commit(nudge_replays)
    return replay


def _refuse_unknown(handlers: Sequence[str]) -> None:
    unknown = [name for name in handlers if registry.get_handler(name) is None]
    if unknown:
        known = ", ".join(handler.name for handler in registry.all_handlers())
        raise ValueError(f"Unknown handler “{unknown[0]}” (handlers: {known}).")


def _freeze(replay: Replay, events: models.QuerySet[Event]) -> int:
    """Write the selection's ids as items, in the order of the log; returns how many."""
    sql, params = events.order_by("position").values("id").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO replay_items (replay_id, event_id, status, note) "  # noqa: S608
            f"SELECT %s, selection.id, 'waiting', '' FROM ({sql}) AS selection",
            [replay.id, *params],
        )
        return int(cursor.rowcount)


# --- Running ------------------------------------------------------------------------------------


def advance_running_replays() -> None:
    """Carry on every replay that has not finished, wherever its worker left it.

    For a moment alone: whoever calls this has other work. What is left is asked for anew.
    """
    give_way_at = time.monotonic() + TURN
    running = Replay.objects.filter(status=Replay.Status.RUNNING).values_list("id", flat=True)
    for replay_id in running:
        if not advance(replay_id, give_way_at):
            nudge_replays()


def advance(replay_id: UUID, give_way_at: float = float("inf")) -> bool:
    """Release waiting items, chunk by chunk, and close the replay when all have answered.

    Args:
        give_way_at: when to stop, on the monotonic clock.

    Returns:
        Whether all items are released.
    """
    while release_next(replay_id):
        if time.monotonic() > give_way_at:
            return False
    unfinished = [ReplayItem.Status.WAITING, ReplayItem.Status.RELEASED]
    open_items = ReplayItem.objects.filter(replay_id=replay_id, status__in=unfinished)
    if not open_items.exists():
        _finish(replay_id)
    return True


def _finish(replay_id: UUID) -> None:
    """Close a replay whose items have all answered, and keep what came of it on its own row."""
    items = ReplayItem.objects.filter(replay_id=replay_id)
    skipped = items.filter(status=ReplayItem.Status.SKIPPED).values_list("note")
    counts = _counts(items)
    Replay.objects.filter(pk=replay_id, status=Replay.Status.RUNNING).update(
        status=Replay.Status.FINISHED,
        finished_at=Now(),
        skipped_because=dict(skipped.annotate(Count("id"))),
        **{status: counts[status] for status in ANSWERS},
    )


def progress_of(replay: Replay) -> dict[str, int]:
    """How many items of the replay are in which status."""
    if replay.status == Replay.Status.FINISHED:
        told = {str(status): getattr(replay, status) for status in ANSWERS}
        return dict.fromkeys(ReplayItem.Status.values, 0) | told
    return _counts(ReplayItem.objects.filter(replay=replay))


def _counts(items: models.QuerySet[ReplayItem]) -> dict[str, int]:
    statuses = ReplayItem.Status.values
    return items.aggregate(**{name: Count("id", filter=Q(status=name)) for name in statuses})
