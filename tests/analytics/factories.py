"""Makers of random histories of leads, and of what their facts should say."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.forms.models import model_to_dict
from hypothesis import strategies as st

from analytics.models import LeadFact, StageEntry
from leads import services
from leads.models import Lead, Stage

START = datetime(2026, 1, 5, 9, tzinfo=UTC)

VERBS = ["edit", "move", "move", "move", "redate", "redate_stay", "assign", "delete"]
STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(VERBS), st.integers(0, 9), st.integers(0, 400)),
    max_size=12,
)
"""Which lead, what happens to it, a number that varies it, and days after `START`."""


def live(steps: list[tuple[int, str, int, int]], stages: list[Stage], owners: list[Any]) -> None:
    """Let three leads live through `steps`, through the services that people use."""
    leads: list[Lead | None] = [
        services.create_lead(
            name=f"Lead {number}",
            source=f"source {number % 2}",
            value=100 * number,
            stage=stages[number * 2],
            lost_reason="too dear",
            created_at=START + timedelta(days=number),
        )
        for number in range(3)
    ]
    for which, verb, number, days in steps:
        lead = leads[which]
        if lead and verb == "delete":
            services.delete_lead(lead)
            leads[which] = None
        elif lead:
            leads[which] = _change(lead, verb, number, days, stages, owners)


def _change(
    lead: Lead, verb: str, number: int, days: int, stages: list[Stage], owners: list[Any]
) -> Lead:
    if verb == "move":
        stage = stages[number % len(stages)]
        at = lead.created_at + timedelta(days=days)
        return services.move_lead(lead, stage, at=at, lost_reason="too dear")
    if verb == "assign":
        return services.assign_lead(lead, owners[number % len(owners)])
    if verb == "edit":
        value = None if number == 0 else Decimal(number) / 3
        currency = "EUR" if number % 2 else "USD"
        return services.edit_lead(
            lead, value=value and round(value, 2), currency=currency, source=f"source {number}"
        )
    lead = services.lock_lead(lead)
    if verb == "redate_stay":
        lead.stage_entered_at = lead.created_at + timedelta(days=days)
        lead.closed_at = lead.closed_at and lead.stage_entered_at
    else:
        lead.created_at = min(START - timedelta(days=days), lead.closed_at or START)
    lead.save()
    return lead


def facts() -> list[dict[str, Any]]:
    """All facts about the current tenant's leads, to compare."""
    leads = [model_to_dict(fact) for fact in LeadFact.objects.order_by("lead_id")]
    return leads + [model_to_dict(entry) for entry in StageEntry.objects.order_by("event_id")]


FOLLOWED = [
    "created_at",
    "source",
    "owner_id",
    "value",
    "currency",
    "stage_id",
    "outcome",
    "closed_at",
]


def leads_as_stored() -> dict[Any, dict[str, Any]]:
    """Lead → what the lead's own row says about what its fact should say."""
    return {
        lead.id: {name: getattr(lead, name) for name in [*FOLLOWED, "stage_entered_at"]}
        for lead in Lead.objects.all()
    }


def leads_as_counted() -> dict[Any, dict[str, Any]]:
    """Lead → what its fact and its last entry say, without those that were deleted."""
    living = LeadFact.objects.filter(deleted_at=None)
    entries = StageEntry.objects.order_by("position").values_list("lead_id", "entered_at")
    last = dict(entries)
    return {
        fact.lead_id: {name: getattr(fact, name) for name in FOLLOWED}
        | {"stage_entered_at": last[fact.lead_id]}
        for fact in living
    }
