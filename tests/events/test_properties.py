"""What holds of the retry decision and of the aggregate status, whatever goes in."""

import math
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from events.models import DeliveryStatus, EventStatus
from events.retry import LONGEST_WAIT, Permanent, Retry, RetryPolicy
from events.states import aggregate_status

# --- The retry decision -------------------------------------------------------------------------

policies = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 50),
    base=st.floats(0, 1e6, allow_nan=False),
    cap=st.floats(0, 1e6, allow_nan=False),
)
failures = st.integers(1, 10_000)
ordinary = st.sampled_from([None, ValueError("no good"), TimeoutError()])
# What a handler passes on that a remote server asked for.
anything = st.floats() | st.sampled_from([math.inf, -math.inf, math.nan, 1e300, -1e300, -1.0, 0.0])
asked = anything.map(Retry)


def longest(low: float, high: float) -> float:
    return high


@given(policy=policies, failures=failures, error=st.one_of(ordinary, asked))
def test_gives_up_exactly_when_the_attempts_are_used_up(
    policy: RetryPolicy, failures: int, error: Exception | None
) -> None:
    assert (policy.delay(failures, error) is None) == (failures >= policy.max_attempts)


@given(policy=policies, failures=failures)
def test_permanent_error_is_never_tried_again(policy: RetryPolicy, failures: int) -> None:
    assert policy.delay(failures, Permanent("gone")) is None


@given(policy=policies, failures=failures, error=ordinary)
def test_wait_lies_within_its_bounds(
    policy: RetryPolicy, failures: int, error: Exception | None
) -> None:
    delay = policy.delay(failures, error)
    assert delay is None or 0 <= delay <= policy.cap


@given(policy=policies, failures=st.integers(1, 49))
def test_wait_may_grow_and_never_shrinks(policy: RetryPolicy, failures: int) -> None:
    before, after = (policy.delay(number, None, longest) for number in (failures, failures + 1))
    assert before is None or after is None or before <= after <= max(2 * before, policy.cap)


@given(policy=policies, failures=failures, chance=st.floats(0, 1))
def test_chance_has_the_whole_wait_to_choose_from(
    policy: RetryPolicy, failures: int, chance: float
) -> None:
    delay = policy.delay(failures, None, lambda low, high: low + chance * (high - low))
    bound = policy.delay(failures, None, longest)
    assert delay == (None if bound is None else chance * bound)


@given(policy=policies, failures=failures, after=st.floats(0, LONGEST_WAIT))
def test_handler_that_asks_decides_on_the_wait(
    policy: RetryPolicy, failures: int, after: float
) -> None:
    assert policy.delay(failures, Retry(after)) in (None, after)


@given(policy=policies, failures=failures, error=asked)
def test_wait_that_was_asked_for_comes_to_an_end(
    policy: RetryPolicy, failures: int, error: Retry
) -> None:
    delay = policy.delay(failures, error)
    assert delay is None or 0 <= delay <= LONGEST_WAIT


@given(policy=policies)
def test_handler_that_always_fails_is_tried_as_often_as_it_may(policy: RetryPolicy) -> None:
    attempts = 1
    while policy.delay(attempts) is not None:
        attempts += 1
    assert attempts == policy.max_attempts


# --- The aggregate status -----------------------------------------------------------------------

statuses = st.lists(st.sampled_from(DeliveryStatus.values))
WORST_FIRST = [EventStatus.PENDING, EventStatus.FAILED, EventStatus.PROCESSED]


def worse(one: str, other: str) -> str:
    return min(one, other, key=WORST_FIRST.index)  # type: ignore[arg-type]


@given(ones=statuses, others=statuses)
def test_whole_is_as_bad_as_its_worse_part(ones: list[str], others: list[str]) -> None:
    whole = aggregate_status(ones + others)
    assert whole == worse(aggregate_status(ones), aggregate_status(others))


@given(statuses=statuses, data=st.data())
def test_neither_order_nor_repetition_matters(statuses: list[str], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(statuses + statuses))
    assert aggregate_status(shuffled) == aggregate_status(statuses)


@given(statuses=statuses)
def test_event_is_pending_exactly_while_a_handler_has_still_to_run(statuses: list[str]) -> None:
    still = {DeliveryStatus.PENDING, DeliveryStatus.RUNNING} & set(statuses)
    assert (aggregate_status(statuses) == EventStatus.PENDING) == bool(still)


@given(statuses=statuses, done=st.sampled_from(["succeeded", "skipped"]))
def test_handler_that_is_done_changes_nothing(statuses: list[str], done: str) -> None:
    assert aggregate_status([*statuses, done]) == aggregate_status(statuses)


@given(statuses=statuses)
def test_mended_event_is_processed(statuses: list[str]) -> None:
    assert aggregate_status(_mended(statuses)) == EventStatus.PROCESSED


def _mended(statuses: Iterable[str]) -> list[str]:
    """What a replay makes of them in the end: those that were skipped stay so."""
    return [status if status == DeliveryStatus.SKIPPED else "succeeded" for status in statuses]
