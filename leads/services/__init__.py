"""What changes leads, their tasks and their meetings. Each verb locks its lead, so that two at once
give two consistent events; bad input raises ValidationError with field → messages."""

from leads.services.leads import (
    DEFAULT_STAGES,
    LeadFields,
    add_note,
    assign_lead,
    create_default_pipeline,
    create_lead,
    create_pipeline_of_new_tenant,
    default_currency,
    delete_lead,
    edit_lead,
    lock_lead,
    lose_lead,
    make_default_pipeline,
    move_lead,
    win_lead,
)
from leads.services.meetings import book_meeting
from leads.services.tasks import (
    TaskDraft,
    add_task,
    add_tasks,
    assign_task,
    complete_task,
    skip_task,
)

__all__ = [
    "DEFAULT_STAGES",
    "LeadFields",
    "TaskDraft",
    "add_note",
    "add_task",
    "add_tasks",
    "assign_lead",
    "assign_task",
    "book_meeting",
    "complete_task",
    "create_default_pipeline",
    "create_lead",
    "create_pipeline_of_new_tenant",
    "default_currency",
    "delete_lead",
    "edit_lead",
    "lock_lead",
    "lose_lead",
    "make_default_pipeline",
    "move_lead",
    "skip_task",
    "win_lead",
]
