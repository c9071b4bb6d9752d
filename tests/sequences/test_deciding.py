"""What happens next to somebody in a sequence."""

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from channels.sequences.calendars import read_calendar
from channels.sequences.conditions import Did, Operator, Says, Signal
from channels.sequences.deciding import (
    ABSENCE,
    LATENESS,
    LOOK_AGAIN,
    advance,
    decide,
    ending_of,
    return_from_absence,
)
from channels.sequences.decisions import (
    AccountState,
    AddTask,
    Answer,
    Block,
    Decision,
    Delay,
    Ending,
    Facts,
    Finish,
    Later,
    LeadState,
    Obstacle,
    Park,
    Pass,
    Pause,
    Prepare,
    Rest,
    Send,
    Standing,
    Turn,
)
from channels.sequences.plans import Rules, Step, Template, Variant, variant_for
from channels.sequences.spreading import Quota, Room
from channels.sequences.working_time import Unit, Wait, is_open
from tests.sequences.plan_factories import (
    MONDAY_NOON,
    branch,
    key,
    linkedin,
    make_facts,
    make_plan,
    make_state,
    message,
    reached,
    task,
    wait,
)
from tests.sequences.weeks import AUCKLAND, BERLIN, NEVER, OFFICE, local, utc

NOW = MONDAY_NOON
EARLIER, LATER = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
TEMPLATE = Template("welcome", "en")


def decide_one(step: Step, facts: Facts, now: datetime = NOW) -> Decision:
    return decide(make_plan(step), make_state(step.number), facts, now)


# Why somebody leaves: what is known, and what comes of it.


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lead": LeadState.WON}, Ending.WON),
        ({"lead": LeadState.LOST}, Ending.LOST),
        ({"lead": LeadState.MERGED}, Ending.MERGED),
        ({"lead": LeadState.DELETED}, Ending.LEAD_DELETED),
        ({"answered": Answer(NOW, is_reply=True)}, Ending.REPLIED),
        ({"answered": Answer(LATER)}, Ending.INBOUND),
        ({"opted_out_at": LATER}, Ending.OPTED_OUT),
        ({"bounced_at": LATER}, Ending.BOUNCED),
        ({"met_at": LATER}, Ending.MEETING),
        # What happened before they were enrolled says nothing.
        ({"answered": Answer(EARLIER, is_reply=True)}, None),
        ({"opted_out_at": EARLIER, "bounced_at": EARLIER, "met_at": EARLIER}, None),
        # A colleague's answer ends it only where that is wished.
        ({"company_answered": Answer(LATER)}, None),
        ({"lead": LeadState.OPEN}, None),
        # Who is won and answered is won.
        ({"lead": LeadState.WON, "answered": Answer(LATER)}, Ending.WON),
    ],
)
def test_ending(changes: dict[str, Any], reason: Ending | None) -> None:
    facts = make_facts(**changes)
    assert ending_of(Rules(), make_state(), facts) == reason
    decision = decide(make_plan(message()), make_state(), facts, LATER)
    assert decision == Finish(reason) if reason else isinstance(decision, Send)


@pytest.mark.parametrize(
    ("rules", "changes", "reason"),
    [
        (Rules(on_reply=False), {"answered": Answer(LATER, is_reply=True)}, None),
        (Rules(on_meeting=False), {"met_at": LATER}, None),
        (Rules(on_company_reply=True), {"company_answered": Answer(LATER)}, Ending.COMPANY_REPLIED),
        (Rules(on_company_reply=True), {"company_answered": Answer(EARLIER)}, None),
        # These nobody can switch off.
        (Rules(on_reply=False, on_meeting=False), {"opted_out_at": LATER}, Ending.OPTED_OUT),
        (Rules(on_reply=False, on_meeting=False), {"bounced_at": LATER}, Ending.BOUNCED),
    ],
)
def test_rules_decide_on_some_endings(
    rules: Rules, changes: dict[str, Any], reason: Ending | None
) -> None:
    assert ending_of(rules, make_state(), make_facts(**changes)) == reason


def test_ending_is_asked_before_everything_else() -> None:
    facts = make_facts(answered=Answer(LATER), is_held=True, away_until=LATER, reaches={})
    night = local("2026-11-23 23:00", BERLIN)
    assert decide(make_plan(message()), make_state(), facts, night) == Finish(Ending.INBOUND)
    done = make_state(None)
    assert decide(make_plan(message()), done, facts, night) == Finish(Ending.INBOUND)


def test_whoever_has_no_next_step_is_finished() -> None:
    plan = make_plan(message())
    assert decide(plan, make_state(None), make_facts(), NOW) == Finish(Ending.FINISHED)


@pytest.mark.parametrize("step", [message(), wait(1), task(1), linkedin(1), branch(1, None, None)])
def test_held_sequence_parks_everybody(step: Step) -> None:
    assert decide_one(step, make_facts(is_held=True)) == Park()


def test_step_is_never_executed_twice() -> None:
    plan = make_plan(message(1), message(2))
    state = make_state(1, executed={key(1): key(2)})
    assert decide(plan, state, make_facts(), NOW) == Pass(key(2))
    assert advance(state, Pass(key(2)), NOW).step == key(2)


def test_way_that_a_branch_took_is_kept() -> None:
    plan = make_plan(branch(1, 2, 3), message(2), message(3))
    state = make_state(1, executed={key(1): key(3)})
    assert decide(plan, state, make_facts(), NOW) == Pass(key(3))


# Hours.


@pytest.mark.parametrize(
    ("now", "at"),
    [
        ("2026-11-23 08:59", "2026-11-23 08:00"),
        ("2026-11-23 17:00", "2026-11-24 08:00"),
        ("2026-11-23 23:30", "2026-11-24 08:00"),
        ("2026-11-27 18:00", "2026-11-30 08:00"),
    ],
)
@pytest.mark.parametrize("step", [message(), task(1), linkedin(1)])
def test_step_that_became_due_in_hours_waits_if_they_are_over_now(
    step: Step, now: str, at: str
) -> None:
    state = make_state(since=local("2026-11-20 12:00", BERLIN))
    decision = decide(make_plan(step), state, make_facts(), local(now, BERLIN))
    assert decision == Later(utc(at), Delay.CLOSED)


def test_hours_are_those_of_the_contact() -> None:
    facts = make_facts(zone=AUCKLAND)
    noon = utc("2026-11-23 11:00")
    assert decide_one(message(), facts, noon) == Later(utc("2026-11-23 20:00"), Delay.CLOSED)
    assert isinstance(decide_one(message(), facts, utc("2026-11-23 20:00")), Send)


def test_holiday_of_the_contact_closes() -> None:
    calendar = OFFICE.of_contact("FR")
    facts = make_facts(calendar=calendar, zone=ZoneInfo("Europe/Paris"))
    state = make_state(since=utc("2026-07-01 10:00"))
    decision = decide(make_plan(message()), state, facts, utc("2026-07-14 10:00"))
    assert decision == Later(utc("2026-07-15 07:00"), Delay.CLOSED)


def test_wait_and_branch_need_no_hours() -> None:
    night = local("2026-11-23 23:00", BERLIN)
    assert isinstance(decide_one(wait(1), make_facts(), night), Rest)
    assert isinstance(decide_one(branch(1, None, None), make_facts(), night), Turn)


@pytest.mark.parametrize("step", [message(), wait(1), task(1)])
def test_calendar_without_hours_blocks(step: Step) -> None:
    assert decide_one(step, make_facts(calendar=NEVER)) == Block(Obstacle.NEVER_OPENS)


def test_message_says_until_when_it_may_wait() -> None:
    decision = decide_one(message(), make_facts())
    assert isinstance(decision, Send)
    assert decision.not_after == utc("2026-11-23 16:00")


# Absence.


def test_whoever_is_away_is_paused_until_their_first_opening() -> None:
    back = local("2026-11-28 00:00", BERLIN)
    assert decide_one(message(), make_facts(away_until=back)) == Pause(utc("2026-11-30 08:00"))
    assert isinstance(decide_one(message(), make_facts(away_until=NOW)), Send)


@pytest.mark.parametrize(
    ("returns_on", "at"),
    [
        (date(2026, 12, 1), "2026-11-30 20:00"),
        (date(2026, 12, 5), "2026-12-06 20:00"),
        # Monday noon in Berlin is Tuesday in Auckland, and two weeks later, too.
        (None, "2026-12-07 20:00"),
    ],
)
def test_absence_ends_in_the_zone_of_the_contact(returns_on: date | None, at: str) -> None:
    assert timedelta(days=14) == ABSENCE
    facts = make_facts(zone=AUCKLAND)
    assert return_from_absence(returns_on, MONDAY_NOON, facts) == utc(at)


# What stands in the way.


@pytest.mark.parametrize(
    ("standing", "decision"),
    [
        (Standing.OPTED_OUT, Finish(Ending.OPTED_OUT)),
        (Standing.BOUNCED, Finish(Ending.BOUNCED)),
        (Standing.NO_BASIS, Block(Obstacle.NO_BASIS, ("email",))),
    ],
)
def test_nobody_is_written_to_who_must_not_be(standing: Standing, decision: Decision) -> None:
    facts = reached(standing=standing)
    assert decide_one(message(), facts) == decision
    # Another channel has its own consent.
    assert isinstance(decide_one(message(channel="whatsapp"), facts), Send)
    assert isinstance(decide_one(task(1), facts), AddTask)


@pytest.mark.parametrize(
    ("account", "why"),
    [
        (AccountState.STOPPED, Delay.ACCOUNT_STOPPED),
        (AccountState.DEAF, Delay.ACCOUNT_DEAF),
    ],
)
def test_account_that_cannot_be_used_is_looked_at_again(account: AccountState, why: Delay) -> None:
    facts = reached(account=account, says="The password was refused.")
    assert decide_one(message(), facts) == Later(NOW + LOOK_AGAIN, why, "The password was refused.")
    evening = local("2026-11-23 16:55", BERLIN)
    again = decide_one(message(), facts, evening)
    assert again == Later(utc("2026-11-24 08:00"), why, "The password was refused.")


def test_account_that_is_gone_blocks() -> None:
    facts = reached(account=AccountState.GONE)
    assert decide_one(message(), facts) == Block(Obstacle.NO_ACCOUNT, ("email",))


@pytest.mark.parametrize("facts", [reached(address=""), make_facts(reaches={})])
def test_unknown_address_blocks(facts: Facts) -> None:
    assert decide_one(message(), facts) == Block(Obstacle.NO_ADDRESS, ("email",))


def test_lost_profile_blocks_and_an_account_is_not_needed() -> None:
    facts = reached("linkedin", address="")
    assert decide_one(linkedin(1), facts) == Block(Obstacle.NO_ADDRESS, ("linkedin",))
    facts = reached("linkedin", account=AccountState.GONE)
    assert isinstance(decide_one(linkedin(1), facts), Prepare)


@pytest.mark.parametrize(
    ("template", "changes", "decision"),
    [
        (TEMPLATE, {}, Block(Obstacle.TEMPLATE, ("welcome",))),
        (TEMPLATE, {"templates": frozenset({TEMPLATE})}, None),
        (
            TEMPLATE,
            {"templates": frozenset({Template("welcome", "de")})},
            Block(Obstacle.TEMPLATE, ("welcome",)),
        ),
        (TEMPLATE, {"templates": frozenset({TEMPLATE}), "needs_template": True}, None),
        (None, {"needs_template": True}, Block(Obstacle.WINDOW, ("A",))),
        (None, {}, None),
    ],
)
def test_vendors_templates_are_asked_for(
    template: Template | None, changes: dict[str, Any], decision: Block | None
) -> None:
    step = message(channel="whatsapp", variants=(Variant("A", "Hi", template=template),))
    found = decide_one(step, reached("whatsapp", **changes))
    assert found == decision if decision else isinstance(found, Send)


@pytest.mark.parametrize(
    "step",
    [
        message(1, variants=(Variant("A", "{{ company }} {{ title }}", "{{ company }}"),)),
        linkedin(1),
        task(1, title="Call {{ company }} on {{ title }}"),
    ],
)
def test_missing_variables_block_with_their_names(step: Step) -> None:
    decision = decide_one(step, make_facts(values={}))
    assert isinstance(decision, Block)
    assert decision.why == Obstacle.MISSING
    assert decision.names in [("company", "title"), ("first_name",)]


def test_edited_lead_is_written_to() -> None:
    assert decide_one(message(), make_facts(values={})) == Block(Obstacle.MISSING, ("first_name",))
    decision = decide_one(message(), make_facts(values={"first_name": "Grace"}))
    assert isinstance(decision, Send)
    assert (decision.subject.text, decision.body.text) == ("Hi", "Hello Grace")


def test_only_the_own_variant_has_to_be_complete() -> None:
    step = message(1, variants=(Variant("A", "{{ unknown }}"), Variant("B", "Hi")))
    plan = make_plan(step)
    found = {
        variant_for(UUID(int=number), step).label: decide(
            plan, replace(make_state(), enrolment_id=UUID(int=number)), make_facts(), NOW
        )
        for number in range(30)
    }
    assert found["A"] == Block(Obstacle.MISSING, ("unknown",))
    assert isinstance(found["B"], Send)


# What is done.


def test_wait_is_measured_from_the_settled_step_before() -> None:
    state = make_state(1, since=local("2026-11-27 16:30", BERLIN))
    late = local("2026-12-02 10:00", BERLIN)
    decision = decide(make_plan(wait(1, 2), message(2)), state, make_facts(), late)
    assert isinstance(decision, Rest)
    assert decision.until == utc("2026-12-01 15:30")
    after = advance(state, decision, late)
    assert (after.step, after.since) == (key(2), utc("2026-12-01 15:30"))


def test_two_waits_add_up() -> None:
    plan, state = make_plan(wait(1, 1), wait(2, 1), message(3)), make_state()
    for _ in range(2):
        decision = decide(plan, state, make_facts(), NOW)
        assert isinstance(decision, Rest)
        state = advance(state, decision, NOW)
    assert (state.step, state.since) == (key(3), utc("2026-11-25 11:00"))


def test_task_is_due_in_working_time() -> None:
    decision = decide_one(task(1), make_facts())
    assert isinstance(decision, AddTask)
    assert decision.title.text == "Call Ada"
    assert decision.due_at == utc("2026-11-24 11:00")


def test_settled_step_is_remembered_with_the_one_after_it() -> None:
    plan, state = make_plan(message(1), wait(2)), make_state(place=NOW)
    decision = decide(plan, state, make_facts(), NOW)
    assert isinstance(decision, Send)
    after = advance(state, decision, LATER)
    assert (after.step, after.since, after.place) == (key(2), LATER, None)
    assert after.executed == {key(1): key(2)}
    assert after.enrolled_at == state.enrolled_at


@pytest.mark.parametrize(
    ("signals", "after"), [({}, 3), ({key(9): frozenset({Signal.CLICKED})}, 2)]
)
def test_branch_goes_one_way_or_the_other(
    signals: dict[UUID, frozenset[Signal]], after: int
) -> None:
    plan = make_plan(branch(1, 2, 3), message(2), message(3))
    decision = decide(plan, make_state(), make_facts(signals=signals), NOW)
    assert isinstance(decision, Turn)
    assert (decision.holds, decision.next) == (after == 2, key(after))
    assert advance(make_state(), decision, NOW).step == key(after)


def test_branch_waits_as_long_as_it_may() -> None:
    step = branch(1, 2, 3, Did(Signal.CLICKED), within=Wait(3, Unit.DAYS))
    plan, state = make_plan(step, message(2), message(3)), make_state()
    deadline = utc("2026-11-26 11:00")
    clicked = make_facts(signals={key(9): frozenset({Signal.CLICKED})})
    assert decide(plan, state, make_facts(), NOW) == Later(deadline, Delay.CONDITION)
    assert decide(plan, state, make_facts(), deadline) == Turn(step, holds=False, next=key(3))
    assert decide(plan, state, clicked, LATER) == Turn(step, holds=True, next=key(2))


def test_branch_asks_a_field() -> None:
    step = branch(1, 2, None, Says("country", Operator.IS, "de"))
    facts = make_facts(values={"country": "DE"})
    assert decide(make_plan(step, message(2)), make_state(), facts, NOW) == Turn(
        step, holds=True, next=key(2)
    )


def test_branch_that_ends_finishes() -> None:
    plan = make_plan(branch(1, 2, None), message(2))
    decision = decide(plan, make_state(), make_facts(), NOW)
    assert isinstance(decision, Turn)
    after = advance(make_state(), decision, NOW)
    assert decide(plan, after, make_facts(), NOW) == Finish(Ending.FINISHED)


# Caps.

MORNING = local("2026-11-23 09:00", BERLIN)


def run_through(
    number: int, room: Room, start: datetime, facts: Facts
) -> tuple[dict[int, datetime], int]:
    """Many who are all due at once, taken in order as the engine does: when each was sent, and how
    often anybody was looked at."""
    plan = make_plan(message())
    states = {
        each: replace(make_state(since=start), enrolment_id=UUID(int=each))
        for each in range(number)
    }
    due = dict.fromkeys(states, start)
    sent: dict[int, datetime] = {}
    looks = 0
    while due:
        now, each = min((at, each) for each, at in due.items())
        looks += 1
        reach = replace(facts.reaches["email"], room=room)
        decision = decide(plan, states[each], replace(facts, reaches={"email": reach}), now)
        assert isinstance(decision, (Send, Later))
        if decision.gives_back:
            room = room.returned(decision.gives_back, facts.calendar, facts.zone)
        if decision.place:
            room = room.taken(decision.place)
        if isinstance(decision, Send):
            sent[each] = now
            del due[each]
        else:
            due[each] = decision.at
            given = decision.place.at if decision.place else states[each].place
            states[each] = replace(states[each], place=given)
    return sent, looks


def test_cap_postpones_and_is_used_up_each_day() -> None:
    """Fifty are due outside hours; ten a day go, for five days, and nobody is looked at often."""
    start = local("2026-11-22 10:00", BERLIN)
    room = Room((Quota("account", 10),), BERLIN)
    sent, looks = run_through(50, room, start, make_facts())
    assert Counter(at.astimezone(BERLIN).date() for at in sent.values()) == {
        date(2026, 11, 23 + day): 10 for day in range(5)
    }
    assert all(is_open(at, OFFICE, BERLIN) for at in sent.values())
    # Once when it is closed, once for the place, once in it.
    assert looks <= 150


def test_caps_of_account_and_sender_are_both_kept() -> None:
    room = Room((Quota("account", 10), Quota("sender", 3)), BERLIN)
    sent, _ = run_through(9, room, MORNING, make_facts())
    assert Counter(at.astimezone(BERLIN).date() for at in sent.values()) == {
        date(2026, 11, 23 + day): 3 for day in range(3)
    }


def test_contact_on_the_other_side_of_the_world_is_not_forgotten() -> None:
    room = Room((Quota("account", 4),), BERLIN)
    sent, _ = run_through(12, room, MORNING, make_facts(zone=AUCKLAND))
    assert all(is_open(at, OFFICE, AUCKLAND) for at in sent.values())
    assert max(Counter(at.astimezone(BERLIN).date() for at in sent.values()).values()) <= 4


def with_room(used: int, cap: int = 10, **changes: Any) -> Facts:
    quota = Quota("account", cap, {date(2026, 11, 23): used})
    return reached(room=Room((quota,), BERLIN), **changes)


def decide_placed(place: datetime, facts: Facts, now: datetime) -> Decision:
    return decide(make_plan(message()), make_state(place=place), facts, now)


def test_place_that_has_come_is_used_and_not_counted_again() -> None:
    decision = decide_placed(NOW, with_room(used=10), NOW + timedelta(minutes=1))
    assert isinstance(decision, Send)
    assert (decision.place, decision.gives_back) == (None, None)


def test_place_that_is_still_to_come_is_waited_for() -> None:
    assert decide_placed(LATER, with_room(used=10), NOW) == Later(LATER, Delay.CAP)


def test_full_day_gives_a_place_tomorrow() -> None:
    decision = decide_one(message(), with_room(used=10))
    assert isinstance(decision, Later)
    assert decision.place
    assert decision.at == decision.place.at == utc("2026-11-24 08:00")
    assert decision.why is Delay.CAP
    assert decision.gives_back is None


def test_place_that_was_missed_is_drawn_again() -> None:
    late = NOW + LATENESS + timedelta(seconds=1)
    decision = decide_placed(NOW, with_room(used=10), late)
    assert isinstance(decision, Send)
    assert decision.gives_back == NOW
    assert decision.place
    assert decision.place.day == date(2026, 11, 23)


def test_place_that_was_missed_over_midnight_is_drawn_again() -> None:
    # At noon in Berlin a day begins in Auckland, whose days this team counts.
    before, quota = NOW - timedelta(minutes=5), Quota("account", 1, {date(2026, 11, 23): 1})
    facts = reached(room=Room((quota,), AUCKLAND))
    assert isinstance(decide_placed(before, facts, before), Send)
    decision = decide_placed(before, facts, NOW)
    assert isinstance(decision, Send)
    assert decision.gives_back == before
    assert decision.place
    assert decision.place.day == date(2026, 11, 24)


def test_lowered_cap_takes_places_back() -> None:
    decision = decide_placed(NOW, with_room(used=10, cap=5), NOW)
    assert isinstance(decision, Later)
    assert decision.gives_back == NOW
    assert decision.place
    assert decision.place.day == date(2026, 11, 24)


def test_place_does_not_open_closed_doors() -> None:
    night = local("2026-11-23 18:00", BERLIN)
    decision = decide_placed(night, with_room(used=1), night)
    assert decision == Later(utc("2026-11-24 08:00"), Delay.CLOSED)


def test_blocked_lead_takes_no_place() -> None:
    decision = decide(
        make_plan(message(body="{{ unknown }}")), make_state(), with_room(used=0), NOW
    )
    assert isinstance(decision, Block)


def test_tasks_take_no_place() -> None:
    assert isinstance(decide_one(task(1), with_room(used=10)), AddTask)


def test_same_question_has_the_same_answer() -> None:
    facts = with_room(used=3)
    plan, state = make_plan(message()), make_state()
    assert decide(plan, state, facts, NOW) == decide(plan, state, facts, NOW)


def test_own_closed_days_close() -> None:
    calendar = read_calendar({"mon": [["09:00", "17:00"]]}, closed=["2026-11-23"])
    decision = decide_one(message(), make_facts(calendar=calendar))
    assert decision == Later(utc("2026-11-30 08:00"), Delay.CLOSED)
