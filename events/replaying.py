"""Replay: run failed deliveries again, as a durable job over a frozen selection."""

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import Count, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_noop

from events import registry
from events.models import Delivery, DeliveryStatus, Event, EventStatus, Replay, ReplayItem
from events.nudging import after_commit, nudge_events, nudge_replays
from events.outcomes import save_deliveries, save_events
from salesflow.accounts.context import _current_tenant
from salesflow.accounts.models import Tenant, User

# Kept on record in English, shown in the reader's language (`ReplayItem.note_label`).
NOTHING_TO_RUN = gettext_noop("nothing to run: no handler of this event failed")
STILL_PENDING = gettext_noop("still pending: its handlers have not finished")
ONLY_EXTERNAL = gettext_noop(
    "only handlers with external effects failed, and the replay leaves those out"
)
PRUNED = gettext_noop("the event was pruned")

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
    """Carry on every replay that has not finished, wherever its worker left it."""
    for replay_id in Replay.objects.filter(status=Replay.Status.RUNNING).values_list(
        "id", flat=True
    ):
        advance(replay_id)


def advance(replay_id: UUID) -> None:
    """Release all waiting items, batch by batch, and close the replay when all have answered."""
    while _release_next(replay_id):
        pass
    unfinished = [ReplayItem.Status.WAITING, ReplayItem.Status.RELEASED]
    open_items = ReplayItem.objects.filter(replay_id=replay_id, status__in=unfinished)
    if not open_items.exists():
        _finish(replay_id)


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


@transaction.atomic
def _release_next(replay_id: UUID) -> int:
    """Let the engine have the next batch of items; returns how many it took."""
    items = list(
        ReplayItem.objects.filter(replay_id=replay_id, status=ReplayItem.Status.WAITING)
        .select_for_update(skip_locked=True)
        .order_by("id")[: settings.EVENT_BATCH_SIZE]
    )
    if not items:
        return 0
    replay = Replay.objects.get(pk=replay_id)
    events = _lock_events([item.event_id for item in items])
    released = [_release(replay, item, events.get(item.event_id)) for item in items]
    ReplayItem.objects.bulk_update(items, ["status", "note"])
    to_run = [event for event in released if event]
    save_deliveries([d for event in to_run for d in event.deliveries.all() if d.replay_id])
    save_events(to_run)
    after_commit(nudge_events, len(to_run))
    return len(items)


def _lock_events(event_ids: list[UUID]) -> dict[UUID, Event]:
    """The events by id, held until the commit, with their deliveries."""
    events = (
        Event.unscoped.filter(id__in=event_ids)
        .select_for_update(no_key=True)
        .annotate(read_at=Now())
        .order_by("position")
        .prefetch_related("deliveries")
    )
    return {event.id: event for event in events}


def _release(replay: Replay, item: ReplayItem, event: Event | None) -> Event | None:
    """Reset what the replay runs again; returns the event if there is something to run."""
    if event is None:
        item.status, item.note = ReplayItem.Status.SKIPPED, PRUNED
        return None
    chosen, why_not = _choose(replay, event)
    if not chosen:
        item.status, item.note = ReplayItem.Status.SKIPPED, why_not
        return None
    for delivery in chosen:
        _reset(delivery, replay)
    item.status = ReplayItem.Status.RELEASED
    event.status, event.processed_at = EventStatus.PENDING, None
    event.due_at = event.read_at  # type: ignore[attr-defined]
    return event


def _choose(replay: Replay, event: Event) -> tuple[list[Delivery], str]:
    """The deliveries that the replay runs again, or why there are none."""
    if event.status == EventStatus.PENDING:
        return [], STILL_PENDING
    deliveries = list(event.deliveries.all())
    if replay.handlers:
        wanted = [delivery for delivery in deliveries if delivery.handler in replay.handlers]
    else:
        wanted = [d for d in deliveries if d.status == DeliveryStatus.FAILED]
    chosen = [d for d in wanted if replay.include_external or not _skipped_on_replay(d)]
    return chosen, ONLY_EXTERNAL if wanted else NOTHING_TO_RUN


def _skipped_on_replay(delivery: Delivery) -> bool:
    handler = registry.get_handler(delivery.handler)
    return handler is not None and handler.on_replay == "skip"


def _reset(delivery: Delivery, replay: Replay) -> None:
    delivery.status = DeliveryStatus.PENDING
    delivery.failures = 0
    delivery.next_attempt_at = None
    delivery.replay_id = replay.id


def progress_of(replay: Replay) -> dict[str, int]:
    """How many items of the replay are in which status."""
    if replay.status == Replay.Status.FINISHED:
        told = {str(status): getattr(replay, status) for status in ANSWERS}
        return dict.fromkeys(ReplayItem.Status.values, 0) | told
    return _counts(ReplayItem.objects.filter(replay=replay))


def _counts(items: models.QuerySet[ReplayItem]) -> dict[str, int]:
    statuses = ReplayItem.Status.values
    return items.aggregate(**{name: Count("id", filter=Q(status=name)) for name in statuses})
