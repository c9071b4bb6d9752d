"""Whether and when a failed delivery is tried again: a pure decision."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise

# Seconds. A handler that passes on what a remote server asked for may pass on anything.
LONGEST_WAIT = 7 * 86400.0


class Retry(Exception):
    """Raised by a handler: try again, `after` so many seconds, a week at most."""

    def __init__(self, after: float, reason: str | Promise = "") -> None:
        super().__init__(reason or f"asked to be tried again after {after:g} s")
        self.after = after

    @property
    def seconds(self) -> float:
        """The wait within its limits: neither negative, nor longer than `LONGEST_WAIT`."""
        after = self.after if math.isfinite(self.after) else LONGEST_WAIT
        return min(LONGEST_WAIT, max(0.0, after))


class Postpone(Retry):
    """Raised by an external handler that has called nobody: not now, `after` so many seconds.

    The attempt is taken back and nothing counts as failed, however often that happens: a limit of
    calls was reached, or a circuit of the handler's own is open. For a handler with database
    effects it is a `Retry`.
    """


class Permanent(Exception):
    """Raised by a handler: trying again cannot help."""


@dataclass(frozen=True)
class RetryPolicy:
    """Capped exponential backoff with full jitter.

    Attributes:
        max_attempts: tries in all, the first included.
        base: seconds, the longest wait before the second try.
        cap: seconds, the longest wait at all.
    """

    max_attempts: int = 3
    base: float = 1.0
    cap: float = 3600.0

    def delay(
        self,
        failures: int,
        error: BaseException | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> float | None:
        """Seconds until the next try after so many failures in a row, or None to give up.

        Source: "Exponential Backoff and Jitter", AWS Architecture Blog, 2015 ("full jitter").
        """
        if isinstance(error, Permanent) or failures >= self.max_attempts:
            return None
        if isinstance(error, Retry):
            return error.seconds
        # The exponent is bounded so that a large number of failures cannot overflow.
        return uniform(0, min(self.cap, self.base * 2 ** min(failures - 1, 60)))
