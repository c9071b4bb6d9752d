"""Grounding: a draft says only what the facts say, and code checks that, not a model."""

from channels.autopilot.grounding.claims import Claim, Kind
from channels.autopilot.grounding.report import (
    Checked,
    Fact,
    Facts,
    Report,
    Trust,
    check,
    claims_of,
    is_quoted,
)

# Those whose numbers, dates and promises in words are known.
LANGUAGES = frozenset({"en", "de"})

__all__ = ["LANGUAGES", "Checked", "Claim", "Fact", "Facts", "Kind", "Report", "Trust", "check",
           "claims_of", "is_quoted"]  # fmt: skip
