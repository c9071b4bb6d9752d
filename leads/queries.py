"""What reads leads; every query is of the current tenant."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from django.db import connection
from django.db.models import Count, Max, Min, Prefetch, Q, QuerySet, Sum

from events.corrections.queries import without_corrected
from events.models import Event
from leads.models import (
    LEAD_VALUE,
    TASK_DUE,
    ContactPoint,
    Lead,
    Meeting,
    Pipeline,
    Stage,
    Task,
)
from salesflow.accounts.context import current_tenant
from salesflow.accounts.models import User
from salesflow.accounts.paging import Order
from salesflow.accounts.queries import team_members

# What the lead list can be sorted by; each has its index.
LEAD_ORDERS = {
    "name": "name",
    "company": "company",
    "value": "sorted_value",
    "created_at": "created_at",
    "updated_at": "updated_at",
}
# What is due first first, what has no time last.
TASK_ORDER = Order(("sorted_due", "id"))
# How far the web counts; beyond, it says "1,000+".
COUNTED = 1000
# Tasks, and meetings, on a lead's page.
MOST_SHOWN = 20


def default_pipeline() -> Pipeline:
    """The pipeline that new leads enter, with its stages."""
    pipeline: Pipeline = pipelines().get(is_default=True)
    return pipeline


def pipelines() -> QuerySet[Pipeline]:
    """The pipelines with their stages, in order, in two queries."""
    stages = Stage.objects.order_by("position", "name")
    rows: QuerySet[Pipeline] = Pipeline.objects.prefetch_related(Prefetch("stages", stages))
    return rows


def leads() -> QuerySet[Lead]:
    """The leads with all that a list shows of them, in two queries whatever their number."""
    rows: QuerySet[Lead] = Lead.objects.select_related("stage", "owner")
    return rows.prefetch_related("contact_points")


def read_contact_values(leads: Collection[Lead]) -> None:
    """Let leads know their addresses, numbers and profiles: one query whatever their number.

    Cheaper than prefetching their contact points, which makes a query set for each lead.
    """
    known: dict[UUID, dict[str, list[str]]] = {lead.pk: {} for lead in leads}
    if known:
        rows = ContactPoint.objects.filter(lead__in=[*known]).order_by("-is_primary", "id")
        for lead, kind, value in rows.values_list("lead_id", "kind", "value"):
            known[lead].setdefault(kind, []).append(value)
    for lead in leads:
        lead.values_read = known[lead.pk]


def filter_leads(
    rows: QuerySet[Lead],
    *,
    pipeline: Pipeline | None = None,
    stage: Stage | None = None,
    owner: int | None = None,
    source: str = "",
    outcome: str = "",
    tag: str = "",
) -> QuerySet[Lead]:
    """The leads among `rows` that are all of what is given.

    Args:
        owner: a user's id, or 0 for leads that nobody owns.
    """
    wanted: dict[str, Any] = {
        "stage__pipeline": pipeline,
        "stage": stage,
        "source": source,
        "outcome": outcome,
        "tags__contains": [tag] if tag else [],
        "owner": owner,
    }
    if owner == 0:
        wanted["owner__isnull"] = True
    return rows.filter(**{name: value for name, value in wanted.items() if value})


def lead_order(sort: str) -> tuple[str, Order]:
    """The order called `sort`, such as "name" or "-value", and its name; else the last changed
    first."""
    field = LEAD_ORDERS.get(sort.removeprefix("-"))
    if field is None:
        sort, field = "-updated_at", "updated_at"
    return sort, Order((field, "id"), descending=sort.startswith("-"))


def sortable(rows: QuerySet[Lead]) -> QuerySet[Lead]:
    """The leads with what `lead_order` may sort by."""
    return rows.annotate(sorted_value=LEAD_VALUE)


def count_capped(rows: QuerySet[Any]) -> str:
    """How many rows there are, or "1000+": counting never reads more."""
    count = rows.order_by()[: COUNTED + 1].count()
    return f"{COUNTED}+" if count > COUNTED else str(count)


def lead_sources() -> list[str]:
    """The sources that leads came from, by name.

    Walks the index lead_by_source from one source to the next: as many steps as sources, whatever
    the number of leads.
    """
    sql = """
        WITH RECURSIVE sources(source) AS (
            SELECT min(source) FROM leads_lead WHERE tenant_id = %(tenant)s
            UNION ALL
            SELECT (SELECT min(source) FROM leads_lead
                    WHERE tenant_id = %(tenant)s AND source > sources.source)
            FROM sources WHERE source IS NOT NULL
        ) SELECT source FROM sources WHERE source <> '' LIMIT 200"""
    with connection.cursor() as cursor:
        cursor.execute(sql, {"tenant": current_tenant().id})
        return [source for (source,) in cursor.fetchall()]


def lead_with_stages(lead_id: UUID) -> Lead:
    """One lead with all that the head of its page shows.

    Raises:
        Lead.DoesNotExist: the tenant has no such lead.
    """
    rows = Lead.objects.select_related("stage__pipeline", "owner")
    lead: Lead = rows.prefetch_related("contact_points", "stage__pipeline__stages").get(id=lead_id)
    return lead


@dataclass
class Column:
    """A stage on the board: its last changed leads, and figures of all its leads.

    Attributes:
        count: capped, see `COUNTED`.
        value: None when the leads are too many to add up, or of several currencies.
        more_url: where all of its leads are, when it shows only some; for its page to fill in.
    """

    stage: Stage
    leads: list[Lead]
    count: str = "0"
    value: Any = None
    currency: str = ""
    more_url: str = ""


def board_columns(stages: Sequence[Stage], *, size: int) -> list[Column]:
    """The columns of a board, in three queries, each bounded whatever the number of leads.

    Args:
        size: how many leads a column shows.
    """
    shown = leads().filter(id__in=_newest_of_each(stages, size)).order_by("-updated_at", "-id")
    columns = {stage.pk: Column(stage, []) for stage in stages}
    for lead in shown:
        columns[lead.stage_id].leads.append(lead)
    figures = Lead.objects.filter(id__in=_newest_of_each(stages, COUNTED + 1)).values("stage_id")
    for row in figures.annotate(
        count=Count("id"), sum=Sum("value"), first=Min("currency"), last=Max("currency")
    ).order_by():
        column, complete = columns[row["stage_id"]], row["count"] <= COUNTED
        column.count = str(row["count"]) if complete else f"{COUNTED}+"
        if complete and row["first"] == row["last"]:
            column.value, column.currency = row["sum"], row["first"]
    return list(columns.values())


def _newest_of_each(stages: Sequence[Stage], size: int) -> QuerySet[Any]:
    parts = [
        Lead.objects.filter(stage=stage).order_by("-updated_at", "-id").values("id")[:size]
        for stage in stages
    ]
    newest: QuerySet[Any] = parts[0].union(*parts[1:], all=True)
    return newest


def tasks() -> QuerySet[Task]:
    """The tasks with their leads and the people who do them, in one query whatever their number."""
    rows: QuerySet[Task] = Task.objects.select_related("lead", "assignee", "settled_by")
    return rows


def open_tasks(assignee: User | Literal["anybody"] | None) -> QuerySet[Task]:
    """What is still to do, in `TASK_ORDER`.

    Args:
        assignee: None: what nobody has taken yet, and what was left by who has left the team.
    """
    rows = tasks().filter(state=Task.State.OPEN).annotate(sorted_due=TASK_DUE)
    if assignee is None:
        # Where nobody has left anything, the index task_of_nobody serves it alone.
        rows = rows.filter(Q(assignee=None) | Q(assignee__in=_assignees_who_left()))
    elif assignee != "anybody":
        rows = rows.filter(assignee=assignee)
    return TASK_ORDER.apply(rows)


def _assignees_who_left() -> set[int]:
    """Who has something to do and is no active member any more.

    Walks the index task_to_do as `lead_sources` walks its own: as many steps as people.
    """
    sql = """
        WITH RECURSIVE assignees(id) AS (
            SELECT min(assignee_id) FROM leads_task
            WHERE tenant_id = %(tenant)s AND state = 'open'
            UNION ALL
            SELECT (SELECT min(assignee_id) FROM leads_task
                    WHERE tenant_id = %(tenant)s AND state = 'open' AND assignee_id > assignees.id)
            FROM assignees WHERE id IS NOT NULL
        ) SELECT id FROM assignees WHERE id IS NOT NULL"""
    with connection.cursor() as cursor:
        cursor.execute(sql, {"tenant": current_tenant().id})
        assignees = {user_id for (user_id,) in cursor.fetchall()}
    here = team_members().filter(pk__in=assignees).values_list("pk", flat=True)
    return assignees - set(here)


def tasks_of(lead: Lead) -> list[Task]:
    """What is still to do about a lead, what is due first first."""
    rows = tasks().filter(lead=lead, state=Task.State.OPEN)
    return list(rows.order_by("due_at", "id")[:MOST_SHOWN])


def meetings_of(lead_id: UUID | None) -> QuerySet[Meeting]:
    """The meetings with a lead, the last first."""
    rows: QuerySet[Meeting] = Meeting.objects.filter(lead=lead_id).select_related("booked_by")
    return rows.order_by("-starts_at", "-id")


def lead_with_details(lead_id: UUID) -> Lead:
    """One lead with its stage, pipeline, owner, contact points and notes.

    Raises:
        Lead.DoesNotExist: the tenant has no such lead.
    """
    rows = Lead.objects.select_related("stage__pipeline", "owner")
    lead: Lead = rows.prefetch_related("contact_points", "notes__author").get(id=lead_id)
    return lead


def search_leads(rows: QuerySet[Lead], text: str) -> QuerySet[Lead]:
    """The leads among `rows` in which every word of `text` is part of the name, the company,
    an e-mail address or a phone number."""
    for word in text.split():
        named = Lead.objects.filter(name__icontains=word).values("id")
        working_at = Lead.objects.filter(company__icontains=word).values("id")
        reached_at = ContactPoint.objects.filter(value__icontains=word).values("lead_id")
        # A union lets each part use its own trigram index; an OR across the join uses none.
        rows = rows.filter(id__in=named.union(working_at, reached_at, all=True))
    return rows


def lead_events(lead: Lead) -> QuerySet[Event]:
    """The events of a lead, the last that happened first; a correction stands for its original."""
    rows: QuerySet[Event] = Event.objects.filter(subject_type="lead", subject_id=lead.id)
    return without_corrected(rows).order_by("-occurred_at", "-position")


def find_lead_by_contact(kind: str, value: str) -> Lead | None:
    """The lead that an e-mail address or phone number, in normal form, leads to."""
    point = ContactPoint.objects.filter(kind=kind, value=value).select_related("lead").first()
    return point.lead if point else None


def stages_called(text: str) -> QuerySet[Stage]:
    """The stages with that id, or that name in any case; several pipelines may have one."""
    try:
        wanted = Q(id=UUID(text))
    except ValueError:
        wanted = Q(name__iexact=text)
    stages: QuerySet[Stage] = Stage.objects.filter(wanted)
    return stages.order_by("pipeline__position", "position")
