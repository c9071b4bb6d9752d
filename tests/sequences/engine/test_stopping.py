"""What ends a sequence for somebody, and what does not."""

from datetime import UTC, datetime
from typing import Any

import pytest

from channels.models import Message, MessageStatus
from channels.sequences.decisions import Ending
from channels.sequences.documents import Rules
from channels.sequences.enrolling import pause_enrolment
from channels.sequences.executing import advance_due
from channels.sequences.handlers import stop_answered_sequences
from channels.sequences.models import Execution
from channels.sequences.payloads import SequenceFinished, SequencePaused, SequenceResumed
from channels.sequences.stopping import stop_enrolments_of
from channels.services.consent import mark_bounced, opt_out
from channels.services.echoes import record_echo
from channels.transports import Incoming, Sender
from events.testing import assert_not_published, assert_published, published, settle_events
from leads.services import lose_lead, win_lead
from leads.services.meetings import book_meeting
from tests.sequences.engine.clock import Clock
from tests.sequences.engine.factories import (
    again,
    days,
    enrol,
    enrol_one,
    hours,
    mail,
    make_contact,
    make_sequence,
    reply,
    sent_to,
)

pytestmark = pytest.mark.usefixtures("team")


def test_reply_ends_it_and_is_credited(clock: Clock) -> None:
    lead = make_contact()
    enrolment = enrol_one(make_sequence(mail("one"), days(1), mail("two", subject="")), lead)
    clock.run()
    clock.skip(hours=1)
    reply(lead, in_reply_to=Message.objects.get())
    settle_events()
    ended = again(enrolment)
    assert (ended.state, ended.reason, ended.finished_at) == ("finished", "replied", clock.now)
    assert_published(SequenceFinished, reason="replied", steps=2)
    assert Execution.objects.get(number=1).replied_at == clock.now
    clock.skip(days=3)
    clock.run()
    assert sent_to(enrolment) == ["one"]


def test_reply_on_another_channel_or_from_another_address_ends_it(clock: Clock) -> None:
    lead = make_contact(phones=["+4930901820"])
    enrolment = enrol_one(make_sequence(mail("one"), days(1), mail("two")), lead)
    clock.run()
    reply(lead, channel="whatsapp", address="+4930901820")
    settle_events()
    assert (again(enrolment).state, again(enrolment).reason) == ("finished", "inbound")


def test_word_of_before_the_enrolment_ends_nothing(clock: Clock) -> None:
    lead = make_contact()
    reply(lead)
    clock.skip(minutes=1)
    enrolment = enrol_one(make_sequence(mail("one")), lead)
    settle_events()
    clock.run()
    assert sent_to(enrolment) == ["one"]


def test_reply_that_was_stored_but_not_handled_yet_ends_it(clock: Clock) -> None:
    lead = make_contact()
    enrolment = enrol_one(make_sequence(mail("one")), lead)
    reply(lead)
    advance_due(at=clock.now)
    assert again(enrolment).reason == "inbound"
    assert not Message.objects.filter(direction="outbound").exists()


def test_reply_withdraws_what_is_queued(clock: Clock) -> None:
    lead = make_contact()
    enrolment = enrol_one(make_sequence(mail("one")), lead)
    advance_due(at=clock.now)
    reply(lead)
    settle_events()
    message = Message.objects.get(direction="outbound")
    assert (message.status, message.sent_at) == (MessageStatus.WITHDRAWN, None)
    assert again(enrolment).reason in ("replied", "inbound")


@pytest.mark.parametrize("automatic", ["auto_reply", "list", "bounce"])
def test_what_programs_write_ends_nothing(clock: Clock, automatic: str) -> None:
    lead = make_contact()
    enrolment = enrol_one(make_sequence(mail("one"), hours(1), mail("two")), lead)
    clock.run()
    reply(lead, automatic=automatic)
    settle_events()
    clock.skip(hours=1)
    clock.run()
    assert sent_to(enrolment) == ["one", "two"]
    assert not Execution.objects.exclude(replied_at=None).exists()


def test_own_mail_from_elsewhere_ends_nothing(clock: Clock) -> None:
    lead = make_contact()
    enrolment = enrol_one(make_sequence(mail("one"), hours(1), mail("two")), lead)
    clock.run()
    account = Message.objects.get().account
    assert account
    told = Incoming(vendor_id="<own@example.com>", sender=Sender(lead.emails[0]), text="Me again")
    record_echo(lead, told, account=account, address=lead.emails[0], answered=None)
    settle_events()
    clock.skip(hours=1)
    clock.run()
    assert "two" in sent_to(enrolment)


def test_reply_after_the_end_counts_and_revives_nobody(clock: Clock) -> None:
    lead = make_contact()
    enrolment = enrol_one(make_sequence(mail("one")), lead)
    clock.run()
    assert again(enrolment).reason == "finished"
    clock.skip(days=2)
    reply(lead)
    settle_events()
    assert Execution.objects.get().replied_at == clock.now
    assert again(enrolment).reason == "finished"


def test_out_of_office_pauses_until_the_return(clock: Clock) -> None:
    lead = make_contact()
    enrolment = enrol_one(make_sequence(mail("one"), days(1), mail("two")), lead)
    clock.run()
    _say_away(lead, datetime(2026, 12, 1, tzinfo=UTC))
    paused = again(enrolment)
    assert (paused.state, paused.reason) == ("paused", "away")
    assert_published(SequencePaused, reason="away")
    clock.run_at("2026-12-01 08:59")
    assert sent_to(enrolment) == ["one"]
    clock.run_at("2026-12-01 09:00")
    assert sent_to(enrolment) == ["one", "two"]
    assert_published(SequenceResumed)


def test_out_of_office_takes_back_what_is_queued_until_the_return(clock: Clock) -> None:
    lead = make_contact()
    enrolment = enrol_one(make_sequence(mail("one")), lead)
    advance_due(at=clock.now)
    _say_away(lead, datetime(2026, 12, 1, tzinfo=UTC))
    assert (again(enrolment).reason, sent_to(enrolment)) == ("away", [])
    clock.run_at("2026-12-01 08:59")
    assert sent_to(enrolment) == []
    clock.run_at("2026-12-01 09:00")
    assert sent_to(enrolment) == ["one"]


def test_out_of_office_without_a_date_pauses_for_two_weeks(clock: Clock) -> None:
    lead = make_contact()
    enrolment = enrol_one(make_sequence(mail("one"), days(1), mail("two")), lead)
    clock.run()
    _say_away(lead, None)
    until = again(enrolment).resume_at
    assert until and until.isoformat() == "2026-12-07T08:00:00+00:00"


def test_second_out_of_office_moves_the_return(clock: Clock) -> None:
    lead = make_contact()
    enrolment = enrol_one(make_sequence(mail("one"), days(1), mail("two")), lead)
    clock.run()
    _say_away(lead, datetime(2026, 12, 1, tzinfo=UTC))
    _say_away(lead, datetime(2026, 12, 3, tzinfo=UTC))
    until = again(enrolment).resume_at
    assert until and until.isoformat() == "2026-12-03T08:00:00+00:00"


def test_absence_that_was_not_handled_yet_holds_the_step(clock: Clock) -> None:
    lead = make_contact()
    enrolment = enrol_one(make_sequence(mail("one")), lead)
    returns = datetime(2026, 12, 1, tzinfo=UTC).isoformat()
    reply(lead, automatic="out_of_office", details={"returns_at": returns})
    advance_due(at=clock.now)
    assert (again(enrolment).state, again(enrolment).reason) == ("paused", "away")
    assert not Message.objects.filter(direction="outbound").exists()


def _opt_out(lead: Any) -> None:
    opt_out(lead, channel="email", address=lead.emails[0], source="manual")


def _bounce(lead: Any) -> None:
    mark_bounced(lead, channel="email", address=lead.emails[0], hard=True, reason="no such user")


def _meet(lead: Any) -> None:
    book_meeting(lead, starts_at=datetime(2026, 12, 1, 9, tzinfo=UTC), title="Demo")


def _lose(lead: Any) -> None:
    lose_lead(lead, reason="Too dear")


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (_opt_out, "opted_out"),
        (_bounce, "bounced"),
        (_meet, "meeting"),
        (win_lead, "won"),
        (_lose, "lost"),
    ],
)
def test_other_ends(clock: Clock, happens: Any, reason: str) -> None:
    lead = make_contact()
    enrolment = enrol_one(make_sequence(mail("one"), days(1), mail("two")), lead)
    clock.run()
    clock.skip(hours=1)
    happens(lead)
    settle_events()
    assert (again(enrolment).state, again(enrolment).reason) == ("finished", reason)
    clock.skip(days=5)
    clock.run()
    assert sent_to(enrolment) == ["one"]


def test_won_deal_is_credited_to_the_last_step(clock: Clock) -> None:
    lead = make_contact()
    enrol_one(make_sequence(mail("one"), hours(1), mail("two")), lead)
    clock.run()
    clock.skip(hours=1)
    clock.run()
    clock.skip(days=1)
    win_lead(lead)
    settle_events()
    credited = Execution.objects.exclude(won_at=None)
    assert [each.number for each in credited] == [3]


def test_rules_may_let_people_stay(clock: Clock) -> None:
    lead = make_contact()
    rules = Rules(on_reply=False, on_meeting=False)
    sequence = make_sequence(mail("one"), hours(1), mail("two"), rules=rules)
    enrolment = enrol_one(sequence, lead)
    clock.run()
    reply(lead)
    _meet(lead)
    settle_events()
    clock.skip(hours=1)
    clock.run()
    assert sent_to(enrolment) == ["one", "two"]


@pytest.mark.parametrize(
    ("ours", "theirs", "reason"),
    [
        ("ada@engines.example.com", "bob@engines.example.com", "company_replied"),
        ("ada@gmail.com", "bob@gmail.com", ""),
    ],
)
def test_colleague_who_replies_ends_it_where_that_is_wanted(
    clock: Clock, ours: str, theirs: str, reason: str
) -> None:
    colleague = make_contact(email=theirs)
    rules = Rules(on_company_reply=True)
    steps = mail("one"), days(1), mail("two")
    wanted = enrol_one(make_sequence(*steps, rules=rules), make_contact(email=ours))
    unwanted = enrol_one(make_sequence(*steps), wanted.lead)
    clock.run()
    reply(colleague)
    settle_events()
    assert again(wanted).reason == reason
    assert again(unwanted).reason == ""


def test_colleagues_reply_that_was_stored_but_not_handled_yet_ends_it(clock: Clock) -> None:
    rules = Rules(on_company_reply=True)
    colleague = make_contact(email="bob@engines.example")
    ended = enrol_one(
        make_sequence(mail("one"), rules=rules), make_contact(email="ada@engines.example")
    )
    stays = enrol_one(
        make_sequence(mail("one"), rules=rules), make_contact(email="eve@looms.example")
    )
    reply(colleague)
    advance_due(at=clock.now)
    assert again(ended).reason == "company_replied"
    assert again(stays).waiting_for == "message"


def test_colleagues_word_of_before_the_enrolment_ends_nothing(clock: Clock) -> None:
    reply(make_contact(email="bob@engines.example"))
    clock.skip(minutes=1)
    sequence = make_sequence(mail("one"), rules=Rules(on_company_reply=True))
    enrolment = enrol_one(sequence, make_contact(email="ada@engines.example"))
    advance_due(at=clock.now)
    assert again(enrolment).waiting_for == "message"


def test_paused_sequence_ends_with_a_reply_too(clock: Clock) -> None:
    lead = make_contact()
    enrolment = enrol_one(make_sequence(mail("one")), lead)
    pause_enrolment(enrolment)
    reply(lead)
    settle_events()
    assert (again(enrolment).state, again(enrolment).reason) == ("finished", "inbound")


def test_reply_ends_all_sequences_of_a_lead_and_nobody_elses(clock: Clock) -> None:
    lead, other = make_contact(), make_contact()
    first, second = make_sequence(mail("one")), make_sequence(mail("two"))
    own = [enrol_one(first, lead), enrol_one(second, lead)]
    [foreign] = enrol(first, other)
    reply(lead)
    settle_events()
    assert {again(each).state for each in own} == {"finished"}
    assert again(foreign).state == "active"


def test_stop_by_another_part_ends_with_its_reason(clock: Clock) -> None:
    lead = make_contact()
    enrolment = enrol_one(make_sequence(mail("one")), lead)
    assert [each.pk for each in stop_enrolments_of(lead.pk, Ending.MERGED, clock.now)] == [
        enrolment.pk
    ]
    assert again(enrolment).reason == "merged"
    assert stop_enrolments_of(lead.pk, Ending.MERGED, clock.now) == []


def test_reply_that_came_late_but_before_the_step_was_due_is_heeded(clock: Clock) -> None:
    lead = make_contact()
    enrolment = enrol_one(make_sequence(mail("one"), days(1), mail("two")), lead)
    clock.run()
    clock.skip(days=1)
    # Its mailbox was looked at late: it is dated an hour after the first mail.
    reply(lead, received_at=datetime(2026, 11, 23, 12, tzinfo=UTC))
    advance_due(at=clock.now)
    assert again(enrolment).state == "finished"
    assert sent_to(enrolment) == ["one"]


def test_replayed_events_end_nothing_that_began_later(clock: Clock) -> None:
    lead = make_contact()
    old = reply(lead)
    settle_events()
    clock.skip(days=1)
    enrolment = enrol_one(make_sequence(mail("one"), days(1), mail("two")), lead)
    stop_answered_sequences(published("message.received", message_id=old.pk))
    assert again(enrolment).state == "active"
    assert_not_published(SequenceFinished)


def _say_away(lead: Any, returns_at: datetime | None) -> None:
    details = {"returns_at": returns_at.isoformat()} if returns_at else {}
    reply(lead, automatic="out_of_office", details=details)
    settle_events()
