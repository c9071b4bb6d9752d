"""Many leads at once: a slice after the other, whoever dies in between."""

import pytest
from django.core.exceptions import ValidationError

from channels.sequences import bulk
from channels.sequences.bulk import advance_bulks, begin_bulk, cancel_bulk
from channels.sequences.by_hand import take_out
from channels.sequences.models import BulkEnrolment, Enrolment, Sequence
from channels.sequences.versions import archive_sequence, create_sequence
from leads.services import create_lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.events.threads import at_once
from tests.factories import make_tenant, make_user
from tests.sequences.engine.factories import enrol_one, mail, make_contact, make_sequence

pytestmark = pytest.mark.usefixtures("tenant")


def test_all_come_in_and_the_others_are_counted_by_reason() -> None:
    sequence, actor = make_sequence(mail()), make_user()
    fresh = [make_contact() for _ in range(3)]
    already = enrol_one(sequence).lead
    silent = create_lead(name="Silent")
    ids = [lead.pk for lead in (*fresh, already, silent, fresh[0])]
    made = begin_bulk(ids, sequence, actor=actor)
    assert (made.total, made.state) == (5, "running")
    assert advance_bulks() == 5
    made.refresh_from_db()
    assert (made.state, made.done, made.enrolled) == ("finished", 5, 3)
    assert made.refused == {"already": 1, "no_address": 1}
    assert made.finished_at
    rows = Enrolment.objects.filter(source="bulk")
    assert {row.lead for row in rows} == set(fresh)
    assert {row.enrolled_by for row in rows} == {actor}
    assert advance_bulks() == 0


def test_lead_that_cannot_be_taken_in_keeps_nobody_else() -> None:
    sequence = make_sequence(mail(), re_enrol_after=0)
    leads = [make_contact() for _ in range(7)]
    # There is no number for another time.
    stay = enrol_one(sequence, leads[3])
    take_out([stay.pk])
    Enrolment.objects.filter(pk=stay.pk).update(round=32_767)
    made = begin_bulk([lead.pk for lead in leads], sequence)
    assert advance_bulks() == 7
    made.refresh_from_db()
    assert (made.state, made.enrolled, made.refused) == ("finished", 6, {"broken": 1})
    came_in = Enrolment.objects.filter(source="bulk").values_list("lead_id", flat=True)
    assert set(came_in) == {lead.pk for lead in leads if lead != leads[3]}


def test_each_slice_stands_by_itself(settings: object) -> None:
    sequence = make_sequence(mail())
    leads = [make_contact() for _ in range(3)]
    made = begin_bulk([lead.pk for lead in leads], sequence)
    # As if a worker had died behind the first two.
    BulkEnrolment.objects.filter(pk=made.pk).update(done=2)
    assert advance_bulks() == 1
    assert [row.lead for row in Enrolment.objects.all()] == leads[2:]


def test_cancelled_one_takes_nobody_else_in() -> None:
    made = begin_bulk([make_contact().pk], make_sequence(mail()))
    assert cancel_bulk(made)
    assert not cancel_bulk(made)
    assert advance_bulks() == 0
    assert not Enrolment.objects.exists()


def test_nobody_comes_into_what_was_archived_meanwhile() -> None:
    sequence = make_sequence(mail())
    made = begin_bulk([make_contact().pk], sequence)
    archive_sequence(sequence, actor=None)
    advance_bulks()
    made.refresh_from_db()
    assert (made.state, made.enrolled) == ("finished", 0)
    with pytest.raises(ValidationError):
        begin_bulk([make_contact().pk], Sequence.objects.get(pk=sequence.pk))
    with pytest.raises(ValidationError):
        begin_bulk([make_contact().pk], create_sequence("Fresh"))


def test_leads_of_another_team_do_not_come_in(tenant: Tenant) -> None:
    with tenant_context(make_tenant()):
        theirs = make_contact()
        elsewhere = begin_bulk([make_contact().pk], make_sequence(mail()))
    made = begin_bulk([theirs.pk], make_sequence(mail()))
    advance_bulks()
    made.refresh_from_db()
    assert made.refused == {"gone": 1}
    assert BulkEnrolment.unscoped.get(pk=elsewhere.pk).enrolled == 1
    assert [row.tenant_id for row in Enrolment.unscoped.all()] == [elsewhere.tenant_id]


@pytest.mark.django_db(transaction=True)
def test_two_workers_take_each_lead_in_once() -> None:
    with tenant_context(make_tenant()):
        sequence = make_sequence(mail())
        made = begin_bulk([make_contact().pk for _ in range(5)], sequence)
    assert sum(at_once(2, lambda: advance_bulks())) == 5
    assert BulkEnrolment.unscoped.get(pk=made.pk).enrolled == 5
    assert Enrolment.unscoped.count() == 5
    assert bulk.SLICE > 5
