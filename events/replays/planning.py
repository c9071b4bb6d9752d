"""Planning: which events a replay will run is frozen and counted before it runs."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import QuerySet, Value
from django.db.models.functions import Now

from events import registry
from events.models import Event, EventStatus, FailureGroup, Replay
from events.nudging import after_commit, nudge_replays
from events.rows import fetch_rows
from events.selections import Selection
from salesflow.accounts.models import Tenant, User
from salesflow.accounts.queries import visible_rows

# Selections that are larger are frozen in the background: nobody waits for their page.
MOST_AT_ONCE = 10_000
# How far what is left out is counted.
MOST_COUNTED = 10_000
# A plan that nobody starts is forgotten: by then it is not any more what its planner has seen.
PLAN_LASTS = timedelta(days=1)
# So many subjects of each external handler are named: whom it would reach.
SUBJECTS_SHOWN = 5

FREEZE = """
    INSERT INTO replay_items (replay_id, event_id, status, note)
    SELECT %s, selection.id, 'waiting', '' FROM ({}) AS selection ORDER BY selection.position
"""
FORGET_ITEMS = "DELETE FROM replay_items WHERE replay_id = ANY(%s)"
COUNT_EVENTS = """
    SELECT events.type, events.tenant_id, count(*) FROM replay_items AS item
    JOIN events ON events.id = item.event_id WHERE item.replay_id = %(replay)s GROUP BY 1, 2
"""
# Events by the set of handlers that are meant: from these follows what any choice would run.
COUNT_COMBINATIONS = """
    SELECT handlers, count(*) FROM (
        SELECT array_agg(deliveries.handler::text ORDER BY deliveries.handler) FILTER (
            WHERE CASE WHEN %(named)s::text[] = '{}' THEN deliveries.status = 'failed'
                ELSE deliveries.handler = ANY(%(named)s::text[])
                    AND (deliveries.status = 'failed' OR NOT %(only_failed)s)
            END
        ) AS handlers
        FROM replay_items AS item LEFT JOIN deliveries ON deliveries.event_id = item.event_id
        WHERE item.replay_id = %(replay)s GROUP BY item.event_id
    ) AS meant GROUP BY handlers ORDER BY count(*) DESC
"""
SECONDS = """
    SELECT deliveries.handler, avg(deliveries.duration_ms) / 1000 FROM (
        SELECT event_id FROM replay_items WHERE replay_id = %(replay)s ORDER BY id LIMIT 1000
    ) AS item JOIN deliveries ON deliveries.event_id = item.event_id
    WHERE deliveries.status = 'failed' GROUP BY 1
"""
FIRST_SUBJECTS = """
    SELECT events.subject_type, events.subject_id FROM replay_items AS item
    JOIN events ON events.id = item.event_id
    JOIN deliveries ON deliveries.event_id = item.event_id
    WHERE item.replay_id = %(replay)s AND deliveries.handler = %(handler)s
      AND deliveries.status = 'failed' ORDER BY item.id LIMIT %(most)s
"""


# --- Planning -----------------------------------------------------------------------------------


@transaction.atomic
def plan_replay(
    selection: Selection,
    rows: QuerySet[Event],
    *,
    handlers: Sequence[str] = (),
    include_external: bool = False,
    actor: User | None = None,
    tenant: Tenant | None = None,
    kind: str = Replay.Kind.REPLAY,
    patch: Any = None,
) -> Replay:
    """Freeze a selection and count what it holds; nothing runs before `actions.start`.

    Args:
        selection: which events. Without a status those that failed are meant, unless handlers are
            named; where it names a handler or a group, that handler alone is to run again.
        rows: what the planner may see.
        handlers: run these again, whatever came of them; by default those that failed.
        include_external: also run handlers that are skipped on replay.
        tenant: whose replay it is; by default the one tenant of its events, if they have one.
        kind: a correction publishes its events anew, with their payloads changed by `patch`.

    Raises:
        ValueError: an unknown handler.
    """
    replay = _draft(
        selection,
        handlers=list(handlers),
        include_external=include_external,
        actor=actor,
        tenant=tenant,
        kind=kind,
        patch=patch,
    )
    fill_plan(replay, rows)
    return replay


@transaction.atomic
def plan_for_page(
    selection: Selection, *, actor: User, kind: str = Replay.Kind.REPLAY, patch: Any = None
) -> Replay:
    """As `plan_replay`, of what the actor may see; more than a page can wait for at the next sweep.

    Returns:
        The plan, or the replay that is “being planned”.
    """
    replay = _draft(selection, actor=actor, kind=kind, patch=patch)
    rows = visible_rows(actor, Event)
    if _meant(replay, selection.events(rows)).order_by()[: MOST_AT_ONCE + 1].count() > MOST_AT_ONCE:
        after_commit(nudge_replays)
    else:
        fill_plan(replay, rows)
    return replay


def _draft(selection: Selection, *, handlers: Sequence[str] = (), **given: Any) -> Replay:
    refuse_unknown(handlers)
    failed_at = "" if handlers else _handler_of(selection)
    replay: Replay = Replay.objects.create(
        status=Replay.Status.PLANNING,
        selection=selection.as_json(),
        handlers=list(handlers) or ([failed_at] if failed_at else []),
        only_failed=bool(failed_at) and selection.status in ("", EventStatus.FAILED),
        **given,
    )
    return replay


def _handler_of(selection: Selection) -> str:
    """The one handler whose failures are meant, if there is one."""
    if selection.handler or not selection.group:
        return selection.handler
    groups = FailureGroup.unscoped.filter(fingerprint=selection.group)
    return groups.values_list("handler", flat=True).first() or ""


def refuse_unknown(handlers: Iterable[str]) -> None:
    """Raise ValueError for the first name that no handler has."""
    unknown = [name for name in handlers if registry.get_handler(name) is None]
    if unknown:
        known = ", ".join(handler.name for handler in registry.all_handlers())
        raise ValueError(f"Unknown handler “{unknown[0]}” (handlers: {known}).")


def fill_plans() -> None:
    """Freeze what `plan_for_page` has left; one that was interrupted begins anew."""
    waiting = Replay.objects.filter(status=Replay.Status.PLANNING).order_by("id")
    for replay_id in waiting.values_list("id", flat=True):
        with transaction.atomic():
            held = waiting.filter(pk=replay_id).select_for_update(skip_locked=True, of=["self"])
            if (replay := held.select_related("actor").first()) and replay.actor:
                fill_plan(replay, visible_rows(replay.actor, Event))


def fill_plan(replay: Replay, rows: QuerySet[Event]) -> None:
    """Freeze the replay's selection among `rows`, and count it."""
    selection = Selection.from_json(replay.selection)
    events = selection.events(rows)
    narrowed = _meant(replay, events)
    replay.selected = freeze(replay, narrowed)
    replay.plan = _counted(replay) | {"left_out": _left_out(events, narrowed, selection)}
    if replay.tenant_id is None and len(replay.plan["tenants"]) == 1:
        [replay.tenant_id] = map(UUID, replay.plan["tenants"])
    replay.status = Replay.Status.PLANNED
    replay.save(update_fields=["selected", "plan", "tenant", "status"])


def _meant(replay: Replay, events: QuerySet[Event]) -> QuerySet[Event]:
    """Those of the selection that failed, unless others are asked for."""
    names_handlers = replay.handlers and not replay.only_failed
    if replay.kind == Replay.Kind.REPLAY and (replay.selection.get("status") or names_handlers):
        return events
    return events.filter(status=EventStatus.FAILED)


def freeze(replay: Replay, events: QuerySet[Event]) -> int:
    """Write the selection's ids as items, in the order of the log; returns how many."""
    # A selection that is cut off has its own order already.
    chosen = events if events.query.is_sliced else events.order_by()
    try:
        statement, params = chosen.values("id", "position").query.sql_with_params()
    except EmptyResultSet:  # what Django raises where it knows that nothing is selected
        return 0
    with connection.cursor() as cursor:
        cursor.execute(FREEZE.format(statement), [replay.id, *params])
        return int(cursor.rowcount)


def expire_plans() -> None:
    """Cancel the plans that nobody has started for a day."""
    planned = Replay.objects.filter(status__in=[Replay.Status.PLANNING, Replay.Status.PLANNED])
    old = planned.filter(created_at__lt=Now() - Value(PLAN_LASTS)).order_by("id")
    with transaction.atomic():
        ids = list(old.select_for_update(skip_locked=True).values_list("id", flat=True)[:100])
        ended = Replay.objects.filter(pk__in=ids)
        ended.update(status=Replay.Status.CANCELLED, finished_at=Now())
        forget_items(ids)


def forget_items(replay_ids: Sequence[UUID]) -> None:
    """Delete the items of plans that ended without a start: each look at one may freeze many."""
    if replay_ids:
        with connection.cursor() as cursor:
            cursor.execute(FORGET_ITEMS, [list(replay_ids)])
        Replay.objects.filter(pk__in=replay_ids).update(pruned_at=Now())


# --- Counting -----------------------------------------------------------------------------------


def _counted(replay: Replay) -> dict[str, Any]:
    """What the frozen items hold; all numbers are exact."""
    types: Counter[str] = Counter()
    tenants: Counter[str] = Counter()
    of = {"replay": replay.id}
    for event_type, tenant_id, number in fetch_rows(COUNT_EVENTS, of):
        types[event_type] += number
        tenants[str(tenant_id)] += number
    meant = of | {"named": replay.handlers, "only_failed": replay.only_failed}
    combinations = [
        [handlers or [], number] for handlers, number in fetch_rows(COUNT_COMBINATIONS, meant)
    ]
    external = [name for name in _names_in(combinations) if registry.wants_consent(name)]
    return {
        "types": dict(types.most_common()),
        "tenants": dict(tenants.most_common()),
        "combinations": combinations,
        "seconds": {name: float(each or 0) for name, each in fetch_rows(SECONDS, of)},
        "subjects": {name: _subjects_of(replay, name) for name in external},
    }


def _names_in(combinations: list[Any]) -> list[str]:
    return sorted({name for handlers, _number in combinations for name in handlers})


def _subjects_of(replay: Replay, handler: str) -> list[list[str]]:
    values = {"replay": replay.id, "handler": handler, "most": SUBJECTS_SHOWN}
    return [[kind, str(subject or "")] for kind, subject in fetch_rows(FIRST_SUBJECTS, values)]


def _left_out(
    events: QuerySet[Event], narrowed: QuerySet[Event], selection: Selection
) -> dict[str, int]:
    """Status → how many events of the selection are not failed, counted up to MOST_COUNTED + 1."""
    if narrowed is events or selection.handler or selection.group:
        return {}
    others = [EventStatus.PROCESSED, EventStatus.PENDING]
    counts = {
        str(status): events.filter(status=status).order_by()[: MOST_COUNTED + 1].count()
        for status in others
    }
    return {status: number for status, number in counts.items() if number}
