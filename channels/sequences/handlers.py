"""What events do to sequences: they let people go on, end it for them, and take them in.

All of them take batches, and say the same however often and in whatever order events come.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from channels.models import Automatic, Message
from channels.payloads import AddressBounced, ContactOptedOut
from channels.sequences import crediting, rules, settling, stopping
from channels.sequences.crediting import Credit
from channels.sequences.decisions import Ending
from events import EventType, register_event_handler
from events.models import Event
from leads.payloads import LeadMerged

# Event type → what it notes on executed steps.
MOMENTS = {
    EventType.MESSAGE_DELIVERED: "delivered_at",
    EventType.MESSAGE_OPENED: "opened_at",
    EventType.MESSAGE_CLICKED: "clicked_at",
}


@register_event_handler(
    EventType.MESSAGE_SENT, EventType.MESSAGE_FAILED, EventType.MESSAGE_WITHDRAWN, batch=True
)
def settle_sequence_messages(events: list[Event]) -> None:
    """Let those go on whose message went out, and end it for those whose message failed."""
    settling.note_sent(_moments(events, EventType.MESSAGE_SENT))
    settling.note_failed(_moments(events, EventType.MESSAGE_FAILED))
    settling.note_withdrawn(_moments(events, EventType.MESSAGE_WITHDRAWN))


@register_event_handler(
    EventType.MESSAGE_DELIVERED, EventType.MESSAGE_OPENED, EventType.MESSAGE_CLICKED, batch=True
)
def note_sequence_signals(events: list[Event]) -> None:
    """Note who got, opened and followed what, and ask branches that wait for it."""
    for event_type, column in MOMENTS.items():
        settling.note_moments(column, _moments(events, event_type))
    signals = [event for event in events if event.type != EventType.MESSAGE_DELIVERED]
    if signals:
        asked = settling.enrolments_of(map(_message_of, signals))
        settling.look_at_branches(asked, _latest(signals))


@register_event_handler(EventType.TASK_COMPLETED, EventType.TASK_SKIPPED, batch=True)
def settle_sequence_tasks(events: list[Event]) -> None:
    """Let those go on whose task is done."""
    settling.let_go_on({UUID(event.payload["task_id"]): event.occurred_at for event in events})


@register_event_handler(EventType.MESSAGE_RECEIVED, batch=True)
def stop_answered_sequences(events: list[Event]) -> None:
    """End sequences of those who have written to us, and let those wait who are away."""
    found = Message.objects.filter(pk__in=map(_message_of, events))
    messages = list(found.defer("html", "quoted", "references"))
    written = [each for each in messages if each.automatic == Automatic.NO]
    away = [each for each in messages if each.automatic == Automatic.OUT_OF_OFFICE]
    if written:
        at = max(map(stopping.stored_at, written))
        credited = crediting.credit_replies(written)
        stopping.stop_where_ended({each.lead_id for each in written}, at)
        stopping.stop_colleagues(written, at)
        settling.look_at_branches(credited, at)
    if away:
        stopping.pause_absent(away)


@register_event_handler(
    EventType.CONTACT_OPTED_OUT,
    EventType.ADDRESS_BOUNCED,
    EventType.MEETING_BOOKED,
    EventType.LEAD_WON,
    EventType.LEAD_LOST,
    EventType.LEAD_MERGED,
    batch=True,
)
def stop_ended_sequences(events: list[Event]) -> None:
    """End sequences of those who opted out, met us, were won or lost, or cannot be reached."""
    _credit(events)
    leads = {event.subject_id for event in events if event.subject_id}
    stopping.stop_where_ended(leads, _latest(events))
    for event in events:
        if isinstance(merged := event.data, LeadMerged):
            stopping.stop_enrolments_of(merged.merged_lead_id, Ending.MERGED, event.occurred_at)


@register_event_handler(
    EventType.LEAD_UPDATED, EventType.LEAD_STAGE_CHANGED, EventType.CONTACT_OPTED_IN, batch=True
)
def unblock_sequences(events: list[Event]) -> None:
    """Look whether what was missing is there now, and ask branches that wait for a field."""
    leads = {event.subject_id for event in events if event.subject_id}
    settling.look_at_obstacles(leads, _latest(events))
    settling.look_at_branches_of(leads, _latest(events))


@register_event_handler(
    EventType.LEAD_CREATED,
    EventType.LEAD_STAGE_CHANGED,
    EventType.LEAD_ASSIGNED,
    EventType.LEAD_UPDATED,
    batch=True,
)
def enrol_by_rules(events: list[Event]) -> None:
    """Take leads in whom a rule wants."""
    rules.enrol_by_rules(events)


@register_event_handler(EventType.SUGGESTION_ACCEPTED)
def enrol_suggested(event: Event) -> None:
    """Take a lead in for whom somebody has accepted the sequence that was proposed."""
    rules.enrol_suggested(event)


def _credit(events: Sequence[Event]) -> None:
    """Credit what won deals, what made people opt out, and what came back."""
    won, opted_out, bounced = [], [], {}
    for event in events:
        told = event.data
        if event.type == EventType.LEAD_WON and event.subject_id:
            won.append(Credit(event.subject_id, event.occurred_at))
        elif isinstance(told, ContactOptedOut):
            opted_out.append(Credit(told.lead_id, event.occurred_at, told.channel))
        elif isinstance(told, AddressBounced) and told.message_id:
            bounced[told.message_id] = event.occurred_at
    crediting.credit_won(won)
    crediting.credit_opt_outs(opted_out)
    settling.note_moments("bounced_at", bounced)


def _moments(events: Iterable[Event], event_type: str) -> dict[UUID, datetime]:
    """Message → when that happened to it."""
    return {_message_of(each): each.occurred_at for each in events if each.type == event_type}


def _message_of(event: Event) -> UUID:
    return UUID(event.payload["message_id"])


def _latest(events: Iterable[Event]) -> datetime:
    return max(event.occurred_at for event in events)
