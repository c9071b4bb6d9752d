"""What analytics does about events: each becomes facts, in whatever order and however often it
comes. All handlers take batches and write each table in one statement."""

from analytics.event_facts import (
    autopilot_fact,
    message_fact,
    sequence_fact,
    service_time,
    write_event_facts,
)
from analytics.lead_facts import write_lead_facts
from analytics.rebuilding import wait_for_rebuild
from analytics.stage_entries import write_stage_datings, write_stage_entries
from events import EventType, register_event_handler
from events.models import Event


@register_event_handler(EventType.LEAD_CREATED, batch=True)
def handle_lead_created(events: list[Event]) -> None:
    """Take new leads into the funnel."""
    wait_for_rebuild()
    write_lead_facts(events)
    write_stage_entries(events)


@register_event_handler(
    EventType.LEAD_STAGE_CHANGED, EventType.LEAD_WON, EventType.LEAD_LOST, batch=True
)
def handle_stage_change(events: list[Event]) -> None:
    """Move leads along the funnel, close their deals, and open them again."""
    wait_for_rebuild()
    write_lead_facts(events)
    write_stage_entries(event for event in events if event.type == EventType.LEAD_STAGE_CHANGED)


@register_event_handler(EventType.LEAD_UPDATED, EventType.LEAD_ASSIGNED, batch=True)
def handle_lead_edit(events: list[Event]) -> None:
    """Keep source, value, currency, owner and dates of leads as they are now."""
    wait_for_rebuild()
    write_lead_facts(events)
    write_stage_datings(event for event in events if event.type == EventType.LEAD_UPDATED)


@register_event_handler(EventType.LEAD_DELETED, EventType.LEAD_MERGED, batch=True)
def handle_lead_removal(events: list[Event]) -> None:
    """Take leads that are gone out of the funnel."""
    wait_for_rebuild()
    write_lead_facts(events)


@register_event_handler(EventType.MESSAGE_SENT, EventType.MESSAGE_FAILED, batch=True)
def handle_message_sent(events: list[Event]) -> None:
    """Count messages that went out or failed to."""
    wait_for_rebuild()
    write_event_facts(map(message_fact, events))


@register_event_handler(
    EventType.MESSAGE_RECEIVED, EventType.MESSAGE_SENT, EventType.MESSAGE_DELIVERED, batch=True
)
def time_messages(events: list[Event]) -> None:
    """Note how long messages took to be stored, answered, sent and delivered."""
    wait_for_rebuild()
    write_event_facts(filter(None, map(service_time, events)))


@register_event_handler(EventType.AUTOPILOT_ACTION_EXECUTED, batch=True)
def handle_autopilot_action(events: list[Event]) -> None:
    """Book what the autopilot's actions cost and how long they took."""
    wait_for_rebuild()
    write_event_facts(map(autopilot_fact, events))


@register_event_handler(
    EventType.SEQUENCE_ENROLLED,
    EventType.SEQUENCE_STEP_EXECUTED,
    EventType.SEQUENCE_FINISHED,
    batch=True,
)
def handle_sequence_step(events: list[Event]) -> None:
    """Count who comes into a sequence, through its steps, and out of it."""
    wait_for_rebuild()
    write_event_facts(map(sequence_fact, events))
