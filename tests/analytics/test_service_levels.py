"""How fast messages are stored, answered, sent and delivered, by channel."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from analytics.models import ServiceTime
from analytics.service_levels import ServiceLevel, service_levels
from channels.payloads import MessageDelivered, MessageReceived, MessageSent
from channels.services import record_status
from events import publish
from events.testing import settle_events
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant
from tests.api.clients import ApiClient
from tests.channels.factories import make_inbound_message, make_message, make_reachable_lead
from tests.factories import make_tenant

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "/api/analytics/slo"


def told(**given: object) -> dict[str, object]:
    """What all events of one message say."""
    ids = {"lead_id": uuid7(), "message_id": uuid7(), "conversation_id": uuid7()}
    return {**ids, "channel": "whatsapp", "message_type": "text", **given}


def publish_times() -> None:
    for number in range(1, 101):
        publish(MessageReceived(**told(stored_ms=number)), occurred_at=AT)
        publish(MessageSent(**told(latency_ms=10 * number)), occurred_at=AT)
    publish(MessageSent(**told(latency_ms=10, answer_ms=60_000)), occurred_at=AT)
    publish(MessageDelivered(**told(delivery_ms=800)), occurred_at=AT)
    settle_events()


def test_times_are_told_by_channel_and_step(tenant: Tenant) -> None:
    publish_times()
    assert service_levels() == [
        ServiceLevel("whatsapp", "stored", 100, 50, 95),
        ServiceLevel("whatsapp", "answered", 1, 60_000, 60_000),
        ServiceLevel("whatsapp", "sent", 101, 500, 950),
        ServiceLevel("whatsapp", "delivered", 1, 800, 800),
    ]


def test_what_nobody_measured_and_what_nobody_wrote_counts_for_nothing(tenant: Tenant) -> None:
    publish(MessageReceived(**told()))
    publish(MessageReceived(**told(stored_ms=5, automatic="out_of_office")))
    publish(MessageDelivered(**told()))
    settle_events()
    assert not ServiceTime.objects.exists()


def test_answer_is_timed_from_the_first_message_that_nobody_had_answered(tenant: Tenant) -> None:
    lead = make_reachable_lead()
    asked_at = timezone.now() - timedelta(minutes=10)
    make_inbound_message(lead, received_at=asked_at)
    make_inbound_message(lead, received_at=asked_at + timedelta(minutes=5))
    answer = make_message(lead)
    make_message(lead)
    settle_events()
    answered = [fact.answer_ms for fact in ServiceTime.objects.filter(step="sent")]
    answer.refresh_from_db()
    assert sorted(answered, key=bool) == [None, answer.answer_ms]
    assert answer.answer_ms
    assert timedelta(minutes=10) <= timedelta(milliseconds=answer.answer_ms) < timedelta(minutes=11)
    stored = ServiceTime.objects.filter(step="stored").order_by("-duration_ms").first()
    assert stored
    assert stored.duration_ms >= 600_000


def test_delivery_is_timed_from_the_moment_it_was_sent(tenant: Tenant) -> None:
    message = make_message()
    settle_events()
    message.refresh_from_db()
    assert message.sent_at
    record_status(message.pk, "delivered", at=message.sent_at + timedelta(seconds=2))
    settle_events()
    assert ServiceTime.objects.get(step="delivered").duration_ms == 2000


def test_days_are_those_of_the_tenant(api: ApiClient, tenant: Tenant) -> None:
    publish_times()
    assert len(api.get(f"{URL}?since=2026-03-01&until=2026-03-01").json()["levels"]) == 4
    assert api.get(f"{URL}?since=2026-03-02").json()["levels"] == []
    assert api.get(f"{URL}?until=2026-02-28").json()["levels"] == []


@pytest.mark.parametrize("query", ["sine=2026-03-01", "since=yesterday"])
def test_unknown_parameters_are_refused(api: ApiClient, query: str) -> None:
    answer = api.get(f"{URL}?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in str(answer.json())


def test_other_tenants_times_are_nobodys_business(api: ApiClient) -> None:
    with tenant_context(make_tenant("other")):
        publish_times()
    assert api.get(URL).json()["levels"] == []
