"""What stands in a prompt is one lead's: nobody else's, no key, and for what goes out nothing that
the team thinks."""

import pytest
from pytest_django import Settings

from channels.autopilot.facts import facts_of
from channels.autopilot.models import ActionType, Endpoint, Mode, Run
from channels.autopilot.runs import request_run
from channels.models import Account
from events.testing import settle_events
from leads.models import Lead
from leads.services import add_note
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.autopilot.endpoint import KEY, Server
from tests.autopilot.factories import make_endpoint
from tests.autopilot.stage import says, set_rule, writes
from tests.channels.factories import make_inbound_message, make_message, make_reachable_lead
from tests.channels.inbox_factories import make_whatsapp
from tests.channels.template_factories import make_template
from tests.factories import make_tenant, make_user


def fill_with(canary: str, tenant: Tenant) -> Lead:
    """A lead who has the canary in everything that there is of them."""
    user = make_user(tenant, name=f"{canary}-colleague")
    lead = make_reachable_lead(
        f"{canary}@example.com",
        name=f"{canary}-name",
        company=f"{canary}-company",
        title=f"{canary}-title",
        source=f"{canary}-source"[:50],
        tags=[f"{canary}-tag"],
        custom_fields={f"{canary}-field": f"{canary}-value"},
        value="777123",
        owner=user,
    )
    make_inbound_message(lead, body=f"{canary}-inbound", subject=f"{canary}-subject")
    make_message(lead, body=f"{canary}-outbound", author=user)
    add_note(lead, f"{canary}-note", author=user)
    return lead


@pytest.fixture(autouse=True)
def everybody(tenant: Tenant, server: Server, settings: Settings) -> None:
    """Two tenants, each with canaries wherever text can stand."""
    settings.AI_PRIVATE_ADDRESSES = True
    make_endpoint(server)
    other = make_tenant("other", name="foreign-tenant")
    with tenant_context(other):
        fill_with("foreign", other)
        make_template(name="foreign-template", body="foreign-words")
        Account.objects.update(name="foreign-account", address="foreign@example.org")
    fill_with("neighbour", tenant)
    make_template(name="inactive", body="retired-words", is_active=False)
    make_template(name="vendor", body="vendor-words", channel="whatsapp", vendor_name="v",
                  vendor_language="en")  # fmt: skip
    Account.objects.update(secrets={"k": "secret-canary"}, state={"s": "state-canary"})
    settle_events()


NOBODYS = ["foreign", "neighbour", KEY, "secret-canary", "state-canary", "retired-words",
           "vendor-words"]  # fmt: skip


def asked_of(server: Server) -> str:
    """All that left the house, and all that is kept of it."""
    sent = "".join(str(asked.body) for asked in server.asked)
    kept = "".join(str(run.messages) for run in Run.unscoped.all())
    assert sent
    assert kept
    return sent + kept


def test_reply_is_drafted_from_one_conversation(tenant: Tenant, server: Server) -> None:
    set_rule(Mode.APPROVE)
    says(server, "Hello, thank you. We will get back to you.")
    lead = fill_with("own", tenant)
    settle_events()
    server.asked.clear()
    Run.objects.all().delete()
    writes("own-question", lead=lead)
    told = asked_of(server)
    assert not [canary for canary in NOBODYS if canary in told]
    for known in ("own-question", "own-inbound", "own-outbound", "own-name", "own-company"):
        assert known in told
    # What the team thinks of them, and hopes to earn, is in no letter to them.
    for secret in ("own-note", "own-tag", "own-source", "own-field", "own-value", "777123"):
        assert secret not in told


@pytest.mark.parametrize(
    "action",
    [ActionType.PROPOSE, ActionType.QUALIFY, ActionType.SUMMARISE, ActionType.EXTRACT],
)
def test_every_other_question_is_about_one_lead(
    tenant: Tenant, server: Server, action: ActionType
) -> None:
    set_rule(Mode.OFF, criteria="Big")
    lead = fill_with("own", tenant)
    settle_events()
    server.text = "{}"
    request_run(action, key="one", lead=lead, asked_by=make_user(tenant))
    settle_events()
    told = asked_of(server)
    assert not [canary for canary in NOBODYS if canary in told]
    assert "own-inbound" in told


def test_another_tenants_lead_is_not_told_of(tenant: Tenant) -> None:
    with tenant_context(make_tenant()):
        theirs = make_reachable_lead()
    with pytest.raises(Lead.DoesNotExist):
        facts_of(theirs)


def test_conversation_of_another_channel_is_not_told_of(tenant: Tenant, server: Server) -> None:
    set_rule(Mode.APPROVE)
    says(server, "Hello, thank you. We will get back to you.")
    lead = make_reachable_lead(phone="+4930901820")
    make_whatsapp("whatsapp-words", lead=lead)
    settle_events()
    server.asked.clear()
    writes("mail-words", lead=lead)
    told = "".join(str(asked.body) for asked in server.asked)
    assert "mail-words" in told
    assert "whatsapp-words" not in told


def test_long_history_is_cut_at_its_old_end(tenant: Tenant) -> None:
    lead = make_reachable_lead()
    for number in range(30):
        make_inbound_message(lead, body=f"number-{number:02} " + "x" * 900)
    known = facts_of(lead, lead.conversations.get())
    assert known.said[-1].cleaned.text.startswith("number-29")
    assert len(known.said) <= 12
    assert sum(len(each.cleaned.text) for each in known.said) <= 8_000


def test_key_is_in_no_run(tenant: Tenant, server: Server) -> None:
    set_rule(Mode.APPROVE)
    says(server, "Hello, thank you. We will get back to you.")
    writes()
    assert Endpoint.objects.exists()
    assert KEY not in "".join(str(row) for row in Run.objects.values())
