"""Each event becomes its fact, once."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from analytics.models import AutopilotFact, LeadFact, MessageFact, SequenceFact, StageEntry
from channels.autopilot.payloads import AutopilotActionExecuted
from channels.payloads import MessageFailed, MessageSent
from channels.sequences.payloads import SequenceEnrolled, SequenceFinished, SequenceStepExecuted
from events import Payload, publish
from events.models import Delivery, DeliveryStatus, Event, EventStatus
from events.testing import settle_events
from leads import services
from leads.payloads import LeadMerged
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant
from tests.factories import make_tenant
from tests.leads.factories import make_lead, stage_called

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def settle_twice() -> None:
    """Settle all events, then let all their handlers run again."""
    settle_events()
    Event.unscoped.update(status=EventStatus.PENDING)
    Delivery.objects.update(status=DeliveryStatus.PENDING)
    settle_events()
    assert not Event.unscoped.exclude(status=EventStatus.PROCESSED).exists()


def message(**given: object) -> dict[str, object]:
    """What all events of one message say."""
    ids = {"lead_id": uuid7(), "message_id": uuid7(), "conversation_id": uuid7()}
    return {**ids, "channel": "email", "message_type": "text", **given}


def test_message_that_was_sent_is_counted_with_its_latency(tenant: Tenant) -> None:
    sent = publish(MessageSent(**message(latency_ms=120)), occurred_at=AT)
    settle_twice()
    fact = MessageFact.objects.get()
    assert (fact.event_id, fact.channel, fact.message_type) == (sent.id, "email", "text")
    assert (fact.success, fact.latency_ms, fact.occurred_at) == (True, 120, AT)


def test_message_that_failed_is_counted_as_a_failure(tenant: Tenant) -> None:
    publish(MessageFailed(**message(reason="no mailbox", permanent=True, attempts=3)))
    settle_twice()
    fact = MessageFact.objects.get()
    assert (fact.success, fact.latency_ms) == (False, None)


def test_action_of_the_autopilot_is_booked_to_the_last_digit(tenant: Tenant) -> None:
    action = {"action_type": "draft_reply", "model": "gpt-4o-mini", "latency_ms": 830}
    publish(AutopilotActionExecuted(lead_id=uuid7(), cost=Decimal("123456.000000000075"), **action))
    settle_twice()
    fact = AutopilotFact.objects.get()
    assert fact.cost == Decimal("123456.000000000075")
    assert (fact.action_type, fact.model, fact.latency_ms) == ("draft_reply", "gpt-4o-mini", 830)


def test_way_through_a_sequence_is_counted_step_by_step(tenant: Tenant) -> None:
    ids = {"lead_id": uuid7(), "sequence_id": uuid7()}
    told: list[Payload] = [
        SequenceEnrolled(**ids),
        SequenceStepExecuted(**ids, step=1, channel="email"),
        SequenceStepExecuted(**ids, step=2, channel="whatsapp"),
        SequenceFinished(**ids, reason="replied"),
    ]
    for payload in told:
        publish(payload)
    settle_twice()
    facts = SequenceFact.objects.order_by("event_id").values_list(
        "kind", "step", "channel", "reason"
    )
    assert list(facts) == [
        ("enrolled", None, "", ""),
        ("step", 1, "email", ""),
        ("step", 2, "whatsapp", ""),
        ("finished", None, "", "replied"),
    ]


def test_event_that_does_not_fit_fails_alone(tenant: Tenant) -> None:
    publish(MessageSent(**message(latency_ms=1)))
    publish(MessageSent(**message(latency_ms=1, channel="c" * 21)))
    publish(MessageSent(**message(latency_ms=1)))
    settle_events()
    failed = Event.objects.get(status=EventStatus.FAILED)
    assert "too long" in failed.error_message
    assert MessageFact.objects.count() == 2


@pytest.mark.parametrize("closing", ["Won", "Lost"])
def test_deal_that_is_opened_again_is_open(tenant: Tenant, closing: str) -> None:
    lead = make_lead()
    services.move_lead(lead, stage_called(closing), lost_reason="too dear")
    services.move_lead(lead, stage_called("Proposal"))
    settle_twice()
    fact = LeadFact.objects.get()
    assert (fact.outcome, fact.closed_at) == ("open", None)
    assert fact.furthest_stage_id == stage_called("Proposal").id


def test_dates_that_are_told_anew_are_counted(tenant: Tenant) -> None:
    lead = make_lead(created_at=AT)
    services.move_lead(lead, stage_called("Proposal"), at=AT + timedelta(days=3))
    won = services.win_lead(lead, at=AT + timedelta(days=9))
    won.closed_at = won.stage_entered_at = AT + timedelta(days=7)
    won.save()
    settle_twice()
    assert LeadFact.objects.get().closed_at == AT + timedelta(days=7)
    stays = StageEntry.objects.order_by("position").values_list("entered_at", "left_at")
    days = [AT + timedelta(days=number) for number in (0, 3, 7)]
    assert list(stays) == [(days[0], days[1]), (days[1], days[2]), (days[2], None)]


def test_date_told_anew_before_its_entry_waits_for_it(tenant: Tenant) -> None:
    lead = make_lead(created_at=AT)
    lead.stage_entered_at = AT + timedelta(days=1)
    lead.save()
    for type_ in ("lead.updated", "lead.created"):
        Event.objects.exclude(type=type_).update(status=EventStatus.PROCESSED)
        settle_events()
        Event.objects.update(status=EventStatus.PENDING)
    assert StageEntry.objects.get().entered_at == AT + timedelta(days=1)


def test_merged_lead_counts_no_more(tenant: Tenant) -> None:
    kept, merged = make_lead(), make_lead()
    publish(LeadMerged(lead_id=kept.id, merged_lead_id=merged.id, merged_name=merged.name))
    settle_twice()
    assert [fact.lead_id for fact in LeadFact.objects.filter(deleted_at=None)] == [kept.id]


def test_late_event_does_not_revive_a_deleted_lead(tenant: Tenant) -> None:
    lead = make_lead()
    services.edit_lead(lead, value=10)
    services.delete_lead(lead)
    for type_ in ("lead.deleted", "lead.updated", "lead.created"):
        Event.objects.exclude(type=type_).update(status=EventStatus.PROCESSED)
        settle_events()
        Event.objects.update(status=EventStatus.PENDING)
    assert LeadFact.objects.get().deleted_at is not None


def test_event_of_another_tenant_changes_no_fact(tenant: Tenant) -> None:
    lead = make_lead(value=10)
    settle_events()
    with tenant_context(make_tenant("other")):
        publish(LeadMerged(lead_id=uuid7(), merged_lead_id=lead.id, merged_name=""))
        settle_events()
        assert not LeadFact.objects.exists()
    assert LeadFact.objects.get().deleted_at is None
