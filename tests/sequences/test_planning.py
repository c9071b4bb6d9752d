"""The preview: what will happen to somebody, and that the engine then does just that."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.sequences.calendars import read_calendar
from channels.sequences.conditions import Did, Operator, Says, Signal
from channels.sequences.deciding import advance, decide, plan, plan_on
from channels.sequences.decisions import (
    AccountState,
    Action,
    Answer,
    Block,
    Delay,
    Ending,
    Facts,
    Finish,
    Later,
    LeadState,
    Obstacle,
    Pass,
    Rest,
    Send,
    Standing,
    State,
)
from channels.sequences.plans import Kind, Plan, Step, Variant
from channels.sequences.spreading import Quota, Room
from channels.sequences.working_time import Unit, Wait
from tests.sequences.plan_factories import (
    ENROLMENT,
    MONDAY_NOON,
    branch,
    key,
    linkedin,
    make_facts,
    make_plan,
    message,
    reached,
    task,
    wait,
)
from tests.sequences.weeks import AUCKLAND, BERLIN, NEVER, OFFICE_HOURS, local, utc

GERMAN = read_calendar(OFFICE_HOURS, country="DE", yearly=["12-24", "12-31"])
CADENCE = make_plan(
    message(1),
    wait(2, 3),
    branch(3, 4, 5, Did(Signal.OPENED, key(1)), within=Wait(1)),
    task(4),
    wait(5, 90, Unit.MINUTES),
    linkedin(6),
    wait(7, 10),
    message(8, body="Last try, {{ first_name }}"),
)


def preview(version: Plan, facts: Facts, start: datetime) -> list[tuple[int, str, Kind]]:
    return [
        (found.step.number, f"{found.at.astimezone(facts.zone):%Y-%m-%d %H:%M}", found.step.kind)
        for found in plan(version, facts, start, enrolment_id=ENROLMENT)
    ]


def run_engine(version: Plan, facts: Facts, start: datetime) -> list[tuple[UUID, datetime, Action]]:
    """What the engine does: it looks when something is due, and again at the time it is told."""
    state = State(ENROLMENT, version.first, enrolled_at=start, since=start)
    now, done = start, list[tuple[UUID, datetime, Action]]()
    for _ in range(10 * len(version.steps) + 10):
        decision = decide(version, state, facts, now)
        match decision:
            case Finish():
                assert decision == Finish(Ending.FINISHED)
                return done
            case Later(at=at):
                now = at
            case Pass():
                state = advance(state, decision, now)
            case Block():
                pytest.fail(f"{decision}")
            case _:
                assert isinstance(decision, Action)
                done.append((decision.step.key, now, decision))
                state = advance(state, decision, now)
                now = decision.until if isinstance(decision, Rest) else now
    pytest.fail("It does not end.")


def test_timeline_reads_like_a_calendar() -> None:
    """Worked out by hand: Christmas Eve and New Year's Eve are closed, Christmas is on Friday."""
    start = local("2026-12-18 18:30", BERLIN)
    assert preview(CADENCE, make_facts(calendar=GERMAN), start) == [
        (1, "2026-12-21 09:00", Kind.MESSAGE),
        (2, "2026-12-21 09:00", Kind.WAIT),
        # Three working days later it is asked whether they opened it, until one day after that.
        (3, "2026-12-29 09:00", Kind.BRANCH),
        (5, "2026-12-29 09:00", Kind.WAIT),
        (6, "2026-12-29 10:30", Kind.LINKEDIN),
        (7, "2026-12-29 10:30", Kind.WAIT),
        (8, "2027-01-14 10:30", Kind.MESSAGE),
    ]


def test_names_of_holidays_are_told() -> None:
    start = local("2026-12-23 10:00", BERLIN)
    version = make_plan(message(1), wait(2, 1), message(3))
    found = plan(version, make_facts(calendar=GERMAN), start, enrolment_id=ENROLMENT, language="de")
    assert [each.closed for each in found[:2]] == [{}, {}]
    assert found[2].at == local("2026-12-28 10:00", BERLIN)
    assert found[2].closed == {
        date(2026, 12, 24): "",
        date(2026, 12, 25): "Erster Weihnachtstag",
        date(2026, 12, 26): "Zweiter Weihnachtstag",
    }


def test_times_are_those_of_the_contact() -> None:
    start = utc("2026-11-23 11:00")
    version = make_plan(message(1), wait(2, 1), message(3))
    found = plan(version, make_facts(zone=AUCKLAND), start, enrolment_id=ENROLMENT)
    assert [step.at for step in found if step.step.kind is Kind.MESSAGE] == [
        utc("2026-11-23 20:00"),
        utc("2026-11-24 20:00"),
    ]
    assert {step.zone for step in found} == {AUCKLAND}


def test_looking_twice_shows_the_same() -> None:
    facts = make_facts(calendar=GERMAN)
    looks = [plan(CADENCE, facts, MONDAY_NOON, enrolment_id=ENROLMENT) for _ in range(2)]
    assert looks[0] == looks[1]


def test_engine_does_what_was_shown() -> None:
    facts = make_facts(calendar=GERMAN)
    shown = plan(CADENCE, facts, MONDAY_NOON, enrolment_id=ENROLMENT)
    done = run_engine(CADENCE, facts, MONDAY_NOON)
    assert [(each.step.key, each.at, each.action) for each in shown] == done
    assert len(done) == 7


def test_caps_make_it_later_only() -> None:
    full = Quota("account", 2, {date(2026, 11, 23): 2})
    facts = reached(room=Room((full,), BERLIN))
    version = make_plan(message(1), wait(2, 1), message(3))
    shown = plan(version, facts, MONDAY_NOON, enrolment_id=ENROLMENT)
    assert shown == plan(version, make_facts(), MONDAY_NOON, enrolment_id=ENROLMENT)
    assert isinstance(decide_first(version, facts), Later)
    done = run_engine(version, facts, MONDAY_NOON)
    assert all(real >= each.at for each, (_, real, _) in zip(shown, done, strict=True))


def decide_first(version: Plan, facts: Facts) -> object:
    state = State(ENROLMENT, version.first, enrolled_at=MONDAY_NOON, since=MONDAY_NOON)
    return decide(version, state, facts, MONDAY_NOON)


def test_variant_is_the_one_that_the_enrolment_gets() -> None:
    variants = (Variant("A", "one"), Variant("B", "two"))
    version = make_plan(message(1, variants=variants))
    labels = set()
    for _ in range(40):
        enrolment = uuid4()
        (shown,) = plan(version, make_facts(), MONDAY_NOON, enrolment_id=enrolment)
        state = State(enrolment, version.first, enrolled_at=MONDAY_NOON, since=MONDAY_NOON)
        assert shown.action == decide(version, state, make_facts(), MONDAY_NOON)
        assert isinstance(shown.action, Send)
        labels.add(shown.action.variant.label)
    assert labels == {"A", "B"}


def test_problems_are_told_and_the_rest_is_shown() -> None:
    version = make_plan(message(1, body="{{ company }}"), wait(2), task(3))
    facts = reached(account=AccountState.STOPPED, says="No password", address="")
    broken, _, last = plan(version, facts, MONDAY_NOON, enrolment_id=ENROLMENT)
    assert broken.problems == (
        Later(MONDAY_NOON + timedelta(minutes=15), Delay.ACCOUNT_STOPPED, "No password"),
        Block(Obstacle.NO_ADDRESS, ("email",)),
        Block(Obstacle.MISSING, ("company",)),
    )
    assert isinstance(broken.action, Send)
    assert broken.action.body.missing == ("company",)
    assert last.at == utc("2026-11-24 11:00")
    assert last.problems == ()


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        (make_facts(lead=LeadState.WON), Finish(Ending.WON)),
        (reached(standing=Standing.OPTED_OUT), Finish(Ending.OPTED_OUT)),
    ],
)
def test_whoever_would_leave_is_told(facts: Facts, problem: Finish) -> None:
    first, *_ = found = plan(CADENCE, facts, MONDAY_NOON, enrolment_id=ENROLMENT)
    assert problem in first.problems
    assert len(found) == 7


def test_what_is_still_to_come_is_the_rest_of_the_timeline() -> None:
    facts = make_facts(calendar=GERMAN)
    whole = plan(CADENCE, facts, MONDAY_NOON, enrolment_id=ENROLMENT)
    state = State(ENROLMENT, CADENCE.first, enrolled_at=MONDAY_NOON, since=MONDAY_NOON)
    for number, each in enumerate(whole):
        rest = plan_on(CADENCE, state, facts, each.at)
        assert [(found.step, found.at) for found in rest] == [
            (found.step, found.at) for found in whole[number:]
        ]
        assert each.action
        state = advance(state, each.action, each.at)
    assert plan_on(CADENCE, state, facts, MONDAY_NOON) == []


def test_place_that_was_drawn_and_an_answer_are_told() -> None:
    place = local("2026-11-25 14:30", BERLIN)
    state = State(ENROLMENT, key(1), enrolled_at=MONDAY_NOON, since=MONDAY_NOON, place=place)
    facts = make_facts(answered=Answer(place, is_reply=True))
    first, second, *_ = plan_on(CADENCE, state, facts, MONDAY_NOON)
    assert first.at == second.at == place
    assert first.problems == (Finish(Ending.REPLIED),)
    assert second.problems == ()


def test_held_sequence_can_be_looked_at() -> None:
    facts = make_facts(is_held=True)
    assert plan(CADENCE, facts, MONDAY_NOON, enrolment_id=ENROLMENT) == plan(
        CADENCE, make_facts(), MONDAY_NOON, enrolment_id=ENROLMENT
    )


def test_absence_is_in_the_timeline() -> None:
    facts = make_facts(away_until=local("2026-12-05 00:00", BERLIN))
    first, *_ = plan(CADENCE, facts, MONDAY_NOON, enrolment_id=ENROLMENT)
    assert first.at == local("2026-12-07 09:00", BERLIN)


def test_calendar_without_hours_ends_the_timeline() -> None:
    (only,) = plan(CADENCE, make_facts(calendar=NEVER), MONDAY_NOON, enrolment_id=ENROLMENT)
    assert only.action is None
    assert only.problems == (Block(Obstacle.NEVER_OPENS),)


def test_branch_on_a_field_goes_its_way() -> None:
    version = make_plan(
        branch(1, 2, 3, Says("company", Operator.KNOWN)), message(2), message(3), chained=False
    )
    assert [number for number, _, _ in preview(version, make_facts(), MONDAY_NOON)] == [1, 3]
    facts = make_facts(values={"company": "Acme", "first_name": "Ada"})
    assert [number for number, _, _ in preview(version, facts, MONDAY_NOON)] == [1, 2]


def test_empty_version_shows_nothing() -> None:
    assert plan(make_plan(), make_facts(), MONDAY_NOON, enrolment_id=ENROLMENT) == []


waits = st.builds(
    Wait,
    st.integers(1, 200),
    st.sampled_from([Unit.MINUTES, Unit.HOURS]),
    st.booleans(),
) | st.builds(Wait, st.integers(1, 12), st.just(Unit.DAYS), st.booleans())


@st.composite
def cadences(draw: st.DrawFn) -> Plan:
    """Steps of all kinds; branches lead on or skip one."""
    length = draw(st.integers(1, 8))
    steps: list[Step] = []
    for number in range(1, length + 1):
        pause = replace(wait(number), wait=draw(waits))
        kinds: list[Step | None] = [message(number), task(number), linkedin(number), pause, None]
        step = draw(st.sampled_from(kinds))
        onward = number + 1 if number < length else None
        skipping = number + 2 if number + 1 < length else None
        within = draw(st.just(Wait(0)) | waits)
        steps.append(step or branch(number, onward, skipping, within=within))
    return make_plan(*steps)


@given(
    version=cadences(),
    minute=st.integers(0, 365 * 24 * 60),
    zone=st.sampled_from([BERLIN, AUCKLAND]),
    clicked=st.booleans(),
)
@settings(max_examples=120, deadline=None)
def test_engine_does_what_was_shown_whatever_the_plan(
    version: Plan, minute: int, zone: object, clicked: bool
) -> None:
    signals = {key(99): frozenset({Signal.CLICKED})} if clicked else {}
    facts = make_facts(calendar=GERMAN, zone=zone, signals=signals)
    start = utc("2026-01-01 00:00") + timedelta(minutes=minute)
    shown = plan(version, facts, start, enrolment_id=ENROLMENT)
    assert [(each.step.key, each.at, each.action) for each in shown] == run_engine(
        version, facts, start
    )
    times = [each.at for each in shown]
    assert times == sorted(times)
    assert len({each.step.key for each in shown}) == len(shown)
