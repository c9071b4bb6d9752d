"""Steps are executed when they are due, each once, and put people where they belong."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from channels.models import Message, MessageStatus
from channels.sequences.documents import Says, Wait, WaitStep
from channels.sequences.enrolling import pause_enrolment, resume_enrolment
from channels.sequences.executing import advance_due
from channels.sequences.models import Enrolment, Sequence, Waiting
from channels.sequences.payloads import (
    SequenceBlocked,
    SequenceFinished,
    SequenceStepExecuted,
)
from channels.services.messages import send_message
from channels.services.outcomes import confirm_sent, discard_prepared
from events.testing import assert_published, published, settle_events
from leads.models import Task
from leads.services import create_lead, edit_lead, win_lead
from leads.services.tasks import complete_task, skip_task
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.factories import make_tenant, make_user
from tests.sequences.engine.clock import Clock
from tests.sequences.engine.factories import (
    again,
    allow,
    branch,
    days,
    done_for,
    enrol,
    enrol_one,
    hours,
    linkedin,
    mail,
    make_contact,
    make_sequence,
    sent_to,
    task,
)
from tests.sequences.weeks import local

pytestmark = pytest.mark.usefixtures("team")


def test_mails_go_out_with_working_days_between_them(clock: Clock) -> None:
    sequence = make_sequence(mail("one"), days(2), mail("two", subject=""))
    enrolment = enrol_one(sequence)
    clock.run()
    assert sent_to(enrolment) == ["one"]
    clock.run_at("2026-11-25 11:59")
    assert sent_to(enrolment) == ["one"]
    clock.run_at("2026-11-25 12:00")
    assert sent_to(enrolment) == ["one", "two"]
    finished = again(enrolment)
    assert (finished.state, finished.reason, finished.steps_done) == ("finished", "finished", 3)
    assert done_for(enrolment) == [(1, "queued"), (2, "rested"), (3, "queued")]
    assert_published(SequenceFinished, reason="finished", steps=3)


def test_events_tell_what_was_executed(clock: Clock) -> None:
    sequence = make_sequence(mail("one"), hours(1))
    enrolment = enrol_one(sequence)
    clock.run()
    message = Message.objects.get(direction="outbound")
    first, second = published(SequenceStepExecuted)
    assert first.payload["message_id"] == str(message.pk)
    told = {name: first.payload[name] for name in ("kind", "channel", "outcome", "variant", "step")}
    assert told == {
        "kind": "message",
        "channel": "email",
        "outcome": "queued",
        "variant": "A",
        "step": 1,
    }
    assert first.payload["enrolment_id"] == str(enrolment.pk)
    assert first.occurred_at == clock.now
    assert (second.payload["kind"], second.payload["outcome"]) == ("wait", "rested")


def test_next_step_waits_until_the_message_went_out(clock: Clock) -> None:
    enrolment = enrol_one(make_sequence(mail("one"), mail("two")))
    advance_due(at=clock.now)
    waiting = again(enrolment)
    message = Message.objects.get()
    assert (waiting.waiting_for, waiting.waiting_id) == (Waiting.MESSAGE, message.pk)
    clock.skip(minutes=30)
    assert advance_due(at=clock.now) == 0
    settle_events()
    assert again(enrolment).since == clock.now
    clock.run()
    assert sent_to(enrolment) == ["one", "two"]


def test_nothing_goes_out_at_night_also_after_an_outage(clock: Clock) -> None:
    enrolment = enrol_one(make_sequence(mail("one")))
    clock.run_at("2026-11-23 21:00")
    delayed = again(enrolment)
    assert sent_to(enrolment) == []
    assert delayed.delay == "closed"
    clock.run_at("2026-11-24 08:59")
    assert sent_to(enrolment) == []
    clock.run_at("2026-11-24 09:00")
    assert sent_to(enrolment) == ["one"]


@pytest.mark.parametrize(
    ("zone", "country", "first", "wait", "second"),
    [
        # Clocks go forward in the night to Sunday, and back.
        ("Pacific/Auckland", "NZ", "2026-09-25 12:00", days(1), "2026-09-28 12:00"),
        ("Europe/Berlin", "DE", "2026-10-23 12:00", days(1), "2026-10-26 12:00"),
        ("America/New_York", "US", "2027-03-12 16:30", hours(1), "2027-03-15 09:30"),
        # Thanksgiving, where clocks never change; Christmas and a weekend; Waitangi Day, which is a
        # Saturday and kept on Monday.
        ("Pacific/Honolulu", "US", "2026-11-25 12:00", days(1), "2026-11-27 12:00"),
        ("Europe/Berlin", "DE", "2026-12-24 12:00", days(1), "2026-12-28 12:00"),
        ("Pacific/Auckland", "NZ", "2027-02-05 10:00", days(1), "2027-02-09 10:00"),
        ("Europe/Berlin", "DE", "2028-02-28 16:00", days(1), "2028-02-29 16:00"),
    ],
)
def test_next_step_comes_at_the_hour_of_the_contacts_clock(
    clock: Clock, zone: str, country: str, first: str, wait: WaitStep, second: str
) -> None:
    clock.set(local(first, ZoneInfo(zone)))
    with tenant_context(make_tenant(time_zone=zone)):
        lead = make_contact(country=country, time_zone=zone)
        enrolment = enrol_one(make_sequence(mail("one"), wait, mail("two")), lead)
        due = local(second, ZoneInfo(zone))
        clock.run_until(due - timedelta(seconds=1))
        assert sent_to(enrolment) == ["one"]
        clock.run_at(due)
        assert sent_to(enrolment) == ["one", "two"]


def test_hours_are_those_of_the_contact(clock: Clock) -> None:
    far = make_contact(time_zone="Pacific/Auckland")
    enrolment = enrol_one(make_sequence(mail("one")), far)
    clock.run()
    waiting = again(enrolment)
    assert (waiting.time_zone, waiting.zone_source) == ("Pacific/Auckland", "given")
    assert waiting.next_step_at and waiting.next_step_at.isoformat() == "2026-11-23T20:00:00+00:00"


def test_missing_variable_blocks_and_an_edit_unblocks(clock: Clock) -> None:
    lead = make_contact(name="Ada Lovelace")
    enrolment = enrol_one(make_sequence(mail("At {{ company }}")), lead)
    clock.run()
    blocked = again(enrolment)
    assert (blocked.waiting_for, blocked.obstacle) == (Waiting.PERSON, "missing")
    assert blocked.obstacle_names == ["company"]
    assert_published(SequenceBlocked, reason="missing", names=["company"])
    edit_lead(lead, title="Countess")
    settle_events()
    clock.run()
    assert again(enrolment).waiting_for == Waiting.PERSON
    # The same obstacle is told once.
    assert_published(SequenceBlocked)
    edit_lead(lead, company="Engines Ltd")
    settle_events()
    clock.run()
    assert sent_to(enrolment) == ["At Engines Ltd"]
    assert not Message.objects.filter(body__contains="{{").exists()


def test_task_holds_the_sequence_until_it_is_done(team: Tenant, clock: Clock) -> None:
    colleague = make_user(team)
    sequence = make_sequence(task(), mail("two"))
    done, skipped = enrol(sequence, make_contact(), make_contact(), sender=colleague)
    clock.run()
    assert again(done).waiting_for == again(skipped).waiting_for == Waiting.TASK
    first, second = (_task_of(each) for each in (done, skipped))
    assert (first.title, first.assignee, first.source) == ("Call Ada", colleague, "sequence")
    clock.skip(hours=1)
    complete_task(first, colleague)
    settle_events()
    clock.run()
    assert sent_to(done) == ["two"]
    skip_task(second, colleague)
    settle_events()
    clock.run()
    assert sent_to(skipped) == ["two"]


def test_task_that_nobody_waits_for_holds_nothing(clock: Clock) -> None:
    enrolment = enrol_one(make_sequence(task(is_waited_for=False), mail("two")))
    clock.run()
    assert sent_to(enrolment) == ["two"]
    assert done_for(enrolment) == [(1, "task"), (2, "queued")]


def test_branch_goes_the_way_that_the_field_says(clock: Clock) -> None:
    asks = Says(name="company", operator="known")
    sequence = make_sequence(branch(asks, [mail("firm")], [mail("person")]), mail("both"))
    firm, person = enrol(sequence, make_contact(company="Engines"), make_contact())
    clock.run()
    assert sent_to(firm) == ["firm", "both"]
    assert sent_to(person) == ["person", "both"]


def test_limit_of_a_branch_rests_while_somebody_is_paused(clock: Clock) -> None:
    asks, limit = Says(name="title", operator="known"), Wait(amount=3)
    sequence = make_sequence(mail("one"), branch(asks, [mail("yes")], [mail("no")], limit))
    enrolment = enrol_one(sequence)
    clock.run()
    ends = again(enrolment).next_step_at
    assert ends
    clock.skip(days=1)
    for _twice in range(2):
        pause_enrolment(again(enrolment), at=clock.now)
        clock.skip(hours=1)
        resume_enrolment(again(enrolment), at=clock.now)
        clock.run()
    # Of the limit as much is left as was when they were paused.
    assert again(enrolment).next_step_at == ends + timedelta(hours=2)
    clock.run_until(ends + timedelta(hours=2))
    assert sent_to(enrolment) == ["one", "no"]
    assert again(enrolment).remaining is None


def test_linkedin_step_waits_for_whoever_sends_it(clock: Clock) -> None:
    sequence = make_sequence(linkedin("Hi"), mail("two"))
    leads = [make_contact(profiles=[f"https://www.linkedin.com/in/ada{n}"]) for n in range(2)]
    for lead in leads:
        allow(lead, "linkedin", lead.profiles[0])
    sent, dropped = enrol(sequence, *leads)
    clock.run()
    prepared = Message.objects.filter(status=MessageStatus.PREPARED)
    assert again(sent).waiting_for == Waiting.MESSAGE
    assert done_for(sent) == [(1, "prepared")]
    clock.skip(hours=1)
    confirm_sent(prepared.get(lead=sent.lead))
    discard_prepared(prepared.get(lead=dropped.lead))
    settle_events()
    clock.run()
    assert sent_to(sent) == ["Hi", "two"]
    assert sent_to(dropped) == ["two"]


def test_follow_up_goes_on_in_the_thread_of_the_sequence(clock: Clock) -> None:
    lead = make_contact()
    sequence = make_sequence(mail("one"), hours(1), mail("two", subject=""))
    enrol_one(sequence, lead)
    clock.run()
    clock.skip(minutes=30)
    send_message(lead, channel="email", body="By hand", subject="Something else")
    clock.skip(minutes=31)
    clock.run()
    first, second = (Message.objects.get(body=body) for body in ("one", "two"))
    assert first.in_reply_to is None
    assert second.in_reply_to == first
    assert second.subject == "Re: Hi"


def test_paused_sequence_parks_its_people_and_keeps_their_place(clock: Clock) -> None:
    sequence = make_sequence(mail("one"))
    enrolment = enrol_one(sequence)
    Sequence.objects.filter(pk=sequence.pk).update(state="paused")
    clock.run()
    parked = again(enrolment)
    assert (parked.state, parked.delay) == ("active", "held")
    assert parked.next_step_at == clock.now + timedelta(minutes=15)
    Sequence.objects.filter(pk=sequence.pk).update(state="active")
    clock.skip(minutes=15)
    clock.run()
    assert sent_to(enrolment) == ["one"]


def test_closed_lead_leaves_before_the_next_step(clock: Clock) -> None:
    lead = make_contact()
    enrolment = enrol_one(make_sequence(mail("one")), lead)
    win_lead(lead)
    advance_due(at=clock.now)
    ended = again(enrolment)
    assert (ended.state, ended.reason, ended.finished_at) == ("finished", "won", clock.now)


def test_lead_without_lawful_basis_blocks(clock: Clock) -> None:
    lead = create_lead(name="Ada", emails=["ada@example.com"])
    enrolment = enrol_one(make_sequence(mail("one")), lead)
    clock.run()
    assert again(enrolment).obstacle == "no_basis"
    allow(lead, "email", "ada@example.com")
    settle_events()
    clock.run()
    assert sent_to(enrolment) == ["one"]


def test_what_cannot_be_executed_keeps_nobody_else(clock: Clock) -> None:
    sequence = make_sequence(mail("one"), mail("two"))
    broken, *others = enrol(sequence, *(make_contact() for _ in range(5)))
    Enrolment.objects.filter(pk=broken.pk).update(step="00000000-0000-0000-0000-00000000dead")
    clock.run()
    stopped = again(broken)
    assert (stopped.waiting_for, stopped.obstacle) == (Waiting.PERSON, "broken")
    assert [sent_to(each) for each in others] == [["one", "two"]] * 4


def test_number_of_statements_does_not_grow_with_the_batch(clock: Clock) -> None:
    counts = []
    for size in (2, 40):
        enrol(make_sequence(mail("one")), *(make_contact() for _ in range(size)))
        with CaptureQueriesContext(connection) as captured:
            assert advance_due(at=clock.now) == size
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_people_of_several_teams_move_by_themselves(team: Tenant, clock: Clock) -> None:
    first = enrol_one(make_sequence(mail("one")))
    with tenant_context(make_tenant("other", time_zone="Europe/Berlin")):
        second = enrol_one(make_sequence(mail("other")))
    clock.run()
    assert sent_to(first) == ["one"]
    with tenant_context(second.tenant):
        assert sent_to(second) == ["other"]


def _task_of(enrolment: Enrolment) -> Task:
    found: Task = Task.objects.get(pk=again(enrolment).waiting_id)
    return found
