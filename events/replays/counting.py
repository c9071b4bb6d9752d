"""Counting: what a plan's frozen events hold, added up chunk by chunk."""

from collections import Counter
from dataclasses import replace
from typing import Any

from django.db.models import QuerySet

from events import registry
from events.models import Event, EventStatus, Replay
from events.replays.meaning import given_up, meant
from events.rows import fetch_rows
from events.selections import Selection

# How far what is left out is counted.
MOST_COUNTED = 10_000
# So many subjects of each external handler are named: whom it would reach.
SUBJECTS_SHOWN = 5

COUNT_EVENTS = """
    SELECT events.type, events.tenant_id, count(*) FROM replay_items AS item
    JOIN events ON events.id = item.event_id
    WHERE item.replay_id = %(replay)s AND item.id >= %(first)s GROUP BY 1, 2
"""
# Events by the sets of handlers that have failed, that succeeded, and whose failure somebody has
# given up: from these follows what any choice would run.
COUNT_COMBINATIONS = """
    SELECT failed, succeeded, given_up, count(*) FROM (
        SELECT array_agg(handler::text ORDER BY handler)
                   FILTER (WHERE deliveries.status = 'failed') AS failed,
               array_agg(handler::text ORDER BY handler)
                   FILTER (WHERE deliveries.status = 'succeeded') AS succeeded,
               array_agg(handler::text ORDER BY handler)
                   FILTER (WHERE other.id IS NOT NULL) AS given_up
        FROM replay_items AS item LEFT JOIN deliveries ON deliveries.event_id = item.event_id
        LEFT JOIN replays AS other ON other.id = deliveries.replay_id
          AND other.kind = 'give_up' AND deliveries.status = 'skipped'
        WHERE item.replay_id = %(replay)s AND item.id >= %(first)s GROUP BY item.event_id
    ) AS ended GROUP BY 1, 2, 3
"""
SECONDS = """
    SELECT deliveries.handler, avg(deliveries.duration_ms) / 1000 FROM (
        SELECT event_id FROM replay_items
        WHERE replay_id = %(replay)s AND id >= %(first)s ORDER BY id LIMIT 1000
    ) AS item JOIN deliveries ON deliveries.event_id = item.event_id
    WHERE deliveries.status IN ('failed', 'succeeded') GROUP BY 1
"""
FIRST_SUBJECTS = """
    SELECT events.subject_type, events.subject_id FROM replay_items AS item
    JOIN events ON events.id = item.event_id
    JOIN deliveries ON deliveries.event_id = item.event_id
    WHERE item.replay_id = %(replay)s AND item.id >= %(first)s AND deliveries.handler = %(handler)s
      AND deliveries.status IN ('failed', 'succeeded')
    ORDER BY deliveries.status, item.id LIMIT %(most)s
"""


def count_chunk(replay: Replay, first_item: int) -> None:
    """Add what the items from this one on hold to the replay's plan; all numbers are exact."""
    of, plan = {"replay": replay.id, "first": first_item}, replay.plan
    types, tenants = Counter(plan.get("types")), Counter(plan.get("tenants"))
    for event_type, tenant_id, number in fetch_rows(COUNT_EVENTS, of):
        types[event_type] += number
        tenants[str(tenant_id)] += number
    plan |= {"types": dict(types), "tenants": dict(tenants)}
    plan["combinations"] = _with_combinations(plan.get("combinations", []), of)
    if "seconds" not in plan:
        plan["seconds"] = {name: float(each or 0) for name, each in fetch_rows(SECONDS, of)}
    plan["subjects"] = _with_subjects(plan, of)


def _with_combinations(known: list[Any], of: dict[str, Any]) -> list[Any]:
    """The combinations with those of a chunk, each [failed, number, succeeded, given up]."""
    sums: Counter[tuple[tuple[str, ...], ...]] = Counter()
    for failed, number, *others in known:
        sums[tuple(map(tuple, (failed, *others)))] += number
    for *handlers, number in fetch_rows(COUNT_COMBINATIONS, of):
        sums[tuple(tuple(names or ()) for names in handlers)] += number
    return [
        [list(failed), number, *map(list, others)]
        for (failed, *others), number in sums.most_common()
    ]


def _with_subjects(plan: dict[str, Any], of: dict[str, Any]) -> dict[str, Any]:
    """Whom the handlers with external effects would reach, as far as a plan names them."""
    known: dict[str, Any] = plan.get("subjects", {})
    names = {
        name for failed, _number, done, *_rest in plan["combinations"] for name in (*failed, *done)
    }
    for name in filter(registry.wants_consent, sorted(names)):
        named = known.get(name, [])
        if left := SUBJECTS_SHOWN - len(named):
            found = fetch_rows(FIRST_SUBJECTS, of | {"handler": name, "most": left})
            known[name] = named + [[kind, str(subject or "")] for kind, subject in found]
    return known


def left_out(replay: Replay, selection: Selection, rows: QuerySet[Event]) -> dict[str, int]:
    """Status → how many events of the selection are not meant, counted up to MOST_COUNTED + 1.

    Beside those that failed, the pending ones are told that a handler has given up already.
    """
    rest: dict[str, QuerySet[Event]] = {}
    events = selection.events(rows)
    if meant(replay, selection, events) is not events:
        processed, pending = (
            events.filter(status=status) for status in (EventStatus.PROCESSED, EventStatus.PENDING)
        )
        if replay.kind != Replay.Kind.CORRECTION:
            pending = pending.exclude(pk__in=given_up(pending, selection).values("pk"))
        rest = {EventStatus.PROCESSED: processed, EventStatus.PENDING: pending}
    elif selection.status == EventStatus.FAILED:
        unfinished = replace(selection, status=EventStatus.PENDING)
        rest = {EventStatus.PENDING: given_up(unfinished.events(rows), selection)}
    counts = {
        str(status): found.order_by()[: MOST_COUNTED + 1].count() for status, found in rest.items()
    }
    return {status: number for status, number in counts.items() if number}
