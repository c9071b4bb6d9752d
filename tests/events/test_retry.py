"""The retry decision, which is pure; its properties are in test_properties.py."""

import pytest

from events.retry import Permanent, Retry, RetryPolicy


@pytest.mark.parametrize(
    ("failures", "longest"), [(1, 2.0), (2, 4.0), (3, 8.0), (4, 16.0), (9, 60.0)]
)
def test_wait_doubles_up_to_the_cap(failures: int, longest: float) -> None:
    policy = RetryPolicy(max_attempts=10, base=2, cap=60)
    assert policy.delay(failures, uniform=lambda low, high: high) == longest


def test_handler_sets_the_wait() -> None:
    assert RetryPolicy().delay(1, Retry(after=90)) == 90


def test_handler_cannot_ask_for_more_attempts() -> None:
    assert RetryPolicy(max_attempts=2).delay(2, Retry(after=90)) is None


def test_permanent_error_ends_it() -> None:
    assert RetryPolicy(max_attempts=9).delay(1, Permanent("gone")) is None
