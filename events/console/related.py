"""What belongs to an event: what caused it and what it caused, its request, its corrections."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from events.models import Event
from events.rows import fetch_rows
from salesflow.accounts.ids import first_uuid7_of

SHOWN = 20
LONGEST_REQUEST = timedelta(days=1)
# Levels of causes above an event and of effects below it; effects of one event, and in all.
HIGHEST, DEEPEST, WIDEST, MOST = 10, 6, 10, 120

# Breadth first, so that what is near is found before there are too many; sorted into a tree after.
# Each step reads the primary key or events_by_cause. `path` ends circles, should rows have any.
TREE = """
    WITH RECURSIVE causes AS (
        SELECT id, cause_id, 0 AS level, ARRAY[id] AS path FROM events WHERE id = %(id)s
        UNION ALL
        SELECT cause.id, cause.cause_id, causes.level - 1, causes.path || cause.id
        FROM causes JOIN events AS cause ON cause.id = causes.cause_id
        WHERE cause.tenant_id = %(tenant)s AND cause.id <> ALL(causes.path)
          AND causes.level > -%(highest)s
    ), effects AS (
        SELECT %(id)s::uuid AS id, 0 AS level, ARRAY[%(id)s::uuid] AS path
        UNION ALL
        SELECT effect.id, effects.level + 1, effects.path || effect.id
        FROM effects, LATERAL (
            SELECT id FROM events
            WHERE cause_id = effects.id AND tenant_id = %(tenant)s AND id <> ALL(effects.path)
            ORDER BY id LIMIT %(widest)s + 1
        ) AS effect
        WHERE effects.level < %(deepest)s
    ), nearest AS (
        SELECT * FROM effects LIMIT %(most)s + 1
    )
    SELECT id, level, ARRAY[]::uuid[] AS path FROM causes WHERE level < 0
    UNION ALL
    SELECT id, level, path FROM nearest
    ORDER BY path, level
"""


@dataclass(frozen=True)
class Node:
    """An event in the tree.

    Attributes:
        depth: how far it is from the top.
        is_this: it is the one whose tree this is.
        is_left_out: it stands for all further effects of the event above it.
    """

    event: Event
    depth: int
    is_this: bool
    is_left_out: bool


@dataclass(frozen=True)
class Tree:
    """What led to an event and what followed, from the top."""

    nodes: list[Node]
    is_cut: bool


def tree_of(event: Event) -> Tree:
    """The causes and effects of an event, of its own tenant; two queries.

    At most `HIGHEST` causes, `WIDEST` effects of each event, and `MOST` in all.
    """
    values = {"highest": HIGHEST, "widest": WIDEST, "deepest": DEEPEST, "most": MOST}
    rows = fetch_rows(TREE, {"id": event.pk, "tenant": event.tenant_id, **values})
    top = min(level for _id, level, _path in rows)
    found = _events(event, [id_ for id_, _level, _path in rows])
    left_out = _beyond_widest(rows)
    nodes = [
        Node(found[id_], level - top, id_ == event.pk, id_ in left_out)
        for id_, level, path in rows
        if id_ in found and left_out.isdisjoint(path[:-1])
    ]
    return Tree(nodes[: MOST + HIGHEST], is_cut=len(rows) > MOST)


def _beyond_widest(rows: list[tuple[UUID, int, list[UUID]]]) -> set[UUID]:
    """The effects that were found only to know that their cause has more than are shown."""
    of_cause = defaultdict[UUID, list[UUID]](list)
    for id_, _level, path in rows:
        if len(path) > 1:
            of_cause[path[-2]].append(id_)
    return {id_ for effects in of_cause.values() for id_ in effects[WIDEST:]}


def _events(event: Event, ids: list[UUID]) -> dict[UUID, Event]:
    if ids == [event.pk]:
        return {event.pk: event}
    return Event.unscoped.defer("payload").in_bulk(ids)


def first_of(rows: QuerySet[Any]) -> dict[str, Any]:
    """The first rows, and whether there are more."""
    found = list(rows[: SHOWN + 1])
    return {"rows": found[:SHOWN], "more": len(found) > SHOWN}


def same_request(event: Event) -> QuerySet[Event]:
    """The other events of the request that published it."""
    others = Event.unscoped.filter(tenant_id=event.tenant_id).exclude(pk=event.pk)
    if not event.request_id:
        return others.none()
    # Near by, for an import may have published more than can be sorted.
    near = {
        "id__gte": first_uuid7_of(event.created_at, -LONGEST_REQUEST),
        "id__lt": first_uuid7_of(event.created_at, LONGEST_REQUEST),
    }
    rows = others.filter(request_id=event.request_id, **near)
    return rows.defer("payload").order_by("id")


def corrections_around(event: Event) -> list[Event]:
    """What the event corrects and what corrects it, in the order in which they were published."""
    around = Q(corrects_id=event.pk) | Q(pk=event.corrects_id)
    rows = Event.unscoped.filter(around, tenant_id=event.tenant_id).defer("payload")
    return list(rows.order_by("id")[:SHOWN])
