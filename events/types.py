"""The names of the event types that SalesFlow itself publishes."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class EventType(models.TextChoices):
    """Past tense, `noun.verb`. Other apps add types of their own by declaring a payload."""

    LEAD_CREATED = "lead.created", _("Lead created")
    LEAD_UPDATED = "lead.updated", _("Lead edited")
    LEAD_STAGE_CHANGED = "lead.stage_changed", _("Stage changed")
    LEAD_ASSIGNED = "lead.assigned", _("Lead assigned")
    LEAD_WON = "lead.won", _("Lead won")
    LEAD_LOST = "lead.lost", _("Lead lost")
    LEAD_MERGED = "lead.merged", _("Leads merged")
    LEAD_DELETED = "lead.deleted", _("Lead deleted")
    NOTE_ADDED = "note.added", _("Note added")
    COLLEAGUE_MENTIONED = "colleague.mentioned", _("Colleague mentioned")
    MESSAGE_QUEUED = "message.queued", _("Message queued")
    MESSAGE_RECEIVED = "message.received", _("Message received")
    MESSAGE_SENT = "message.sent", _("Message sent")
    MESSAGE_DELIVERED = "message.delivered", _("Message delivered")
    MESSAGE_READ = "message.read", _("Message read")
    MESSAGE_FAILED = "message.failed", _("Message failed")
    MESSAGE_WITHDRAWN = "message.withdrawn", _("Message withdrawn")
    MESSAGE_OPENED = "message.opened", _("Mail opened")
    MESSAGE_CLICKED = "message.clicked", _("Link clicked")
    TASK_CREATED = "task.created", _("Task created")
    TASK_ASSIGNED = "task.assigned", _("Task assigned")
    TASK_COMPLETED = "task.completed", _("Task completed")
    TASK_SKIPPED = "task.skipped", _("Task skipped")
    MEETING_BOOKED = "meeting.booked", _("Meeting booked")
    CONVERSATION_ASSIGNED = "conversation.assigned", _("Conversation assigned")
    CONVERSATION_SNOOZED = "conversation.snoozed", _("Conversation snoozed")
    CONVERSATION_CLOSED = "conversation.closed", _("Conversation closed")
    CONVERSATION_REOPENED = "conversation.reopened", _("Conversation opened again")
    INBOUND_RECEIVED = "inbound.received", _("Delivery from a vendor received")
    FILES_ANNOUNCED = "files.announced", _("Files of a message announced")
    CONTACT_OPTED_OUT = "contact.opted_out", _("Contact opted out")
    CONTACT_OPTED_IN = "contact.opted_in", _("Contact allowed to be written to")
    ADDRESS_BOUNCED = "address.bounced", _("Address bounced")
    ACCOUNT_STOPPED = "account.stopped", _("Channel account stopped")
    ACCOUNT_TRIAL_REQUESTED = "account.trial_requested", _("Trial of a channel account requested")
    SEQUENCE_PUBLISHED = "sequence.published", _("Sequence published")
    SEQUENCE_UPDATED = "sequence.updated", _("Sequence renamed, paused or archived")
    SEQUENCE_ENROLLED = "sequence.enrolled", _("Enrolled in a sequence")
    SEQUENCE_STEP_EXECUTED = "sequence.step_executed", _("Sequence step executed")
    SEQUENCE_PAUSED = "sequence.paused", _("Sequence paused")
    SEQUENCE_RESUMED = "sequence.resumed", _("Sequence resumed")
    SEQUENCE_BLOCKED = "sequence.blocked", _("Sequence blocked")
    SEQUENCE_FINISHED = "sequence.finished", _("Sequence finished")
    AUTOPILOT_RUN_REQUESTED = "autopilot.run_requested", _("Model asked by the autopilot")
    AUTOPILOT_DRAFT_CREATED = "autopilot.draft_created", _("Draft created by the autopilot")
    AUTOPILOT_DRAFT_DECIDED = "autopilot.draft_decided", _("Draft of the autopilot decided")
    SUGGESTION_ACCEPTED = "suggestion.accepted", _("Suggestion accepted")
    AUTOPILOT_ACTION_EXECUTED = "autopilot.action_executed", _("Autopilot action executed")
    ALERT_RAISED = "alert.raised", _("Alert raised")


def label_of(name: str) -> str:
    """An event type in words; its name where it has none."""
    # Not `EventType.values`: that translates all labels, and a page asks for each of its rows.
    try:
        return str(EventType(name).label)
    except ValueError:
        return name
