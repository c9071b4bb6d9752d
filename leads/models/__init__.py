"""Leads: who might buy, how to reach them, how far they have come in which pipeline, and what is
still to be done about them."""

from leads.models.lead import LEAD_VALUE, ContactPoint, Lead
from leads.models.meeting import Meeting
from leads.models.note import Mention, Note
from leads.models.pipeline import Outcome, Pipeline, Stage
from leads.models.task import TASK_DUE, Task

__all__ = [
    "LEAD_VALUE",
    "TASK_DUE",
    "ContactPoint",
    "Lead",
    "Meeting",
    "Mention",
    "Note",
    "Outcome",
    "Pipeline",
    "Stage",
    "Task",
]
