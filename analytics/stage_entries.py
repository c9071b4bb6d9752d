"""Writes which stages leads came into and left, and how far along they got.

A dating corrects when its lead came into the stage that it was in at that place of the log. It is
kept as a fact of its own, since it may be handled before the entry that it corrects."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import zip_longest
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from analytics.event_facts import write_event_facts
from analytics.models import LeadFact, StageDating, StageEntry
from events.models import Event
from events.rows import update_rows
from leads.models import Outcome
from leads.payloads import LeadCreated, LeadStageChanged, LeadUpdated
from salesflow.accounts.context import current_tenant


class Stay(NamedTuple):
    """One entry of a lead as it is stored, with what the lead's fact says; sorts in the order of
    the lead's way."""

    lead_id: UUID
    entered_at: datetime
    position: int
    event_id: UUID
    stored_entered_at: datetime
    left_at: datetime | None
    pipeline_id: UUID
    stage_id: UUID
    stage_position: int
    kind: str
    present_pipeline_id: UUID | None
    furthest_stage_id: UUID | None


# OFFSET 0 makes it one look into the index by lead for each lead, and nothing else: while the
# tables have no statistics yet, the planner would rather read all of a tenant's rows.
STAYS = """
    SELECT entry.lead_id, coalesce(dating.entered_at, entry.told_at), entry.position,
           entry.event_id, entry.entered_at, entry.left_at,
           entry.pipeline_id, entry.stage_id, entry.stage_position, entry.kind,
           fact.pipeline_id, fact.furthest_stage_id
    FROM unnest(%s::uuid[]) AS wanted (lead_id)
    CROSS JOIN LATERAL (
        SELECT * FROM analytics_leadfact WHERE lead_id = wanted.lead_id OFFSET 0
    ) AS fact
    CROSS JOIN LATERAL (
        SELECT *, lead(position) OVER (ORDER BY position) AS next_position
        FROM analytics_stageentry WHERE lead_id = wanted.lead_id OFFSET 0
    ) AS entry
    LEFT JOIN LATERAL (
        SELECT entered_at FROM analytics_stagedating
        WHERE lead_id = wanted.lead_id AND tenant_id = fact.tenant_id
        AND position > entry.position
        AND (position < entry.next_position OR entry.next_position IS NULL)
        ORDER BY position DESC LIMIT 1
    ) AS dating ON true
    WHERE fact.tenant_id = %s AND entry.tenant_id = fact.tenant_id
"""


def write_stage_entries(events: Iterable[Event]) -> None:
    """Note which stages leads came into.

    Call it after `write_lead_facts` wrote the same events: the rows that it locks keep what
    another worker notes about the same leads from going unseen.

    Args:
        events: `lead.created` or `lead.stage_changed`.
    """
    entries = [entry for entry in map(_entry_of, events) if entry]
    write_event_facts(entries)
    _tell_ways({entry.lead_id for entry in entries})


def write_stage_datings(events: Iterable[Event]) -> None:
    """Note when leads came into the stages that they were in, where that was told anew.

    Call it after `write_lead_facts`, as `write_stage_entries`.

    Args:
        events: `lead.updated`.
    """
    datings = [dating for dating in map(_dating_of, events) if dating]
    write_event_facts(datings)
    _tell_ways({dating.lead_id for dating in datings})


def _tell_ways(lead_ids: Collection[UUID]) -> None:
    """Derive what entries and datings of the leads come to together."""
    if lead_ids:
        ways = _ways(lead_ids)
        _date_stays(ways.values())
        _mark_furthest(ways)


def _entry_of(event: Event) -> StageEntry | None:
    """The entry that an event tells of; None where a lead was created in no stage."""
    told = event.data
    assert isinstance(told, LeadCreated | LeadStageChanged)
    if told.pipeline_id is None or told.stage_id is None:
        return None
    told_at = told.stage_entered_at if isinstance(told, LeadCreated) else None
    told_at = told_at or event.occurred_at
    return StageEntry(
        event_id=event.id,
        lead_id=told.lead_id,
        pipeline_id=told.pipeline_id,
        stage_id=told.stage_id,
        stage_position=told.stage_position,
        kind=told.outcome,
        told_at=told_at,
        entered_at=told_at,
        position=event.position,
    )


def _dating_of(event: Event) -> StageDating | None:
    """The dating that an edit tells of, if it does."""
    told = event.data
    assert isinstance(told, LeadUpdated)
    change = told.changes.get("stage_entered_at")
    if change is None:
        return None
    return StageDating(
        event_id=event.id,
        lead_id=told.lead_id,
        entered_at=datetime.fromisoformat(str(change.new)),
        position=event.position,
    )


def _ways(lead_ids: Iterable[UUID]) -> dict[UUID, list[Stay]]:
    """Lead → all its stays, in the order in which it came into the stages."""
    ways: dict[UUID, list[Stay]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(STAYS, [list(lead_ids), current_tenant().id])
        for stay in sorted(map(Stay._make, cursor.fetchall())):
            ways[stay.lead_id].append(stay)
    return ways


def _date_stays(ways: Iterable[Sequence[Stay]]) -> None:
    """Let each stay begin when it was told last, and end when the next one begins."""
    ends = [
        (stay, following.entered_at if following else None)
        for way in ways
        for stay, following in zip_longest(way, way[1:])
    ]
    moved = [
        StageEntry(pk=stay.event_id, entered_at=stay.entered_at, left_at=end)
        for stay, end in ends
        if (stay.entered_at, end) != (stay.stored_entered_at, stay.left_at)
    ]
    update_rows(moved, ["entered_at", "left_at"])


def _mark_furthest(ways: dict[UUID, list[Stay]]) -> None:
    """Note on the lead facts the open stage furthest along that each lead was ever in."""
    moved = []
    for lead_id, way in ways.items():
        furthest = _furthest(way)
        if furthest != way[0].furthest_stage_id:
            moved.append(LeadFact(lead_id=lead_id, furthest_stage_id=furthest))
    update_rows(moved, ["furthest_stage_id"])


def _furthest(way: Iterable[Stay]) -> UUID | None:
    there = [
        stay
        for stay in way
        if stay.pipeline_id == stay.present_pipeline_id and stay.kind == Outcome.OPEN
    ]
    last = max(there, key=lambda stay: (stay.stage_position, stay.position), default=None)
    return last.stage_id if last else None
