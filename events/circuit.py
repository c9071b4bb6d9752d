"""When to stop calling a service that fails, and when to try it again: pure decisions.

A closed circuit lets every call through. When too many of the latest calls failed it opens: nothing
is called for a while. Then one call goes as a probe; it closes the circuit or opens it for longer.

Source: Michael Nygard, "Release It!", 2nd edition, chapter 5 ("Circuit Breaker").
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.utils.translation import pgettext_lazy


class CircuitState(models.TextChoices):
    """What becomes of the next call."""

    CLOSED = "closed", pgettext_lazy("of a circuit breaker", "Closed")
    OPEN = "open", pgettext_lazy("of a circuit breaker", "Open")
    HALF_OPEN = "half_open", pgettext_lazy("of a circuit breaker", "Half-open")


@dataclass(frozen=True)
class BreakerPolicy:
    """How much failure opens a circuit, and for how long.

    Attributes:
        failure_rate: the share of failed calls from which on it opens, above 0 and at most 1.
        minimum: calls within the window below which their failures prove nothing.
        window: seconds over which calls are counted.
        cooldown: seconds until the first probe; doubled with each probe that fails.
        longest_cooldown: seconds that no wait for a probe exceeds.

    Raises:
        ImproperlyConfigured: a number that makes no sense, named.
    """

    failure_rate: float = 0.5
    minimum: int = 10
    window: float = 60.0
    cooldown: float = 10.0
    longest_cooldown: float = 300.0

    def __post_init__(self) -> None:
        if not 0 < self.failure_rate <= 1:
            raise ImproperlyConfigured(
                f"A breaker's failure_rate is above 0 and at most 1, not {self.failure_rate:g}."
            )
        for name in ("minimum", "window", "cooldown"):
            if getattr(self, name) <= 0:
                raise ImproperlyConfigured(
                    f"A breaker's {name} is above 0, not {getattr(self, name):g}."
                )
        if self.longest_cooldown < self.cooldown:
            raise ImproperlyConfigured(
                f"A breaker's longest_cooldown ({self.longest_cooldown:g} s) is at least its "
                f"cooldown ({self.cooldown:g} s)."
            )

    def wait(self, openings: int) -> timedelta:
        """How long a circuit stays open that opened for the n-th time in a row."""
        # The exponent is bounded so that a large number of openings cannot overflow.
        doubled = self.cooldown * 2 ** min(openings - 1, 60)
        return timedelta(seconds=min(self.longest_cooldown, doubled))


@dataclass(frozen=True)
class Circuit:
    """The state of one circuit, and the calls that speak for and against it.

    Calls are counted in the present window and kept from the one before; weighing the latter by
    what of it lies within the last `window` seconds comes close to a sliding window, with four
    numbers instead of a list of calls.

    Attributes:
        openings: how often it opened in a row, without having closed in between.
        retry_at: when a probe may go; while one is under way, when it counts as lost.
        probe: the delivery that is the probe.
    """

    state: str = CircuitState.CLOSED
    window_started_at: datetime | None = None
    calls: int = 0
    failures: int = 0
    previous_calls: int = 0
    previous_failures: int = 0
    openings: int = 0
    retry_at: datetime | None = None
    probe: int | None = None

    def admits(self, now: datetime) -> bool:
        """Whether a call may go now; unless closed, it goes as the probe (see `probed_by`)."""
        return self.state == CircuitState.CLOSED or self.retry_at is None or self.retry_at <= now

    def probed_by(self, delivery_id: int, until: datetime) -> "Circuit":
        """It, while that delivery is its probe; until then nothing else is called."""
        return replace(self, state=CircuitState.HALF_OPEN, probe=delivery_id, retry_at=until)

    def after_call(
        self, delivery_id: int, answered: bool, now: datetime, policy: BreakerPolicy
    ) -> "Circuit":
        """It, once a call has ended.

        Args:
            delivery_id: whose call that was; while not closed, only the probe's counts.
            answered: whether the service did its part.
        """
        if self.state == CircuitState.CLOSED:
            counted = self._at(now, policy)._counting(answered)
            return counted._opened(now, policy) if counted._fails(now, policy) else counted
        if self.state != CircuitState.HALF_OPEN or self.probe != delivery_id:
            return self
        return Circuit(window_started_at=now) if answered else self._opened(now, policy)

    def without_probe(self, delivery_id: int) -> "Circuit":
        """It, once that delivery has called nobody: where it was the probe, another may go."""
        if self.state != CircuitState.HALF_OPEN or self.probe != delivery_id:
            return self
        return replace(self, probe=None, retry_at=None)

    def rates(self, now: datetime, policy: BreakerPolicy) -> tuple[float, float]:
        """The calls and the failures of the last `window` seconds, estimated."""
        current = self._at(now, policy)
        weight = 1 - min(1.0, max(0.0, current._age(now) / policy.window))
        return (
            current.calls + weight * current.previous_calls,
            current.failures + weight * current.previous_failures,
        )

    def _fails(self, now: datetime, policy: BreakerPolicy) -> bool:
        calls, failures = self.rates(now, policy)
        return calls >= policy.minimum and failures >= policy.failure_rate * calls

    def _opened(self, now: datetime, policy: BreakerPolicy) -> "Circuit":
        openings = self.openings + 1
        retry_at = now + policy.wait(openings)
        return replace(
            self, state=CircuitState.OPEN, openings=openings, retry_at=retry_at, probe=None
        )

    def _counting(self, answered: bool) -> "Circuit":
        return replace(self, calls=self.calls + 1, failures=self.failures + (not answered))

    def _at(self, now: datetime, policy: BreakerPolicy) -> "Circuit":
        """It with the window in which `now` lies."""
        started, age = self.window_started_at, self._age(now)
        if started is None or age >= 2 * policy.window:
            return self._in_window(now, 0, 0)
        if age >= policy.window:
            started += timedelta(seconds=policy.window)
            return self._in_window(started, self.calls, self.failures)
        return self

    def _in_window(self, started_at: datetime, calls: int, failures: int) -> "Circuit":
        return replace(
            self,
            window_started_at=started_at,
            calls=0,
            failures=0,
            previous_calls=calls,
            previous_failures=failures,
        )

    def _age(self, now: datetime) -> float:
        return (now - self.window_started_at).total_seconds() if self.window_started_at else 0.0
