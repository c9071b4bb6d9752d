"""Mistakes made on purpose, so that the suite can show that it finds them."""

import os
from enum import StrEnum

VARIABLE = "CHAOS_SABOTAGE"


class Sabotage(StrEnum):
    """What is broken.

    EFFECTS: handlers write over a connection of their own, outside the settling transaction.
    LEDGER: publishers note as committed what they rolled back.
    """

    EFFECTS = "effects"
    LEDGER = "ledger"


def sabotaged(what: Sabotage) -> bool:
    """Whether this process runs with that mistake."""
    return what in os.environ.get(VARIABLE, "").split(",")
