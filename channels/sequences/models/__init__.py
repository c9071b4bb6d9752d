"""What sequences keep: what they consist of, who is in them, and what was done."""

from channels.sequences.models.calendar import WorkCalendar
from channels.sequences.models.enrolment import Enrolment, Waiting
from channels.sequences.models.execution import Execution
from channels.sequences.models.quota import DayQuota, PlaceLine
from channels.sequences.models.rule import BulkEnrolment, EntryRule
from channels.sequences.models.sequence import Sequence, Version

__all__ = [
    "BulkEnrolment",
    "DayQuota",
    "Enrolment",
    "EntryRule",
    "Execution",
    "PlaceLine",
    "Sequence",
    "Version",
    "Waiting",
    "WorkCalendar",
]
