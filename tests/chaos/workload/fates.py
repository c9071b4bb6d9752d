"""What is meant to become of each kind of parcel; written down once, for handlers and auditors."""

from typing import NamedTuple

# Kind → fate → how often a publisher draws it.
FATES = {
    "counted": {
        "plain": 79,
        "slow": 3,
        "flaky": 2,
        "doomed": 2,
        "mended": 4,
        "echoing": 10,
    },
    "called": {"plain": 60, "slow": 25, "flaky": 5, "later": 5, "hopeless": 5},
    "queued": {"plain": 95, "slow": 2, "flaky": 3},
}


class Expectation(NamedTuple):
    """What one handler is to have done for parcels of a fate, once all is settled.

    Attributes:
        kind: the event's type is "parcel.<kind>".
        effects: rows in the database.
        calls: whether it has to have called outside, once or more.
        status: of the delivery.
    """

    kind: str
    fate: str
    handler: str
    effects: int
    calls: bool
    status: str


# Of “mended” parcels nothing is expected: they fail at one handler until somebody mends them.
EXPECTATIONS = [
    *(
        Expectation("counted", fate, "tally_in_batch", 1, False, "succeeded")
        for fate in FATES["counted"]
    ),
    *(
        Expectation("counted", fate, "tally_singly", 1, False, "succeeded")
        for fate in ("plain", "slow", "flaky", "echoing")
    ),
    Expectation("counted", "doomed", "tally_singly", 0, False, "failed"),
    Expectation("echoed", "echoing", "tally_echo", 1, False, "succeeded"),
    *(
        Expectation("called", fate, "call_outside", 0, True, "succeeded")
        for fate in ("plain", "flaky", "later", "slow")
    ),
    Expectation("called", "hopeless", "call_outside", 0, True, "failed"),
    *(
        Expectation("queued", fate, "tally_in_order", 1, False, "succeeded")
        for fate in FATES["queued"]
    ),
]
