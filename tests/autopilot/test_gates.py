"""Whether a draft may go out without a person: each gate is closed by its own reason alone."""

from dataclasses import replace
from datetime import UTC, datetime, time
from typing import Any

import pytest

from channels.autopilot.cleaning import SUSPICIOUS, Mark
from channels.autopilot.gates import (
    FLAGS,
    Flag,
    Situation,
    confidence,
    flags_of,
    is_within_hours,
    judge,
    may_go,
)
from channels.autopilot.grounding import Fact, Facts, Report, check
from channels.autopilot.limits import FOR_IT, FOR_PEOPLE, Limits, Topic
from channels.autopilot.models import Mode

OURS = Fact("We deliver on 12 May 2027. It costs 500 EUR.", "text", is_ours=True)
THEIRS = Fact("I want it for 300 EUR.", "their message", is_ours=False)
FACTS = Facts([OURS, THEIRS], today=datetime(2027, 5, 3, tzinfo=UTC).date())
MONDAY_NOON = datetime(2027, 5, 3, 12, tzinfo=UTC)


def report(text: str = "We deliver on 12 May 2027. We look forward to it.") -> Report:
    return check(text, FACTS)


def situation(**changes: Any) -> Situation:
    """One in which every gate is open."""
    passing = Situation(
        mode=Mode.AUTO,
        is_held=False,
        limits=Limits(topics=frozenset(FOR_IT)),
        now=MONDAY_NOON,
        sent_today=0,
        topic=Topic.THANKS,
        read=frozenset(),
        written=frozenset(),
        report=report(),
        is_own_words=True,
    )
    return replace(passing, **changes)


def closed(seen: Situation) -> list[str]:
    return [gate.name for gate in judge(seen) if not gate.is_open]


def test_what_passes_all_gates_may_go() -> None:
    assert closed(situation()) == []
    assert may_go(judge(situation()))


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"is_held": True}, ["held"]),
        ({"mode": Mode.APPROVE}, ["mode"]),
        ({"mode": Mode.DRAFT}, ["mode"]),
        ({"mode": Mode.OFF}, ["mode"]),
        ({"is_open": False}, ["deal"]),
        ({"deafness": "The mailbox is not read."}, ["hears"]),
        ({"now": datetime(2027, 5, 3, 8, 59, tzinfo=UTC)}, ["hours"]),
        ({"now": datetime(2027, 5, 3, 17, 0, tzinfo=UTC)}, ["hours"]),
        ({"now": datetime(2027, 5, 2, 12, tzinfo=UTC)}, ["hours"]),
        ({"sent_today": 10}, ["count"]),
        ({"is_first_contact": True}, ["first_contact"]),
        ({"is_other_language": True}, ["language"]),
        ({"topic": Topic.PRICE}, ["topic"]),
        ({"limits": Limits(topics=frozenset())}, ["topic"]),
        ({"read": frozenset({Mark.SHORTENED})}, ["whole", "confidence"]),
        ({"written": frozenset({Mark.LINK})}, ["plain"]),
        ({"is_own_words": False}, ["own_words"]),
    ],
)
def test_each_reason_closes_its_gate(changes: dict[str, Any], names: list[str]) -> None:
    assert closed(situation(**changes)) == names
    assert not may_go(judge(situation(**changes)))


def test_own_sentences_of_the_model_go_where_the_team_says_so() -> None:
    limits = Limits(topics=frozenset(FOR_IT), own_words=False)
    assert closed(situation(is_own_words=False, limits=limits)) == []
    # Not where what it claims can be read in part alone.
    seen = situation(is_own_words=False, limits=limits, is_checked=False)
    assert closed(seen) == ["checked"]
    # All else is asked as before.
    seen = situation(
        is_own_words=False, limits=limits, report=report("It costs 900 EUR. We like it. Yes.")
    )
    assert {"grounded", "confidence"} <= set(closed(seen))


@pytest.mark.parametrize("mark", sorted(SUSPICIOUS))
def test_message_that_instructs_or_hides_something_never_goes(mark: Mark) -> None:
    assert closed(situation(read=frozenset({mark}))) == ["suspicion"]


def test_what_only_they_said_never_goes() -> None:
    seen = situation(report=report("You want it for 300 EUR. We will see to it."))
    assert {"grounded", "confidence"} <= set(closed(seen))


def test_what_was_cut_never_goes() -> None:
    seen = situation(report=report("It costs 900 EUR. It is good. We like it."))
    assert "grounded" in closed(seen)


def test_promise_that_we_never_made_never_goes() -> None:
    seen = situation(report=report("We grant a discount. We look forward to it."))
    assert "promises" in closed(seen)


def test_every_closed_gate_says_why() -> None:
    worst = situation(
        mode=Mode.OFF, is_held=True, is_open=False, deafness="It is not read.", sent_today=99,
        is_first_contact=True, topic=Topic.OTHER, read=frozenset({Mark.ROLE, Mark.SHORTENED}),
        written=frozenset({Mark.IMAGE}), is_own_words=False, now=datetime(2027, 5, 2, tzinfo=UTC),
        is_other_language=True, is_checked=False,
        report=report("We guarantee 300 EUR. It costs 900 EUR. We like it."),
    )  # fmt: skip
    assert all(not gate.is_open and gate.as_json()["why"] for gate in judge(worst))


def test_nothing_to_judge_is_no_leave() -> None:
    assert not may_go([])


@pytest.mark.parametrize(
    ("text", "read", "sure"),
    [
        ("We deliver on 12 May 2027. We like it.", frozenset(), 1.0),
        ("We like it. We look forward to it.", frozenset(), 1.0),
        ("It is 500 EUR. You want 300 EUR.", frozenset(), 0.5),
        ("It is 500 EUR. It was 900 EUR. We like it.", frozenset(), 0.25),
        ("We deliver on 12 May 2027. We like it.", frozenset({Mark.SHORTENED}), 0.5),
    ],
)
def test_confidence_is_what_we_say_ourselves(text: str, read: frozenset[Mark], sure: float) -> None:
    assert confidence(report(text), read) == pytest.approx(sure)


def test_flags_name_the_worst_first_and_all_have_words() -> None:
    flags = flags_of(
        report("You want 300 EUR. It was 900 EUR. We grant a discount. We like it."),
        read=frozenset({Mark.INSTRUCTION, Mark.SHORTENED}),
        written=frozenset({Mark.LINK}),
        is_first_contact=True,
        is_other_language=True,
        is_unchecked=True,
    )
    assert flags == [*list(Flag)[:2], Flag.PROMISE, Flag.THEIRS, *list(Flag)[4:]]
    assert set(FLAGS) == set(Flag)


def test_hours_are_by_the_tenants_clock() -> None:
    limits = Limits(opens=time(9), closes=time(17), weekdays=frozenset({0}))
    assert is_within_hours(limits, MONDAY_NOON)
    assert not is_within_hours(limits, MONDAY_NOON.replace(day=4))


def test_topics_for_people_cannot_be_left_to_it() -> None:
    for topic in FOR_PEOPLE:
        with pytest.raises(ValueError, match="cannot be left"):
            Limits(topics=frozenset({topic}))
