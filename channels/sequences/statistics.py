"""What came of a sequence's steps, and what its figures allow to say.

Replies count whenever they come, whatever became of the enrolment. Variants are compared over the
versions in which they read the same, on messages that could have been answered by now.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from django.db import connection
from django.db.models import Count
from django.utils import timezone
from django.utils.formats import number_format

from channels.sequences import models
from channels.sequences.documents import (
    Document,
    LinkedInStep,
    MessageStep,
    Step,
    Variant,
    walk,
)
from channels.sequences.models import Enrolment, Execution, Version
from channels.sequences.queries import versions_of
from channels.sequences.significance import (
    Arm,
    Interval,
    Verdict,
    check_split,
    verdict,
    wilson,
)
from salesflow.accounts.context import current_tenant

# Answers come within it, if they come; messages that are younger would make a variant look bad.
MATURE = timedelta(days=7)
Written = MessageStep | LinkedInStep

# The first so many of each variant, in the order in which they went out. Later answers do not
# count: they would change what was decided, and who is sent more often has had longer to get them.
FIRST_SENT = """
    SELECT step, variant, count(*), count(*) FILTER (WHERE replied_at <= sent_at + %(mature)s)
    FROM (
        SELECT execution.step, variant, sent_at, replied_at, row_number() OVER (
            PARTITION BY execution.step, variant ORDER BY sent_at, id
        ) AS place
        FROM sequences_execution AS execution
        JOIN unnest(%(steps)s::uuid[], %(versions)s::int[]) AS meant(step, version)
            ON execution.step = meant.step AND execution.version = meant.version
        WHERE tenant_id = %(tenant)s AND sequence_id = %(sequence)s AND sent_at <= %(until)s
    ) AS sent
    WHERE place <= %(most)s GROUP BY step, variant"""


@dataclass(frozen=True)
class Counts:
    """How many executions of a step came how far; each lead counts once.

    Attributes:
        executed: of a message: queued or prepared.
        tracked: of those that were sent, the ones that tell whether they are opened.
    """

    executed: int = 0
    sent: int = 0
    tracked: int = 0
    delivered: int = 0
    opened: int = 0
    clicked: int = 0
    replied: int = 0
    won: int = 0
    unsubscribed: int = 0
    bounced: int = 0
    failed: int = 0

    def __add__(self, other: Self) -> Self:
        sums = {name: getattr(self, name) + getattr(other, name) for name in NAMES}
        return type(self)(**sums)

    @property
    def reply_rate(self) -> Interval:
        """Where the share of those who reply lies, with a confidence of 95 %."""
        return wilson(min(self.replied, self.sent), self.sent)

    def share(self, name: str) -> float | None:
        """How many of those did something of whom that would be known, from 0 to 1; None where
        there are none."""
        known = self.tracked if name in TRACKED else self.sent
        return min(1.0, getattr(self, name) / known) if known else None


# What messages tell only where they are tracked.
TRACKED = ("opened", "clicked")
NAMES = tuple(each.name for each in fields(Counts))


@dataclass(frozen=True)
class VariantFigures:
    """What came of one text of a step.

    Attributes:
        counts: of the versions in which all texts of the step read as they do now.
    """

    label: str
    weight: int
    counts: Counts


@dataclass(frozen=True)
class StepFigures:
    """What came of a step.

    Attributes:
        counts: over all versions.
        verdict: what may be said of its variants; None where there is one, or it sends nothing.
        warning: why that should not be trusted.
        since: the number of the first version in which its texts read as they do now.
    """

    step: Step
    number: int
    counts: Counts
    variants: tuple[VariantFigures, ...] = ()
    verdict: Verdict | None = None
    warning: Verdict | None = None
    since: int = 0


@dataclass(frozen=True)
class Statistics:
    """What came of a sequence.

    Attributes:
        people: how many, by state; `finished` by the reason for which they left.
        total: of all messages, also of steps that the shown version has not any more.
        decide_at: messages of each variant at which a comparison is decided.
    """

    people: Mapping[str, int]
    finished: Mapping[str, int]
    total: Counts
    steps: tuple[StepFigures, ...]
    decide_at: int


def statistics_of(sequence: models.Sequence, *, at: datetime | None = None) -> Statistics:
    """What came of a sequence, in four queries, whatever the number of steps.

    Args:
        at: now, when not given.
    """
    versions = versions_of(sequence)
    document = Document.model_validate(versions[0].content) if versions else Document()
    cells = _cells_of(sequence)
    alike = {step.key: _alike(versions, step) for step in _written(document)}
    arms = _arms(sequence, document, alike, (at or timezone.now()) - MATURE)
    figures = (
        _figures(step, number, cells, alike, arms, document.decide_at)
        for number, step in enumerate(walk(document.steps), start=1)
    )
    people, finished = _people_of(sequence)
    messages = (counts for (step, variant, _v), counts in cells.items() if variant)
    return Statistics(
        people=people,
        finished=finished,
        total=sum(messages, Counts()),
        steps=tuple(figures),
        decide_at=document.decide_at,
    )


def sent_and_replied(sequence: models.Sequence) -> dict[UUID, tuple[str, str]]:
    """How many messages of each step were sent, and how many answered, as pages show them; of
    steps that have sent some."""
    rows = Execution.objects.filter(sequence=sequence).exclude(variant="").values("step")
    counted = rows.annotate(sent=Count("sent_at"), replied=Count("replied_at")).order_by()
    return {
        row["step"]: (number_format(row["sent"]), number_format(row["replied"]))
        for row in counted
        if row["sent"]
    }


Cells = Mapping[tuple[UUID, str, int], Counts]
Alike = Mapping[UUID, list[int]]


def _cells_of(sequence: models.Sequence) -> Cells:
    """By step, variant and version, in one query by the index execution_statistics."""
    counted: dict[str, Any] = {name: Count(f"{name}_at") for name in NAMES}
    rows = Execution.objects.filter(sequence=sequence).values("step", "variant", "version")
    return {
        (row.pop("step"), row.pop("variant"), row.pop("version")): Counts(**row)
        for row in rows.annotate(**counted).order_by()
    }


def _people_of(sequence: models.Sequence) -> tuple[dict[str, int], dict[str, int]]:
    rows = Enrolment.objects.filter(sequence=sequence).values("state", "reason")
    people = dict.fromkeys(Enrolment.State.values, 0)
    finished: dict[str, int] = {}
    for row in rows.annotate(people=Count("pk")).order_by():
        people[row["state"]] += row["people"]
        if row["state"] == Enrolment.State.FINISHED:
            finished[row["reason"]] = row["people"]
    return people, dict(sorted(finished.items(), key=lambda pair: -pair[1]))


def _written(document: Document) -> Iterable[Written]:
    return (step for step in walk(document.steps) if isinstance(step, Written))


def _alike(versions: Sequence[Version], step: Written) -> list[int]:
    """The numbers of the versions, from the last one back, in which its texts read the same and are
    compared at the same number: who moves that, having seen the figures, chooses the winner."""
    numbers = []
    documents = [Document.model_validate(version.content) for version in versions]
    for version, document in zip(versions, documents, strict=True):
        own = next((other for other in _written(document) if other.key == step.key), None)
        is_compared_alike = document.decide_at == documents[0].decide_at
        if own is None or own.variants != step.variants or not is_compared_alike:
            break
        numbers.append(version.number)
    return numbers


def _arms(
    sequence: models.Sequence, document: Document, alike: Alike, until: datetime
) -> dict[tuple[UUID, str], tuple[int, int]]:
    """Sent and answered, by step and variant, of steps that have something to compare."""
    compared = {step.key for step in _written(document) if len(step.variants) > 1}
    pairs = [(key, number) for key in compared for number in alike[key]]
    if not pairs:
        return {}
    values: dict[str, Any] = {
        "steps": [key for key, _number in pairs],
        "versions": [number for _key, number in pairs],
        "tenant": current_tenant().id,
        "sequence": sequence.pk,
        "until": until,
        "mature": MATURE,
        "most": document.decide_at,
    }
    with connection.cursor() as cursor:
        cursor.execute(FIRST_SENT, values)
        return {(step, variant): (sent, hits) for step, variant, sent, hits in cursor.fetchall()}


def _figures(
    step: Step,
    number: int,
    cells: Cells,
    alike: Alike,
    arms: Mapping[tuple[UUID, str], tuple[int, int]],
    decide_at: int,
) -> StepFigures:
    own = {cell: counts for cell, counts in cells.items() if cell[0] == step.key}
    whole = sum(own.values(), Counts())
    if not isinstance(step, Written):
        return StepFigures(step, number, whole)
    variants = tuple(_variant(each, own, alike[step.key]) for each in step.variants)
    since = min(alike[step.key], default=0)
    if len(variants) < 2:
        return StepFigures(step, number, whole, variants, since=since)
    # One that nobody gets any more would keep the others waiting for ever.
    mature = [
        Arm(each.label, *arms.get((step.key, each.label), (0, 0)), each.weight)
        for each in variants
        if each.weight
    ]
    drawn = [Arm(v.label, v.counts.executed, 0, v.weight) for v in variants]
    return StepFigures(
        step=step,
        number=number,
        counts=whole,
        variants=variants,
        verdict=verdict(mature, decide_at),
        warning=check_split(drawn),
        since=since,
    )


def _variant(variant: Variant, cells: Cells, versions: Collection[int]) -> VariantFigures:
    meant = (
        counts
        for (_step, label, version), counts in cells.items()
        if label == variant.label and version in versions
    )
    return VariantFigures(variant.label, variant.weight, sum(meant, Counts()))
