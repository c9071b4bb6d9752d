"""Who is taken: fairly between teams, by the index, and by nobody else meanwhile."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection, transaction

from channels.sequences.executing import advance_due
from channels.sequences.models import Enrolment, Execution
from channels.sequences.taking import TAKE_DUE, Rotation, _statement, take_due
from events.rows import driver_cursor
from leads.models import Lead
from leads.services import delete_lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.events.threads import at_once
from tests.factories import make_tenant
from tests.sequences.engine.clock import Clock
from tests.sequences.engine.factories import (
    again,
    days,
    enrol,
    enrol_one,
    mail,
    make_contact,
    make_sequence,
    reply,
)


@pytest.fixture
def crowd(team: Tenant) -> list[Enrolment]:
    """Many of one team, and one of another."""
    many = enrol(make_sequence(mail("one")), *(make_contact() for _ in range(30)))
    with tenant_context(make_tenant("small", time_zone="Europe/Berlin")):
        return [*many, enrol_one(make_sequence(mail("one")))]


def test_teams_share_a_batch(crowd: list[Enrolment], clock: Clock) -> None:
    taken = Counter(row.tenant.slug for row in take_due(10, at=clock.now).enrolments)
    assert taken == {"acme": 5, "small": 1}


def test_those_who_are_due_later_are_left(crowd: list[Enrolment], clock: Clock) -> None:
    assert take_due(100, at=clock.now - timedelta(seconds=1)).enrolments == []
    assert len(take_due(100, at=clock.now).enrolments) == 31


def test_time_is_the_databases_unless_it_is_given(crowd: list[Enrolment]) -> None:
    # Tests live in a week that is yet to come, or is long past, by the database's clock.
    now = take_due(1).now
    assert now is not None
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        [database] = cursor.fetchone()
    assert abs(database - now) < timedelta(minutes=1)


def test_very_many_teams_are_looked_at_in_turn(team: Tenant, clock: Clock) -> None:
    for number in range(5):
        with tenant_context(make_tenant(f"team-{number}")):
            enrol_one(make_sequence(mail("one")))
    rotation, seen = Rotation(most=2), []
    for _ in range(3):
        seen += [row.tenant.slug for row in rotation.take(10, clock.now).enrolments]
    assert sorted(seen) == [f"team-{number}" for number in range(5)]
    assert rotation.is_at_start


def test_take_reads_the_index_and_no_more_than_it_takes(
    crowd: list[Enrolment], clock: Clock
) -> None:
    values = {"size": 10, "after": "00000000-0000-0000-0000-000000000000", "most": 200}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE sequences_enrolment; SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
    with driver_cursor() as cursor:
        explain = b"EXPLAIN (ANALYZE, COSTS off, TIMING off) " + _statement(TAKE_DUE)
        plan = "\n".join(row[0] for row in cursor.execute(explain, {**values, "at": clock.now}))
    assert "enrolment_due" in plan
    assert "Seq Scan on sequences_enrolment" not in plan
    assert "Sort" not in plan


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_execute_each_step_once(team: Tenant, clock: Clock) -> None:
    sequence = make_sequence(mail("one"), days(1))
    enrolments = enrol(sequence, *(make_contact() for _ in range(40)))
    at_once(4, lambda: advance_due(limit=7, at=clock.now))
    advance_due(at=clock.now)
    done = Counter(Execution.objects.values_list("enrolment_id", "number"))
    assert done == {(each.pk, 1): 1 for each in enrolments}


@pytest.mark.django_db(transaction=True)
def test_lead_whose_reply_is_just_coming_in_is_passed_over(team: Tenant, clock: Clock) -> None:
    lead, other = make_contact(), make_contact()
    held, free = enrol(make_sequence(mail("one")), lead, other)
    with transaction.atomic():
        reply(lead)
        # The reply is written and not committed yet: the engine neither waits nor writes.
        [moved] = at_once(1, lambda: advance_due(at=clock.now))
        assert moved == 1
    assert again(held).steps_done == 0
    assert again(free).steps_done == 1
    advance_due(at=clock.now)
    assert (again(held).state, again(held).reason) == ("finished", "inbound")


@pytest.mark.django_db(transaction=True)
def test_lead_that_is_deleted_meanwhile_stops_nobody(team: Tenant, clock: Clock) -> None:
    gone, stays = enrol(make_sequence(mail("one")), make_contact(), make_contact())

    with transaction.atomic():
        Lead.objects.select_for_update().get(pk=gone.lead_id)
        assert at_once(1, lambda: advance_due(at=clock.now)) == [1]
    delete_lead(Lead.objects.get(pk=gone.lead_id))
    advance_due(at=clock.now)
    assert again(stays).steps_done == 1
    assert not Enrolment.objects.filter(pk=gone.pk).exists()
