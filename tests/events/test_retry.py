"""The retry decision, which is pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.retry import Permanent, Retry, RetryPolicy


@pytest.mark.parametrize(
    ("failures", "longest"), [(1, 2.0), (2, 4.0), (3, 8.0), (4, 16.0), (9, 60.0)]
)
def test_wait_doubles_up_to_the_cap(failures: int, longest: float) -> None:
    policy = RetryPolicy(max_attempts=10, base=2, cap=60)
    assert policy.delay(failures, uniform=lambda low, high: high) == longest


@given(failures=st.integers(1, 10_000), attempts=st.integers(1, 10_000))
def test_gives_up_exactly_after_the_last_attempt(failures: int, attempts: int) -> None:
    delay = RetryPolicy(max_attempts=attempts).delay(failures)
    assert (delay is None) == (failures >= attempts)


@given(failures=st.integers(1, 10_000), base=st.floats(0, 100), cap=st.floats(0, 10_000))
def test_wait_is_within_zero_and_cap(failures: int, base: float, cap: float) -> None:
    delay = RetryPolicy(max_attempts=20_000, base=base, cap=cap).delay(failures)
    assert delay is not None
    assert 0 <= delay <= cap


def test_handler_sets_the_wait() -> None:
    assert RetryPolicy().delay(1, Retry(after=90)) == 90


def test_handler_cannot_ask_for_more_attempts() -> None:
    assert RetryPolicy(max_attempts=2).delay(2, Retry(after=90)) is None


def test_permanent_error_ends_it() -> None:
    assert RetryPolicy(max_attempts=9).delay(1, Permanent("gone")) is None
