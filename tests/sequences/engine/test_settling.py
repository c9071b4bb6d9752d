"""What became of a message or a task lets people go on, or ends it for them."""

from datetime import timedelta
from threading import Thread

import pytest
from django.db import connection, transaction

from channels.models import Account, LawfulBasis, Message, MessageStatus
from channels.payloads import MessageClicked
from channels.sequences.documents import Did, Says, Wait
from channels.sequences.executing import advance_due
from channels.sequences.handlers import note_sequence_signals
from channels.sequences.mending import look_at_obstacles, mend_enrolments, oldest_due
from channels.sequences.models import DayQuota, Enrolment, Execution, Waiting
from channels.services.consent import opt_in
from channels.services.withdrawing import withdraw_messages
from events import publish
from events.testing import settle_events
from leads.services import move_lead
from tests.events.threads import in_own_connection
from tests.leads.factories import stage_called
from tests.sequences.engine.clock import Clock
from tests.sequences.engine.factories import (
    again,
    branch,
    days,
    done_for,
    enrol,
    enrol_one,
    hours,
    mail,
    make_contact,
    make_sequence,
    sent_to,
)
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("team")


def test_message_that_waited_past_closing_time_is_written_anew_once(clock: Clock) -> None:
    enrolment = enrol_one(make_sequence(mail("one"), account_cap=50))
    advance_due(at=clock.now)
    _stop_accounts(clock)
    settle_events()
    clock.run_at("2026-11-23 17:05")
    withdrawn = Message.objects.get()
    assert withdrawn.status == MessageStatus.WITHDRAWN
    assert again(enrolment).delay == "closed"
    assert {each.used for each in DayQuota.objects.all()} == {0}
    _start_accounts()
    clock.run_at("2026-11-24 09:00")
    assert sent_to(enrolment) == ["one"]
    execution = Execution.objects.get()
    assert (execution.renewed, execution.sent_at) == (1, clock.now)
    assert execution.message_id != withdrawn.pk
    assert again(enrolment).steps_done == 1


def test_stopped_account_holds_the_step_and_says_why(clock: Clock) -> None:
    enrolment = enrol_one(make_sequence(mail("one")))
    _stop_accounts(clock)
    clock.run()
    held = again(enrolment)
    assert (held.delay, held.says) == ("account_stopped", "wrong password")
    assert held.next_step_at == clock.now + timedelta(minutes=15)
    _start_accounts()
    clock.skip(minutes=15)
    clock.run()
    assert sent_to(enrolment) == ["one"]


def test_follow_up_shifts_with_the_message_before_it(clock: Clock) -> None:
    enrolment = enrol_one(make_sequence(mail("one"), days(1), mail("two")))
    advance_due(at=clock.now)
    clock.set("2026-11-23 16:00")
    settle_events()
    clock.run()
    clock.run_at("2026-11-24 15:59")
    assert sent_to(enrolment) == ["one"]
    clock.run_at("2026-11-24 16:00")
    assert sent_to(enrolment) == ["one", "two"]


def test_message_that_failed_ends_it(clock: Clock) -> None:
    lead = make_contact(email="bounce-1@example.com")
    enrolment = enrol_one(make_sequence(mail("one"), mail("two")), lead)
    clock.run()
    ended = again(enrolment)
    assert (ended.state, ended.reason) == ("finished", "failed")
    assert Execution.objects.get().failed_at == clock.now


def test_message_of_which_nobody_knows_goes_on_after_a_while(clock: Clock) -> None:
    lead = make_contact(email="lost-1@example.com")
    enrolment = enrol_one(make_sequence(mail("one"), mail("two")), lead)
    clock.run()
    assert again(enrolment).waiting_for == Waiting.MESSAGE
    assert mend_enrolments(clock.now) == 1
    advance_due(at=clock.now)
    assert done_for(enrolment) == [(1, "queued"), (2, "queued")]


def test_people_whose_message_was_settled_unheard_are_mended_once(clock: Clock) -> None:
    enrolment = enrol_one(make_sequence(mail("one"), hours(1), mail("two")))
    advance_due(at=clock.now)
    stuck = again(enrolment)
    settle_events()
    # As if no handler had heard of it.
    Enrolment.objects.filter(pk=enrolment.pk).update(
        next_step_at=None, waiting_for=stuck.waiting_for, waiting_id=stuck.waiting_id
    )
    assert mend_enrolments(clock.now) == 0
    clock.skip(minutes=11)
    assert mend_enrolments(clock.now) == 1
    assert mend_enrolments(clock.now) == 0
    clock.skip(hours=1)
    clock.run()
    assert sent_to(enrolment) == ["one", "two"]


def test_people_who_wait_for_something_that_is_gone_are_mended(clock: Clock) -> None:
    enrolment = enrol_one(make_sequence(mail("one"), mail("two")))
    advance_due(at=clock.now)
    Message.objects.all().delete()
    assert mend_enrolments(clock.now) == 1
    clock.run()
    assert sent_to(enrolment) == ["two"]


def test_withdrawn_message_of_somebody_who_goes_on_is_written_anew(clock: Clock) -> None:
    enrolment = enrol_one(make_sequence(mail("one")))
    advance_due(at=clock.now)
    [message] = Message.objects.all()
    withdraw_messages([message.pk], "The sequence is paused.")
    settle_events()
    clock.run()
    assert sent_to(enrolment) == ["one"]
    assert done_for(enrolment) == [(1, "queued")]


def test_branch_that_waits_is_asked_as_soon_as_something_happens(clock: Clock) -> None:
    steps = branch(Did(signal="clicked"), [mail("clicked")], [mail("not")], Wait(amount=3))
    enrolment = enrol_one(make_sequence(mail("one"), steps, is_tracked=True))
    clock.run()
    assert again(enrolment).delay == "condition"
    clock.skip(hours=2)
    message = Message.objects.get(direction="outbound")
    event = publish(MessageClicked.of(message, {}), occurred_at=clock.now)
    note_sequence_signals([event])
    clock.run()
    assert sent_to(enrolment) == ["one", "clicked"]


def test_step_says_whether_its_mail_tells_that_it_is_opened(clock: Clock) -> None:
    sequence = make_sequence(mail("one"), is_tracked=True)
    agreed, other = make_contact(), make_contact()
    basis = LawfulBasis.CONSENT
    opt_in(agreed, channel="email", address=agreed.emails[0], basis=basis, source="manual")
    enrol(sequence, agreed, other)
    clock.run()
    clock.skip(hours=2)
    clock.run()
    told = {row.enrolment.lead: row for row in Execution.objects.select_related("enrolment")}
    assert told[agreed].sent_at
    assert told[agreed].tracked_at == told[agreed].sent_at
    assert told[other].sent_at
    assert told[other].tracked_at is None


@pytest.mark.django_db(transaction=True)
def test_click_in_the_moment_in_which_a_branch_begins_to_wait_is_not_missed(clock: Clock) -> None:
    steps = branch(Did(signal="clicked"), [mail("clicked")], [mail("not")], Wait(amount=3))
    enrolment = enrol_one(make_sequence(mail("one"), steps, is_tracked=True))
    advance_due(at=clock.now)
    settle_events()
    publish(MessageClicked.of(Message.objects.get(), {}), occurred_at=clock.now)
    handler = Thread(target=in_own_connection, args=[settle_events])
    with transaction.atomic():
        assert advance_due(at=clock.now) == 1
        handler.start()
        wait_until(lambda: _somebody_waits() or not handler.is_alive(), "the click is noted")
    handler.join()
    clock.run()
    assert sent_to(enrolment) == ["one", "clicked"]


def test_branch_that_waits_for_a_stage_is_asked_when_the_lead_moves(clock: Clock) -> None:
    stage = stage_called("Proposal")
    asked = Says(name="stage", value=str(stage.pk))
    fork = branch(asked, [mail("moved")], [mail("not")], Wait(amount=3))
    enrolment = enrol_one(make_sequence(fork))
    clock.run()
    assert again(enrolment).delay == "condition"
    clock.skip(hours=2)
    move_lead(enrolment.lead, stage_called("Qualified"))
    clock.run()
    assert again(enrolment).delay == "condition"
    move_lead(enrolment.lead, stage)
    clock.run()
    assert sent_to(enrolment) == ["moved"]


def test_branch_asks_for_tags_and_source(clock: Clock) -> None:
    vip = branch(Says(name="tag", value="vip"), [mail("vip")], [mail("no vip")])
    fair = branch(Says(name="source", value="fair"), [mail("fair", "")], [mail("no fair", "")])
    sequence = make_sequence(vip, fair)
    one = enrol_one(sequence, make_contact(tags=["solar", "vip"], source="web"))
    two = enrol_one(sequence, make_contact(tags=["solar"], source="fair"))
    clock.run()
    assert sent_to(one) == ["vip", "no fair"]
    assert sent_to(two) == ["no vip", "fair"]


def test_branch_that_waits_in_vain_goes_the_other_way(clock: Clock) -> None:
    steps = branch(Did(signal="clicked"), [mail("clicked")], [mail("not")], Wait(amount=3))
    enrolment = enrol_one(make_sequence(mail("one"), steps, is_tracked=True))
    clock.run_until("2026-11-26 12:00")
    assert sent_to(enrolment) == ["one", "not"]


def test_obstacles_are_looked_at_again_by_and_by(clock: Clock) -> None:
    enrolment = enrol_one(make_sequence(mail("one")))
    Account.objects.filter(channel="email").update(is_active=False, is_default=False)
    clock.run()
    assert again(enrolment).obstacle == "no_account"
    Account.objects.filter(channel="email").update(is_active=True, is_default=True)
    assert look_at_obstacles(clock.now) == 1
    clock.run()
    assert sent_to(enrolment) == ["one"]


def test_oldest_step_that_is_due_is_told(clock: Clock) -> None:
    assert oldest_due(clock.now) is None
    enrol_one(make_sequence(mail("one")))
    clock.skip(minutes=14)
    assert oldest_due(clock.now) == timedelta(minutes=14)


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        [waiting] = cursor.fetchone()
    return bool(waiting)


def _stop_accounts(clock: Clock) -> None:
    Account.objects.update(stopped_at=clock.now, stopped_reason="wrong password")


def _start_accounts() -> None:
    Account.objects.update(stopped_at=None, stopped_reason="")
