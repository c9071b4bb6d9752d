"""What the autopilot keeps: whom it asks, within which limits, and all that came of it."""

from channels.autopilot.models.budget import Budget, Expense
from channels.autopilot.models.draft import Draft, Suggestion
from channels.autopilot.models.endpoint import Endpoint
from channels.autopilot.models.known import KnownSequence
from channels.autopilot.models.policy import Mode, Policy
from channels.autopilot.models.run import ActionType, Call, Run

__all__ = [
    "ActionType",
    "Budget",
    "Call",
    "Draft",
    "Endpoint",
    "Expense",
    "KnownSequence",
    "Mode",
    "Policy",
    "Run",
    "Suggestion",
]
