"""Writes lead facts from events of leads, any number at once, in any order.

A lead fact is a set of registers, and the last writer wins: each value carries the place in the log
of the event that it comes from, and one with a smaller place never replaces it. A lead's events
get their places while its row is locked, so that their order is that of the changes, whatever
`occurred_at` says (an import tells old news in a new event).
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from events.models import Event
from leads.models import Outcome
from leads.payloads import (
    LeadAssigned,
    LeadCreated,
    LeadDeleted,
    LeadLost,
    LeadMerged,
    LeadStageChanged,
    LeadUpdated,
    LeadWon,
)
from salesflow.accounts.context import current_tenant

# Register → its columns, with their types and what they hold before any event wrote them.
REGISTERS: dict[str, dict[str, tuple[str, Any]]] = {
    "created": {"created_at": ("timestamptz", None)},
    "source": {"source": ("text", "")},
    "owner": {"owner_id": ("bigint", None)},
    "stage": {"pipeline_id": ("uuid", None), "stage_id": ("uuid", None)},
    "outcome": {"outcome": ("text", Outcome.OPEN.value)},
    "closed": {"closed_at": ("timestamptz", None)},
    "value": {"value": ("numeric", None)},
    "currency": {"currency": ("text", "")},
    "deleted": {"deleted_at": ("timestamptz", None)},
}

Values = dict[str, tuple[Any, ...]]
"""Register → the values of its columns."""


def write_lead_facts(events: Iterable[Event]) -> None:
    """Bring the facts of the leads that `events` are about up to date."""
    newest: dict[UUID, dict[str, tuple[int, tuple[Any, ...]]]] = defaultdict(dict)
    for event in events:
        lead_id, told = _what_it_tells(event)
        registers = newest[lead_id]
        for register, values in told.items():
            if register not in registers or event.position > registers[register][0]:
                registers[register] = event.position, values
    rows = [[lead_id, *_cells(registers)] for lead_id, registers in newest.items()]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(UPSERT, [current_tenant().id, *map(list, zip(*rows, strict=True))])


def _what_it_tells(event: Event) -> tuple[UUID, Values]:
    """The lead that an event is about, and what it says about which registers."""
    match event.data:
        case LeadCreated() as created:
            return created.lead_id, {
                "created": (event.occurred_at,),
                "source": (created.source,),
                "owner": (created.owner_id,),
                **_whereabouts(created),
                **_worth(created),
            }
        case LeadStageChanged() as moved:
            # Which day a deal was closed on is told by the event of that; this one reopens it.
            reopened: Values = {"closed": (None,)} if moved.outcome == Outcome.OPEN else {}
            return moved.lead_id, {**_whereabouts(moved), **reopened, **_worth(moved)}
        case (LeadWon() | LeadLost()) as closing:
            outcome = Outcome.WON if isinstance(closing, LeadWon) else Outcome.LOST
            closed: Values = {"outcome": (outcome.value,), "closed": (event.occurred_at,)}
            return closing.lead_id, {**closed, **_worth(closing)}
        case LeadUpdated() as edit:
            return edit.lead_id, _edited(edit)
        case LeadAssigned() as handover:
            return handover.lead_id, {"owner": (handover.owner_id,)}
        case LeadDeleted() as deletion:
            return deletion.lead_id, {"deleted": (event.occurred_at,)}
        case LeadMerged() as merger:
            return merger.merged_lead_id, {"deleted": (event.occurred_at,)}
    raise TypeError(f"{event.type} says nothing about leads.")


def _whereabouts(told: LeadCreated | LeadStageChanged) -> Values:
    return {"stage": (told.pipeline_id, told.stage_id), "outcome": (told.outcome,)}


def _worth(told: LeadCreated | LeadStageChanged | LeadWon | LeadLost) -> Values:
    return {"value": (told.value,), "currency": (told.currency,)}


def _edited(edit: LeadUpdated) -> Values:
    """What an edit says; the payload keeps values as JSON."""
    new: dict[str, Any] = {field: change.new for field, change in edit.changes.items()}
    values: Values = {name: (new[name],) for name in ("source", "currency") if name in new}
    if "value" in new:
        values["value"] = (None if new["value"] is None else Decimal(str(new["value"])),)
    for register in ("created", "closed"):
        if moment := new.get(f"{register}_at"):
            values[register] = (datetime.fromisoformat(moment),)
    return values


def _cells(registers: dict[str, tuple[int, tuple[Any, ...]]]) -> list[Any]:
    """The values of all registers and their versions, in the order of `_columns`."""
    cells: list[Any] = []
    for register, columns in REGISTERS.items():
        unwritten = 0, tuple(default for _type, default in columns.values())
        version, values = registers.get(register, unwritten)
        cells += [*values, version]
    return cells


# --- SQL ----------------------------------------------------------------------------------------


def _columns() -> dict[str, str]:
    """Column → type, a register's version last."""
    columns = {"lead_id": "uuid"}
    for register, own in REGISTERS.items():
        columns |= {column: kind for column, (kind, _default) in own.items()}
        columns[f"{register}_version"] = "bigint"
    return columns


def _upsert() -> str:
    columns = _columns()
    names = ", ".join(columns)
    arrays = ", ".join(f"%s::{kind}[]" for kind in columns.values())
    newer = ",\n    ".join(
        f"{column} = CASE WHEN excluded.{register}_version >= fact.{register}_version"
        f" THEN excluded.{column} ELSE fact.{column} END"
        for register, own in REGISTERS.items()
        for column in [*own, f"{register}_version"]
    )
    # Rows are locked in the order of their ids, lest two workers wait for each other.
    return f"""
        INSERT INTO analytics_leadfact AS fact (tenant_id, {names})
        SELECT %s, told.* FROM unnest({arrays}) AS told ({names}) ORDER BY lead_id
        ON CONFLICT (lead_id) DO UPDATE SET {newer}
        WHERE fact.tenant_id = excluded.tenant_id
    """  # noqa: S608


UPSERT = _upsert()
