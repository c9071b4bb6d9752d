"""What reads sequences and who is in them; every query is of the current tenant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from channels.sequences import models
from channels.sequences.documents import BranchStep, Document, Says, walk
from channels.sequences.models import BulkEnrolment, Enrolment, EntryRule, Version, Waiting
from leads.models import Lead, Stage
from leads.queries import COUNTED
from salesflow.accounts.paging import Order

# The orders of the lists, each with its index.
BY_NAME = Order(("name", "id"))
LAST_ENROLLED = Order(("enrolled_at", "id"), descending=True)
# How many bulk enrolments a page tells of.
MOST_BULKS = 5

# By the index enrolment_in_sequence, and never further than the page counts.
COUNT_PEOPLE = """
    SELECT sequence.id, state.name, counted.people
    FROM unnest(%(ids)s::uuid[]) AS sequence(id)
    CROSS JOIN unnest(%(states)s::text[]) AS state(name)
    CROSS JOIN LATERAL (
        SELECT count(*) AS people FROM (
            SELECT FROM sequences_enrolment AS enrolment
            WHERE enrolment.sequence_id = sequence.id AND enrolment.state = state.name
            LIMIT %(most)s
        ) AS first
    ) AS counted"""

# By the index enrolment_blocked_there, as far.
COUNT_BLOCKED = """
    SELECT sequence.id, counted.people FROM unnest(%(ids)s::uuid[]) AS sequence(id)
    CROSS JOIN LATERAL (
        SELECT count(*) AS people FROM (
            SELECT FROM sequences_enrolment AS enrolment
            WHERE enrolment.sequence_id = sequence.id AND enrolment.waiting_for = 'person'
            LIMIT %(most)s
        ) AS first
    ) AS counted"""


@dataclass(frozen=True)
class People:
    """How many are in a sequence, by state, and how many of them wait for somebody."""

    active: int = 0
    paused: int = 0
    finished: int = 0
    blocked: int = 0

    @property
    def under_way(self) -> int:
        """How many have not finished."""
        return self.active + self.paused

    @property
    def shown(self) -> dict[str, str]:
        """The figures as pages show them."""
        names = ("active", "paused", "finished", "blocked", "under_way")
        return {name: shown_count(getattr(self, name)) for name in names}


def shown_count(count: int) -> str:
    """A figure as pages show it, such as "12" or "1000+"."""
    return f"{COUNTED}+" if count > COUNTED else str(count)


def sequences() -> QuerySet[models.Sequence]:
    """All sequences, with what a list shows of them."""
    rows: QuerySet[models.Sequence] = models.Sequence.objects.select_related("owner", "published")
    return rows


def sequences_to_enrol_in() -> QuerySet[models.Sequence]:
    """The sequences that somebody can come into, by name."""
    states = models.Sequence.State
    return sequences().filter(state__in=[states.ACTIVE, states.PAUSED]).order_by("name", "id")


def people_in(sequences: Iterable[models.Sequence]) -> dict[UUID, People]:
    """How many are in each of these sequences, in two queries, each bounded."""
    found: dict[UUID, dict[str, int]] = {sequence.pk: {} for sequence in sequences}
    values: dict[str, Any] = {
        "ids": list(found),
        "states": Enrolment.State.values,
        "most": COUNTED + 1,
    }
    with connection.cursor() as cursor:
        cursor.execute(COUNT_PEOPLE, values)
        for sequence_id, state, people in cursor.fetchall():
            found[sequence_id][state] = people
        cursor.execute(COUNT_BLOCKED, values)
        for sequence_id, people in cursor.fetchall():
            found[sequence_id]["blocked"] = people
    return {sequence_id: People(**counts) for sequence_id, counts in found.items()}


def stages_asked(document: Document) -> dict[str, str]:
    """The names of the stages that its branches ask about, by id; no query where none does."""
    asked = [step.condition for step in walk(document.steps) if isinstance(step, BranchStep)]
    if not any(isinstance(each, Says) and each.name == "stage" for each in asked):
        return {}
    return {str(pk): name for pk, name in Stage.objects.values_list("pk", "name")}


def enrolments() -> QuerySet[Enrolment]:
    """Who is or was in a sequence, with what a list shows of them."""
    rows: QuerySet[Enrolment] = Enrolment.objects.select_related(
        "lead", "sequence", "version", "sender"
    )
    return rows


def enrolments_of(lead: Lead) -> QuerySet[Enrolment]:
    """In which sequences a lead is or was, the last one first."""
    return enrolments().filter(lead=lead).order_by("-enrolled_at", "-id")


def blocked_enrolments() -> QuerySet[Enrolment]:
    """Who waits for somebody to remove an obstacle."""
    return enrolments().filter(waiting_for=Waiting.PERSON)


def versions_of(sequence: models.Sequence) -> Sequence[Version]:
    """The published versions of a sequence, the last one first."""
    rows = Version.objects.filter(sequence=sequence, published_at__isnull=False)
    return list(rows.select_related("published_by", "sequence").order_by("-number"))


def rules_of(sequence: models.Sequence) -> QuerySet[EntryRule]:
    """What takes leads into a sequence by itself, the oldest rule first."""
    rows: QuerySet[EntryRule] = EntryRule.objects.filter(sequence=sequence)
    return rows.select_related("sender").order_by("pk")


def bulks_of(sequence: models.Sequence) -> list[BulkEnrolment]:
    """The last bulk enrolments of a sequence, the last one first, without their leads."""
    rows: Any = BulkEnrolment.objects.filter(sequence=sequence).defer("lead_ids")
    return list(rows.select_related("actor").order_by("-pk")[:MOST_BULKS])
