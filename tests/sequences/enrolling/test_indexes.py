"""Lists and figures of a sequence among very many enrolments are answered by an index each."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels.sequences.models import Enrolment, Sequence
from channels.sequences.queries import LAST_ENROLLED, blocked_enrolments, enrolments, people_in
from leads.models import Lead
from leads.queries import default_pipeline
from tests.sequences.engine.factories import mail, make_sequence

pytestmark = pytest.mark.usefixtures("tenant")

CROWD, FEW = 3_000, 60


@pytest.fixture
def sequence() -> Sequence:
    """One with few people, the first of all who came in; very many are in others."""
    few, *others = (make_sequence(mail()) for _ in range(6))
    _fill(few, FEW)
    for other in others:
        _fill(other, CROWD // len(others))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE sequences_enrolment")
    return few


def _fill(sequence: Sequence, number: int) -> None:
    """People of whom each tenth waits for somebody, and each second has finished."""
    stage, now = default_pipeline().stage_of_kind("open"), timezone.now()
    leads = Lead.objects.bulk_create(Lead(name="Ada", stage=stage) for _ in range(number))
    given: dict[str, Any] = {"sequence": sequence, "version": sequence.published, "since": now}
    states = ({"state": "finished", "finished_at": now}, {"next_step_at": now})
    rows = [
        Enrolment(lead=lead, enrolled_at=timezone.now(), source="hand", **given, **states[n % 2])
        for n, lead in enumerate(leads)
    ]
    for row in rows[1::10]:
        row.waiting_for, row.obstacle, row.next_step_at = "person", "missing", None
    Enrolment.objects.bulk_create(rows)


@pytest.mark.parametrize(
    ("rows", "index"),
    [
        (lambda sequence: enrolments().filter(sequence=sequence), "enrolment_of_sequence"),
        (
            lambda sequence: enrolments().filter(sequence=sequence, state="active"),
            "enrolment_in_sequence",
        ),
        (lambda _sequence: blocked_enrolments(), "enrolment_blocked"),
        (lambda _sequence: enrolments(), "enrolment_by_tenant"),
    ],
)
def test_list_is_read_from_its_index(
    sequence: Sequence, rows: Callable[[Sequence], QuerySet[Enrolment]], index: str
) -> None:
    with connection.cursor() as cursor:
        # As PostgreSQL does by itself where a sequence has thousands of people.
        cursor.execute("SET LOCAL enable_sort = off")
    plan = LAST_ENROLLED.apply(rows(sequence))[:50].explain()
    assert f"using {index} " in plan, plan
    assert "Sort" not in plan, plan


def test_people_are_counted_by_indexes_and_for_each_sequence(sequence: Sequence) -> None:
    with CaptureQueriesContext(connection) as queries:
        [people] = people_in([sequence]).values()
    assert (people.active, people.finished, people.blocked) == (FEW // 2, FEW // 2, FEW // 10)
    plans = "".join(_plan_of(query["sql"]) for query in queries)
    assert "enrolment_in_sequence" in plans
    assert "enrolment_blocked_there" in plans
    assert "Seq Scan on sequences_enrolment" not in plans


def _plan_of(statement: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}")
        return "\n".join(line for (line,) in cursor.fetchall())
