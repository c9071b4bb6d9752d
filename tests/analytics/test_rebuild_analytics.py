"""Facts built anew from the log."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from analytics.models import LeadFact, MessageFact, StageEntry
from channels.payloads import MessageSent
from events import publish
from events.models import Event
from events.testing import settle_events
from leads import services
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant
from tests.analytics.factories import facts
from tests.factories import make_tenant
from tests.leads.factories import make_lead


def rebuild(**options: Any) -> str:
    """What the command prints."""
    out = StringIO()
    call_command("rebuild_analytics", stdout=out, **options)
    return out.getvalue()


def make_history() -> None:
    """A won lead, a deleted one, and a message."""
    services.win_lead(make_lead(value=10))
    services.delete_lead(make_lead())
    ids = {"lead_id": uuid7(), "message_id": uuid7(), "conversation_id": uuid7()}
    publish(MessageSent(**ids, channel="email", message_type="text", latency_ms=7))
    settle_events()


def test_spoiled_facts_are_as_the_log_tells_again(tenant: Tenant) -> None:
    make_history()
    before = facts()
    LeadFact.objects.update(value=1, outcome="lost", value_version=10**12)
    StageEntry.objects.all().delete()
    MessageFact.objects.update(latency_ms=999)
    assert rebuild(tenant="acme") == "acme: 6 events read\n"
    assert facts() == before
    assert MessageFact.objects.get().latency_ms == 7


def test_all_tenants_are_rebuilt_unless_one_is_named(tenant: Tenant) -> None:
    make_history()
    with tenant_context(make_tenant("other")):
        make_history()
        LeadFact.objects.all().delete()
    rebuild(tenant="acme")
    assert LeadFact.unscoped.count() == 2
    assert rebuild() == "acme: 6 events read\nother: 6 events read\n"
    assert LeadFact.unscoped.count() == 4


def test_facts_of_pruned_events_stay(tenant: Tenant) -> None:
    make_history()
    before = facts()
    Event.objects.all().delete()
    make_lead()
    settle_events()
    rebuild(tenant="acme")
    assert LeadFact.objects.count() == 3
    assert all(fact in facts() for fact in before)
    assert MessageFact.objects.count() == 1


def test_event_that_cannot_be_counted_is_named_and_spoils_no_other(tenant: Tenant) -> None:
    make_history()
    broken = Event.objects.filter(type="lead.won").get()
    broken.payload = {"lead_id": "nobody"}
    broken.save()
    with pytest.raises(CommandError, match=f"1 event could not be counted.*{broken.id}"):
        rebuild(tenant="acme")
    assert LeadFact.objects.count() == 2
    assert LeadFact.objects.filter(outcome="won", closed_at=None).count() == 1


def test_unknown_tenant_is_one_clear_sentence(tenant: Tenant) -> None:
    with pytest.raises(CommandError, match=r"There is no tenant “nobody” .*acme"):
        rebuild(tenant="nobody")
