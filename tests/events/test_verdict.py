"""Is it fine, since when not, and whose fault is it?"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import translation

from events.breakers import BreakerState
from events.console.verdict import Situation, failing_since, judge, percent, span
from events.health import Limit
from events.models import HandlerPause
from events.rates import Rate
from salesflow.accounts.models import User

NOW = datetime(2026, 5, 4, 12, 0, 30, tzinfo=UTC)


def minutes(*figures: tuple[int, int], ago: int = 0) -> list[Rate]:
    """Rates of (succeeded, failed) in minutes that end now, or some minutes ago."""
    last = NOW.replace(second=0) - timedelta(minutes=ago)
    start = last - timedelta(minutes=len(figures) - 1)
    return [
        Rate(start + timedelta(minutes=number), good, bad)
        for number, (good, bad) in enumerate(figures)
    ]


def situation(**given: Any) -> Situation:
    return Situation(now=NOW, **given)


def broken(key: str, state: str = "open") -> BreakerState:
    return BreakerState(key, state, 10.0, 1.0, NOW, NOW - timedelta(minutes=3))


def test_all_is_well() -> None:
    verdict = judge(situation(minutes={"greet": minutes((10, 0), (10, 0))}))
    assert (verdict.tone, verdict.since, verdict.findings) == ("succeeded", None, [])


def test_few_failures_and_low_shares_are_no_alarm() -> None:
    low = {"few": minutes((0, 2)), "low": minutes((1000, 9))}
    assert judge(situation(minutes=low)).tone == "succeeded"


def test_limit_may_differ_by_handler() -> None:
    listed = {"greet": minutes((80, 20))}
    assert judge(situation(minutes=listed)).tone == "failed"
    tolerant = Limit(0.1, {"greet": 0.5})
    assert judge(situation(minutes=listed, failure_rate=tolerant)).tone == "succeeded"


def test_failures_of_an_hour_ago_are_no_alarm() -> None:
    assert judge(situation(minutes={"greet": minutes((0, 50), ago=20)})).tone == "succeeded"


def test_broken_circuit_explains_failures_and_late_calls_of_its_handler() -> None:
    verdict = judge(
        situation(
            minutes={"calls": minutes((0, 50))},
            calls_due={"calls": NOW - timedelta(hours=1)},
            breakers=[broken("calls"), broken("other", "closed")],
        )
    )
    [finding] = verdict.findings
    assert (finding.handler, verdict.since) == ("calls", NOW - timedelta(minutes=3))
    assert verdict.text == "Not fine: the service behind calls."


def test_paused_handler_is_not_late_and_no_alarm() -> None:
    pause = HandlerPause(handler="calls", reason="they move", actor=User(name="Ada"), paused_at=NOW)
    verdict = judge(situation(pauses=[pause], calls_due={"calls": NOW - timedelta(days=1)}))
    assert verdict.tone == "pending"
    assert verdict.findings[0].text == "calls is paused by Ada: they move"


@pytest.mark.parametrize(
    ("ago", "culprit"), [(0, "too few workers, or slow handlers"), (9, "no worker is at work")]
)
def test_workers_that_are_slow_differ_from_workers_that_are_not_there(
    ago: int, culprit: str
) -> None:
    verdict = judge(
        situation(
            minutes={"greet": minutes((10, 0), ago=ago)}, oldest_due=NOW - timedelta(minutes=5)
        )
    )
    assert [finding.culprit for finding in verdict.findings] == [culprit]
    assert verdict.since == NOW - timedelta(minutes=5)


def test_worst_comes_first_and_the_earliest_counts() -> None:
    verdict = judge(
        situation(
            minutes={"greet": minutes((10, 0), (0, 10), (0, 10))},
            oldest_due=NOW - timedelta(minutes=9),
            failed="12",
        )
    )
    assert [finding.tone for finding in verdict.findings] == ["failed", "failed", "pending"]
    assert verdict.text == "Not fine: handler greet, too few workers, or slow handlers."
    assert verdict.since == NOW - timedelta(minutes=9)


def test_beginning_of_a_long_failure_is_told_to_the_hour() -> None:
    hours = [
        Rate(NOW.replace(hour=hour, minute=0, second=0), good, bad)
        for hour, good, bad in ((8, 9, 0), (9, 0, 9), (10, 0, 9), (11, 0, 9), (12, 0, 9))
    ]
    listed = minutes(*[(0, 5)] * 60)
    assert failing_since(listed, hours, 0.1) == hours[1].starts_at
    assert failing_since(listed, [], 0.1) == listed[0].starts_at
    assert failing_since(minutes((0, 9)), hours[-1:], 0.1) == minutes((0, 9))[0].starts_at


def test_failure_that_pauses_for_breath_began_with_its_first_minute() -> None:
    listed = minutes((9, 0), (0, 9), (9, 0))
    assert failing_since(listed, [], 0.1) == listed[1].starts_at


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3700, "1 h 1 min"), (90_000, "1 d 1 h")],
)
def test_spans_have_two_units(seconds: int, text: str) -> None:
    assert span(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0"), (1, "100"), (0.0123, "1.2"), (0.123, "12"), (0.05, "5"), (0.0001, "<0.1")],
)
def test_shares_have_digits_that_say_something(share: float, text: str) -> None:
    with translation.override("en"):
        assert percent(share) == text
    with translation.override("de"):
        assert percent(share) == text.replace(".", ",")
