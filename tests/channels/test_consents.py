"""Whether a lead may be written to: recorded on their page and over HTTP, shown, and heeded."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from channels.models import AddressStanding, ConsentRecord, Identity, Message
from channels.services import send_message
from channels.services.consent import mark_bounced, opt_in, opt_out, record_consent
from events.models import Event
from leads.models import Lead
from leads.timeline import timeline_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant, User
from tests.api.clients import api_of
from tests.channels.factories import make_reachable_lead
from tests.factories import make_tenant, make_user
from tests.web import HTMX, Browser, browser_of, page_of

ADDRESS = "ada@example.com"
ALLOWED = {"channel": "email", "address": ADDRESS, "basis": "consent", "words": "Said yes, 3 March"}
FORBIDDEN = {"channel": "email", "address": ADDRESS, "words": "Called us"}


@pytest.fixture
def lead(tenant: Tenant) -> Lead:
    return make_reachable_lead(ADDRESS, phone="+12025550101", name="Ada Lovelace")


@pytest.fixture
def rep(tenant: Tenant) -> User:
    return make_user(tenant, name="Grace")


@pytest.fixture
def browser(rep: User) -> Browser:
    return browser_of(rep)


def url(name: str, lead: Lead) -> str:
    return reverse(f"channels-consent:{name}", args=[lead.pk])


def may_market(lead: Lead) -> bool:
    """Whether marketing may go to the lead's mailbox."""
    try:
        send_message(lead, channel="email", body="Buy!", purpose="marketing")
    except ValidationError as refusal:
        if list(refusal.message_dict) != ["to_address"]:
            raise
        return False
    return True


# --- The page -----------------------------------------------------------------------------------


def test_consent_is_recorded_with_its_proof_and_heeded(
    browser: Browser, lead: Lead, rep: User
) -> None:
    assert not may_market(lead)
    assert browser.post(url("grant", lead), ALLOWED).status_code == 302
    record = ConsentRecord.objects.get()
    assert (record.decision, record.basis, record.source, record.actor, record.lead) == (
        "granted",
        "consent",
        "manual",
        rep,
        lead,
    )
    assert record.proof == {"words": "Said yes, 3 March"}
    assert may_market(lead)
    shown = page_of(browser.get(url("page", lead))).text
    for words in ("Said yes, 3 March", "Consent", "recorded by a colleague", "Grace"):
        assert words in shown


def test_withdrawal_is_recorded_and_heeded(browser: Browser, lead: Lead) -> None:
    browser.post(url("grant", lead), ALLOWED)
    browser.post(url("withdraw", lead), FORBIDDEN)
    assert not may_market(lead)
    with pytest.raises(ValidationError):
        send_message(lead, channel="email", body="Hello")
    assert send_message(lead, channel="whatsapp", body="Hello")
    assert ConsentRecord.objects.count() == 2
    text = page_of(browser.get(url("page", lead))).text
    assert "Opted out" in text
    assert "Called us" in text


def test_only_their_own_consent_takes_an_opt_out_back(browser: Browser, lead: Lead) -> None:
    browser.post(url("withdraw", lead), FORBIDDEN)
    refused = browser.post(url("grant", lead), {**ALLOWED, "basis": "legitimate_interest"})
    assert refused.status_code == 422
    assert "only their own consent" in page_of(refused).text
    assert not may_market(lead)
    browser.post(url("grant", lead), ALLOWED)
    assert may_market(lead)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"words": " "}, "words"),
        ({"basis": "because"}, "basis"),
        ({"address": "eve@example.com"}, "address"),
        ({"channel": "pigeon"}, "channel"),
        ({"channel": "whatsapp"}, "address"),
        ({"address": "%s%d@example.com"}, "address"),
    ],
)
def test_what_cannot_be_recorded_is_said(
    browser: Browser, lead: Lead, change: dict[str, str], field: str
) -> None:
    response = browser.post(url("grant", lead), {**ALLOWED, **change})
    assert response.status_code == 422
    page = page_of(response)
    assert "needs your attention" in page.text
    assert not ConsentRecord.objects.exists()
    assert not AddressStanding.objects.exists()
    given: dict[str, Any] = {**ALLOWED, **change}
    with pytest.raises(ValidationError) as refusal:
        record_consent(lead, decision="granted", **given)
    assert list(refusal.value.message_dict) == [field]


def test_bounced_address_is_used_again(browser: Browser, lead: Lead) -> None:
    mark_bounced(lead, channel="email", address=ADDRESS, hard=True, reason="550 <no> such user")
    assert "550 <no> such user" in page_of(browser.get(url("page", lead))).text
    with pytest.raises(ValidationError):
        send_message(lead, channel="email", body="Hello")
    browser.post(url("use-again", lead), {"channel": "email", "address": ADDRESS})
    assert send_message(lead, channel="email", body="Hello")


def test_another_leads_bounce_is_not_forgotten(browser: Browser, lead: Lead) -> None:
    other = make_reachable_lead("bob@example.com")
    mark_bounced(other, channel="email", address="bob@example.com", hard=True, reason="550")
    given = {"channel": "email", "address": "bob@example.com"}
    response = browser.post(url("use-again", lead), given, follow=True)
    assert "none of the lead's addresses" in page_of(response).text
    assert AddressStanding.objects.get().bounced_at


def test_record_stays_with_the_address_when_a_lead_is_gone(browser: Browser, lead: Lead) -> None:
    opt_out(lead, channel="email", address=ADDRESS, source="keyword", proof={"words": "STOPP"})
    lead.delete()
    again = make_reachable_lead(ADDRESS)
    assert not may_market(again)
    text = page_of(browser.get(url("page", again))).text
    assert "STOPP" in text
    assert "by a word such as STOP" in text


def test_lead_whose_address_the_vendor_hides_can_opt_out(browser: Browser, tenant: Tenant) -> None:
    from channels.models import Account

    lead = make_reachable_lead()
    account = Account.objects.get(channel="whatsapp")
    Identity.objects.create(account=account, external_id="US.1349", lead=lead)
    given = {"channel": "whatsapp", "address": "US.1349"}
    assert "US.1349" in page_of(browser.get(url("page", lead))).text
    assert browser.post(url("withdraw", lead), given).status_code == 302
    assert AddressStanding.objects.get().opted_out_at


def test_leads_page_says_it_in_a_few_words(browser: Browser, lead: Lead) -> None:
    page = page_of(browser.get(reverse("leads:detail", args=[lead.pk])))
    fetched = [e for e in page.all("div") if e.get("id") == "consent-summary"]
    assert fetched[0]["hx-get"] == url("page", lead)
    assert "opted out" not in page_of(browser.get(url("page", lead), headers=HTMX)).text
    opt_out(lead, channel="whatsapp", address="+12025550101", source="vendor")
    assert "WhatsApp: opted out" in page_of(browser.get(url("page", lead), headers=HTMX)).text


def test_page_takes_the_same_queries_whatever_its_length(
    browser: Browser, lead: Lead, rep: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        opt_in(lead, channel="email", address=ADDRESS, basis="consent", source="import", actor=rep)
    with django_assert_max_num_queries(13):
        browser.get(url("page", lead))


# --- The timeline -------------------------------------------------------------------------------


def test_timeline_tells_it_in_words(lead: Lead, rep: User) -> None:
    opt_out(lead, channel="email", address=ADDRESS, source="unsubscribe_link")
    record_consent(lead, decision="granted", actor=rep, **ALLOWED)
    mark_bounced(lead, channel="email", address=ADDRESS, hard=False, reason="452 full")
    mark_bounced(lead, channel="email", address=ADDRESS, hard=True, reason="550 unknown")
    told = {str(entry.words.text): entry.words for entry in timeline_of(lead).entries}
    opted_out = told["<b>Opted out</b> · E-mail, by the link in a mail"]
    assert (opted_out.tone, opted_out.is_done_by_us) == ("lost", False)
    opted_in = told["<b>May be written to</b> · E-mail, recorded by a colleague"]
    assert (opted_in.mark, opted_in.is_done_by_us) == ("Consent", True)
    assert told["<b>A message bounced</b> · E-mail"].problem == "452 full"
    assert told["<b>Address bounced</b> · E-mail"].problem == "550 unknown"


# --- The API ------------------------------------------------------------------------------------


def test_api_records_and_lists(lead: Lead, tenant: Tenant) -> None:
    api = api_of(tenant)
    path = f"/api/leads/{lead.pk}/consents"
    made = api.post(path, {**ALLOWED, "decision": "granted"})
    assert made.status_code == 201
    body = made.json()
    assert (body["decision"], body["basis"], body["source"]) == ("granted", "consent", "api")
    assert (body["proof"], body["actor"]) == ({"words": "Said yes, 3 March"}, None)
    assert body["created_at"]
    api.post(path, {"channel": "email", "address": ADDRESS, "decision": "withdrawn"})
    assert [row["decision"] for row in api.results(path)] == ["withdrawn", "granted"]
    assert not may_market(lead)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"channel": "pigeon"}, "channel"),
        ({"address": "eve@example.com"}, "address"),
        ({"decision": "maybe"}, "decision"),
        ({"basis": "because"}, "basis"),
        ({"basis": None}, "basis"),
        ({"words": ""}, "words"),
        ({"words": "x" * 2001}, "words"),
        ({"source": "keyword"}, "source"),
        ({"proof": {}}, "proof"),
    ],
)
def test_api_names_the_wrong_field_and_records_nothing(
    lead: Lead, tenant: Tenant, change: dict[str, Any], field: str
) -> None:
    given = {**ALLOWED, "decision": "granted", **change}
    answer = api_of(tenant).post(f"/api/leads/{lead.pk}/consents", given)
    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == [field]
    assert not ConsentRecord.objects.exists()


def test_basis_is_needed_for_what_is_allowed(lead: Lead, tenant: Tenant) -> None:
    given = {"channel": "email", "address": ADDRESS, "decision": "granted", "words": "Yes"}
    answer = api_of(tenant).post(f"/api/leads/{lead.pk}/consents", given)
    assert list(answer.json()["error"]["fields"]) == ["basis"]


def test_nobody_records_for_another_teams_lead(browser: Browser, tenant: Tenant) -> None:
    with tenant_context(make_tenant()):
        theirs = make_reachable_lead(ADDRESS, name="Secret")
    for name, given in (("grant", ALLOWED), ("withdraw", FORBIDDEN), ("use-again", FORBIDDEN)):
        assert browser.post(url(name, theirs), given).status_code == 404
    assert browser.get(url("page", theirs)).status_code == 404
    path = f"/api/leads/{theirs.pk}/consents"
    assert api_of(tenant).post(path, {**ALLOWED, "decision": "granted"}).status_code == 404
    assert api_of(tenant).get(path).status_code == 404
    assert not ConsentRecord.unscoped.exists()


def test_opt_out_of_one_team_is_not_that_of_another(lead: Lead) -> None:
    opt_out(lead, channel="email", address=ADDRESS, source="manual")
    with tenant_context(make_tenant()):
        theirs = make_reachable_lead(ADDRESS)
        assert send_message(theirs, channel="email", body="Hello")


@pytest.mark.django_db(transaction=True)
def test_opt_out_after_queueing_stops_the_message(
    settle_events: Callable[[], int], lead: Lead
) -> None:
    message = send_message(lead, channel="email", body="Hello")
    record_consent(lead, decision="withdrawn", channel="email", address=ADDRESS)
    settle_events()
    assert Message.objects.get(pk=message.pk).status == "failed"
    assert Event.objects.filter(type="contact.opted_out").count() == 1
