"""Coming into a sequence, waiting in it, going on and leaving it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from pytest_django import DjangoAssertNumQueries

from channels.models import Account, Message
from channels.sequences.companies import company_key
from channels.sequences.decisions import Ending
from channels.sequences.enrolling import (
    enrol_leads,
    pause_enrolment,
    resume_enrolment,
    stop_enrolments,
)
from channels.sequences.models import Enrolment, Sequence, WorkCalendar
from channels.sequences.pausing import pause_sequence, resume_sequence
from channels.sequences.previewing import preview, survey
from channels.sequences.refusing import Refusal
from channels.sequences.versions import archive_sequence, create_sequence
from channels.services.consent import opt_out
from events.models import Event
from leads.models import Lead
from leads.queries import leads
from leads.services import create_lead, delete_lead, lose_lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.channels.factories import make_message
from tests.events.threads import at_once
from tests.factories import make_tenant, make_user
from tests.sequences.engine.factories import (
    days,
    enrol_one,
    linkedin,
    mail,
    make_contact,
    make_sequence,
    task,
)

# A Monday noon in Berlin.
NOON = datetime(2026, 11, 23, 11, tzinfo=UTC)


@pytest.fixture(autouse=True)
def team(db: None) -> Iterator[Tenant]:
    """A team in Berlin, set as the current tenant."""
    with tenant_context(make_tenant("acme", name="Acme", time_zone="Europe/Berlin")) as tenant:
        yield tenant


def refusal_of(lead: Lead, sequence: Sequence, at: datetime = NOON) -> Refusal | None:
    report = enrol_leads([lead], sequence, source="hand", at=at)
    return report.refused.get(lead.pk)


def finish(enrolment: Enrolment, at: datetime = NOON) -> None:
    stop_enrolments([enrolment.pk], Ending.FINISHED, at=at)


def test_lead_comes_in_and_is_due_at_once(team: Tenant) -> None:
    ada = make_user(team)
    lead = make_contact(email="ada@engines.example", owner=ada)
    sequence = make_sequence(mail(), days(1))
    report = enrol_leads([lead], sequence, source="hand", actor=ada, at=NOON)
    [made] = report.enrolled
    row = Enrolment.objects.get(pk=made.pk)
    assert (row.state, row.next_step_at, row.since, row.enrolled_at) == ("active", *[NOON] * 3)
    assert row.version_id == sequence.published_id
    assert (row.sender, row.enrolled_by, row.source, row.round) == (ada, ada, "hand", 1)
    assert (row.time_zone, row.zone_source) == ("Europe/Berlin", "tenant")
    assert row.company_key == "engines.example"
    event = Event.objects.get(type="sequence.enrolled")
    assert (event.subject_id, event.occurred_at) == (lead.pk, NOON)
    assert event.payload["source"] == "hand"
    assert event.payload["enrolment_id"] == str(row.pk)
    assert event.payload["sequence_version"] == 1


def test_zone_of_the_lead_is_kept_with_how_it_was_found() -> None:
    lead = make_contact(phones=["+64 9 355 1234"])
    enrolment = enrol_one(make_sequence(mail()), lead)
    assert (enrolment.time_zone, enrolment.zone_source) == ("Pacific/Auckland", "phone")


def test_who_writes_is_told_or_the_owner_of_lead_or_sequence(team: Tenant) -> None:
    boss, owner, told = (make_user(team) for _ in range(3))
    sequence = make_sequence(mail())
    Sequence.objects.filter(pk=sequence.pk).update(owner=boss)
    sequence.refresh_from_db()
    assert enrol_one(sequence).sender == boss
    assert enrol_one(sequence, make_contact(owner=owner)).sender == owner
    assert enrol_one(sequence, make_contact(owner=owner), sender=told).sender == told


def test_many_come_in_with_as_many_statements_as_one(
    team: Tenant, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    sequence = make_sequence(mail(), linkedin())
    many = [make_contact(owner=make_user(team)) for _ in range(30)]
    with django_assert_max_num_queries(20):
        report = enrol_leads(many, sequence, source="bulk")
    assert len(report.enrolled) == 30


def test_lead_is_in_a_sequence_once_at_a_time() -> None:
    sequence, lead = make_sequence(mail()), make_contact()
    assert refusal_of(lead, sequence) is None
    assert refusal_of(lead, sequence) == Refusal.ALREADY
    assert refusal_of(lead, make_sequence(mail())) is None
    assert Event.objects.filter(type="sequence.enrolled").count() == 2


def test_lead_comes_again_only_where_that_is_wanted() -> None:
    lead, never = make_contact(), make_sequence(mail())
    finish(enrol_one(never, lead))
    assert refusal_of(lead, never) == Refusal.BEFORE
    again = make_sequence(mail(), re_enrol_after=30)
    finish(enrol_one(again, lead))
    assert refusal_of(lead, again, NOON + timedelta(days=29)) == Refusal.TOO_SOON
    assert refusal_of(lead, again, NOON + timedelta(days=30)) is None
    assert list(
        Enrolment.objects.filter(sequence=again).order_by("pk").values_list("round", flat=True)
    ) == [1, 2]


def test_who_cannot_be_reached_does_not_come_in() -> None:
    lost = lose_lead(make_contact(), reason="price")
    silent = create_lead(name="Silent")
    unwilling = make_contact()
    opt_out(unwilling, channel="email", address=unwilling.emails[0], source="manual")
    sequence = make_sequence(mail(), task())
    assert refusal_of(lost, sequence) == Refusal.CLOSED
    assert refusal_of(silent, sequence) == Refusal.NO_ADDRESS
    assert refusal_of(unwilling, sequence) == Refusal.UNWANTED
    # What writes to nobody takes whoever comes.
    assert refusal_of(silent, make_sequence(task())) is None
    # One channel is enough.
    other = make_sequence(mail(), linkedin())
    reachable = create_lead(name="Ada", profiles=["linkedin.com/in/ada"])
    assert refusal_of(reachable, other) is None


def test_deleted_lead_is_told_so() -> None:
    lead, sequence = make_contact(), make_sequence(mail())
    gone = Lead(pk=lead.pk)
    delete_lead(lead)
    assert refusal_of(gone, sequence) == Refusal.GONE


def test_another_teams_lead_is_not_there() -> None:
    sequence = make_sequence(mail())
    with tenant_context(make_tenant()):
        theirs = make_contact()
    report = enrol_leads([theirs], sequence, source="hand")
    assert report.refused == {theirs.pk: Refusal.GONE}


def test_nobody_comes_into_what_is_not_in_use() -> None:
    lead, sequence = make_contact(), make_sequence(mail())
    with pytest.raises(ValidationError, match="Publish"):
        enrol_leads([lead], create_sequence("Fresh"), source="hand")
    pause_sequence(sequence, actor=None)
    assert refusal_of(lead, Sequence.objects.get(pk=sequence.pk)) is None
    resume_sequence(sequence, actor=None)
    archive_sequence(sequence, actor=None)
    with pytest.raises(ValidationError, match="archived"):
        enrol_leads([make_contact()], Sequence.objects.get(pk=sequence.pk), source="hand")


def test_account_that_is_not_in_use_is_refused() -> None:
    account = Account.objects.get(channel="email")
    account.is_active = account.is_default = False
    with pytest.raises(ValidationError) as error:
        enrol_leads([make_contact()], make_sequence(mail()), source="hand", account=account)
    assert list(error.value.message_dict) == ["account"]


def test_paused_enrolment_goes_on_with_what_was_left_of_its_wait() -> None:
    enrolment = enrol_one(make_sequence(days(3), mail()))
    wednesday = NOON + timedelta(days=2)
    Enrolment.objects.filter(pk=enrolment.pk).update(
        since=wednesday, next_step_at=wednesday, enrolled_at=NOON
    )
    # Of two working days of eight hours one has passed.
    paused = pause_enrolment(enrolment, at=NOON + timedelta(days=1))
    assert paused.remaining == timedelta(hours=8)
    assert (paused.state, paused.reason, paused.next_step_at) == ("paused", "by_hand", None)
    friday = NOON + timedelta(days=4)
    resumed = resume_enrolment(enrolment, at=friday)
    # Eight working hours after Friday noon it is Monday noon.
    assert resumed.next_step_at == NOON + timedelta(days=7)
    assert (resumed.state, resumed.since, resumed.remaining) == (
        *("active", NOON + timedelta(days=7)),
        None,
    )
    types = Event.objects.filter(type__in=["sequence.paused", "sequence.resumed"])
    assert types.count() == 2


def test_what_was_only_waiting_for_its_turn_is_due_when_it_goes_on() -> None:
    enrolment = enrol_one(make_sequence(mail()))
    Enrolment.objects.filter(pk=enrolment.pk).update(
        next_step_at=NOON + timedelta(hours=3), delay="cap", place_at=NOON + timedelta(hours=3)
    )
    paused = pause_enrolment(enrolment, at=NOON)
    assert (paused.remaining, paused.place_at) == (timedelta(), None)
    assert resume_enrolment(enrolment, at=NOON).next_step_at == NOON


def test_what_waits_for_a_task_waits_for_it_still() -> None:
    enrolment = enrol_one(make_sequence(task()))
    awaited = make_message(enrolment.lead).pk
    Enrolment.objects.filter(pk=enrolment.pk).update(
        next_step_at=None, waiting_for="task", waiting_id=awaited
    )
    pause_enrolment(enrolment)
    resumed = resume_enrolment(enrolment)
    assert (resumed.waiting_for, resumed.waiting_id) == ("task", awaited)
    assert resumed.next_step_at is None


def test_calendar_that_cannot_be_read_any_more_keeps_nobody_from_being_paused() -> None:
    enrolment = enrol_one(make_sequence(mail()))
    WorkCalendar.objects.update(country="ZZ")
    pause_enrolment(enrolment)
    assert resume_enrolment(enrolment).state == "active"


def test_pausing_and_going_on_twice_is_refused() -> None:
    enrolment = enrol_one(make_sequence(mail()))
    with pytest.raises(ValidationError):
        resume_enrolment(enrolment)
    pause_enrolment(enrolment)
    with pytest.raises(ValidationError):
        pause_enrolment(enrolment)
    finish(enrolment)
    for verb in (pause_enrolment, resume_enrolment):
        with pytest.raises(ValidationError):
            verb(enrolment)


def test_leaving_takes_back_what_waits_to_go_out() -> None:
    enrolment = enrol_one(make_sequence(mail()))
    message = make_message(enrolment.lead)
    Enrolment.objects.filter(pk=enrolment.pk).update(
        next_step_at=None, waiting_for="message", waiting_id=message.pk, steps_done=1
    )
    assert stop_enrolments([enrolment.pk], at=NOON)
    row = Enrolment.objects.get(pk=enrolment.pk)
    assert (row.state, row.reason, row.finished_at) == ("finished", "by_hand", NOON)
    assert (row.waiting_for, row.waiting_id, row.next_step_at) == ("", None, None)
    assert Message.objects.get(pk=message.pk).status == "withdrawn"
    event = Event.objects.get(type="sequence.finished")
    assert (event.payload["reason"], event.payload["steps"]) == ("by_hand", 1)
    assert stop_enrolments([enrolment.pk]) == []
    assert Event.objects.filter(type="sequence.finished").count() == 1


def test_stopping_leaves_another_teams_enrolment(team: Tenant) -> None:
    with tenant_context(make_tenant()):
        theirs = enrol_one(make_sequence(mail()))
    assert stop_enrolments([theirs.pk]) == []
    with pytest.raises(Enrolment.DoesNotExist):
        pause_enrolment(theirs)


@pytest.mark.django_db(transaction=True)
def test_two_at_once_take_a_lead_in_once(team: Tenant) -> None:
    lead, sequence = make_contact(), make_sequence(mail())

    def enrol() -> int:
        with tenant_context(team):
            return len(enrol_leads([lead], sequence, source="hand").enrolled)

    assert sorted(at_once(3, enrol)) == [0, 0, 1]
    assert Enrolment.objects.filter(lead=lead).count() == 1
    assert Event.objects.filter(type="sequence.enrolled").count() == 1


@pytest.mark.parametrize(
    ("emails", "key"),
    [
        (["ada@engines.example"], "engines.example"),
        (["ada@mail.engines.co.uk"], "engines.co.uk"),
        (["ada@gmail.com"], ""),
        (["ada@gmx.net", "ada@engines.example"], "engines.example"),
        (["ada@web.de"], ""),
        ([], ""),
    ],
)
def test_colleagues_share_the_domain_of_their_company(emails: list[str], key: str) -> None:
    assert company_key(emails) == key


def test_survey_tells_who_would_come_in_and_what_would_stop_them() -> None:
    sequence = make_sequence(mail("Dear {{ first_name }} of {{ company }}"))
    make_contact(company="Engines")
    make_contact()
    create_lead(name="Silent")
    already = make_contact(company="Engines")
    enrol_one(sequence, already)
    version = Sequence.objects.select_related("published").get(pk=sequence.pk).published
    assert version
    version.sequence = sequence
    found = survey(list(leads()), version, at=NOON)
    assert (found.looked_at, found.starting) == (4, 2)
    assert found.refused == {Refusal.NO_ADDRESS: 1, Refusal.ALREADY: 1}
    assert found.obstacles == {"nothing is known for “company”": 1}
    assert Enrolment.objects.count() == 1


def test_survey_takes_as_many_queries_for_many(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    sequence = make_sequence(mail(), days(2), mail("More", ""))
    for _ in range(25):
        make_contact()
    version = sequence.published
    assert version
    rows = list(leads())
    with django_assert_max_num_queries(25):
        assert survey(rows, version, at=NOON).starting == 25


def test_preview_is_the_same_each_time_and_writes_nothing() -> None:
    sequence = make_sequence(mail(), days(3), mail("More", ""))
    lead = leads().get(pk=make_contact(name="Ada Lovelace").pk)
    version = sequence.published
    assert version
    first, second = (preview(version, lead, at=NOON) for _ in range(2))
    assert [step.at for step in first] == [step.at for step in second]
    assert [step.at for step in first] == [NOON, NOON, NOON + timedelta(days=3)]
    assert not Enrolment.objects.exists()
