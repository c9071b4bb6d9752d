"""The facts that are one event's each: messages, the autopilot's actions, steps of sequences."""

from collections.abc import Iterable

from analytics.models import AutopilotFact, EventFact, MessageFact, SequenceFact, ServiceTime
from channels.autopilot.payloads import AutopilotActionExecuted
from channels.payloads import MessageDelivered, MessageFailed, MessageReceived, MessageSent
from channels.sequences.payloads import SequenceEnrolled, SequenceFinished, SequenceStepExecuted
from events.models import Event
from events.rows import upsert_rows
from salesflow.accounts.context import current_tenant


def write_event_facts(facts: Iterable[EventFact]) -> None:
    """Write facts of one kind; an event that comes again writes its fact again."""
    rows = list(facts)
    for row in rows:
        row.tenant = current_tenant()
    if rows:
        upsert_rows(rows, ["event_id"], rows[0].told_fields())


def message_fact(event: Event) -> MessageFact:
    """What `message.sent` or `message.failed` comes to."""
    told = event.data
    assert isinstance(told, MessageSent | MessageFailed)
    return MessageFact(
        event_id=event.id,
        lead_id=told.lead_id,
        message_id=told.message_id,
        channel=told.channel,
        message_type=told.message_type,
        success=isinstance(told, MessageSent) and told.success,
        latency_ms=told.latency_ms if isinstance(told, MessageSent) else None,
        occurred_at=event.occurred_at,
    )


def service_time(event: Event) -> ServiceTime | None:
    """What `message.received`, `.sent` or `.delivered` says about time; None where it says nothing.

    Automatic mail counts for nothing: nobody waits for its answer.
    """
    told = event.data
    assert isinstance(told, MessageReceived | MessageSent | MessageDelivered)
    answer_ms = None
    if isinstance(told, MessageReceived):
        step = ServiceTime.Step.STORED
        duration_ms = None if told.automatic else told.stored_ms
    elif isinstance(told, MessageSent):
        step, duration_ms, answer_ms = ServiceTime.Step.SENT, told.latency_ms, told.answer_ms
    else:
        step, duration_ms = ServiceTime.Step.DELIVERED, told.delivery_ms
    if duration_ms is None:
        return None
    return ServiceTime(
        event_id=event.id,
        channel=told.channel,
        step=step,
        duration_ms=duration_ms,
        answer_ms=answer_ms,
        occurred_at=event.occurred_at,
    )


def autopilot_fact(event: Event) -> AutopilotFact:
    """What `autopilot.action_executed` comes to."""
    told = event.data
    assert isinstance(told, AutopilotActionExecuted)
    return AutopilotFact(
        event_id=event.id,
        lead_id=told.lead_id,
        action_type=told.action_type,
        model=told.model,
        cost=told.cost,
        latency_ms=told.latency_ms,
        occurred_at=event.occurred_at,
    )


def sequence_fact(event: Event) -> SequenceFact:
    """What `sequence.enrolled`, `.step_executed` or `.finished` comes to."""
    told = event.data
    assert isinstance(told, SequenceEnrolled | SequenceStepExecuted | SequenceFinished)
    fact = SequenceFact(
        event_id=event.id,
        lead_id=told.lead_id,
        sequence_id=told.sequence_id,
        kind=SequenceFact.Kind.ENROLLED,
        occurred_at=event.occurred_at,
    )
    if isinstance(told, SequenceStepExecuted):
        fact.kind, fact.step, fact.channel = SequenceFact.Kind.STEP, told.step, told.channel
    elif isinstance(told, SequenceFinished):
        fact.kind, fact.reason = SequenceFact.Kind.FINISHED, told.reason
    return fact
