"""What a run of the autopilot can end in, and what stops a call to a model."""

from enum import StrEnum

from django.utils.functional import Promise

from channels.autopilot.completions import NOTHING_USED, Usage


class Outcome(StrEnum):
    """The closed list: every run ends in one of these."""

    DRAFTED = "drafted"
    PROPOSED = "proposed"
    QUALIFIED = "qualified"
    SUMMARISED = "summarised"
    EXTRACTED = "extracted"
    ANSWERED = "answered"
    NOTHING_GROUNDED = "nothing_grounded"
    REFUSED = "refused"
    EMPTY = "empty"
    INVALID = "invalid"
    TRUNCATED = "truncated"
    CUT = "cut"
    TOO_LONG = "too_long"
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    UNAUTHORIZED = "unauthorized"
    BUDGET = "budget"
    OFF = "off"
    SUPERSEDED = "superseded"
    FAILED = "failed"


# Nothing is wrong with what was asked: it is worth asking again once the trouble is over.
FAULTS = frozenset(
    {
        Outcome.CUT,
        Outcome.TIMEOUT,
        Outcome.RATE_LIMITED,
        Outcome.UNAVAILABLE,
        Outcome.UNAUTHORIZED,
        Outcome.FAILED,
    }
)


class Ended(Exception):
    """A run ends here, though nothing went wrong: nobody needs an answer any more.

    Attributes:
        outcome: what it ends in, such as `Outcome.SUPERSEDED`.
        reason: for people.
    """

    def __init__(self, outcome: Outcome, reason: str | Promise) -> None:
        super().__init__(outcome, reason)
        self.outcome, self.reason = outcome, reason

    def __str__(self) -> str:
        return f"{self.outcome}: {self.reason}"


class AiError(Exception):
    """A model gave no usable answer.

    It never carries the exception that caused it: the frames of an HTTP library hold the key.

    Attributes:
        outcome: what the run ends in, unless a later try does better.
        reason: for people; without the key, even where the server has repeated it.
        retry_after: seconds that the server asks for, an hour at most; None: it names none.
        is_permanent: trying the same again cannot help.
        stops_endpoint: nothing will go well there until somebody has looked: a wrong key, no money.
        usage: what has to be paid all the same, as far as is known.
        text: what had come until then; never to be used as an answer.
    """

    def __init__(
        self,
        outcome: Outcome,
        reason: str | Promise,
        *,
        retry_after: float | None = None,
        is_permanent: bool = False,
        stops_endpoint: bool = False,
        usage: Usage = NOTHING_USED,
        text: str = "",
    ) -> None:
        super().__init__(outcome, reason)
        self.outcome, self.reason = outcome, reason
        self.retry_after, self.is_permanent = retry_after, is_permanent
        self.stops_endpoint = stops_endpoint
        self.usage, self.text = usage, text

    def __str__(self) -> str:
        return f"{self.outcome}: {self.reason}"
