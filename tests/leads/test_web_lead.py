"""The page of a lead: what it shows, and what its timeline tells."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from channels.models import MessageStatus
from channels.services import send_message
from events import Draft, publish_many
from events.models import Event, EventStatus
from leads import services
from leads.models import Lead
from leads.payloads import LeadMerged
from leads.timeline import PAGE_SIZE, timeline_of
from salesflow.accounts.models import Membership, Tenant, User
from tests.channels.factories import make_inbound_message, make_message, make_reachable_lead
from tests.factories import make_user
from tests.leads.factories import make_lead, stage_called
from tests.web import HTMX, browser_of, page_of


def url(name: str, lead: Lead) -> str:
    """The address of one of the lead's pages."""
    return reverse(f"leads:{name}", args=[lead.pk])


def told(lead: Lead) -> list[str]:
    """The sentences of the lead's timeline, the last first."""
    return [str(entry.words.text) for entry in timeline_of(lead).entries]


def test_page_shows_what_is_known(browser: Client, rep: User) -> None:
    lead = make_lead(
        name="Ada <Byron>",
        company="Engines & Co",
        owner=rep,
        value="1234.50",
        currency="EUR",
        emails=["ada@example.com"],
        phones=["+49 30 18301800"],
        tags=["vip guest"],
        custom_fields={"Industry": "Steam"},
    )
    text = page_of(browser.get(url("detail", lead))).text
    for shown in (
        "Ada <Byron>",
        "Engines & Co",
        "Ada Lovelace",
        "ada@example.com",
        "+49 30 18301800",
    ):
        assert shown in text
    for shown in ("vip guest", "Industry", "Steam", "EUR"):
        assert shown in text


def test_timeline_tells_dates_as_people_read_them(tenant: Tenant) -> None:
    lead = services.win_lead(make_lead(created_at=datetime(2026, 3, 1, tzinfo=UTC)))
    lead.closed_at = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
    lead.save()
    [change] = timeline_of(lead).entries[0].words.changes
    assert (change.label, change.new) == ("Closed", "03/04/2026 3:30 p.m.")


def test_timeline_tells_what_happened_who_did_it_and_from_what_to_what(
    browser: Client, rep: User
) -> None:
    browser.post(reverse("leads:create"), {"name": "Ada", "currency": "USD", **in_stage("New")})
    lead = Lead.objects.get()
    browser.post(url("move", lead), {"stage": stage_called("Qualified").pk})
    browser.post(url("assign", lead), {"owner": rep.pk})
    browser.post(url("note", lead), {"body": "Likes engines"})
    browser.post(url("win", lead))
    assert told(lead) == [
        "<b>Deal won</b>",
        "Stage changed",
        "Note",
        "Assigned to <b>Ada Lovelace</b>",
        "Stage changed",
        "Lead created from <b>manual</b>",
    ]
    text = " ".join(page_of(browser.get(url("timeline", lead), headers=HTMX)).text.split())
    assert "Ada Lovelace · Stage changed: New Qualified" in text
    assert "Likes engines" in text


def in_stage(name: str) -> dict[str, Any]:
    """What a form posts to choose a stage."""
    return {"stage": str(stage_called(name).pk)}


def test_edits_are_told_field_by_field(tenant: Tenant) -> None:
    lead = make_lead(name="Ada", value=10, tags=["a"], custom_fields={"Size": "S", "Old": 1})
    services.edit_lead(
        lead,
        name="Ada B.",
        value=12345,
        tags=["a", "b"],
        custom_fields={"Size": "M", "Old": 1},
        emails=["ada@example.com"],
    )
    changes = {
        change.label: (change.old, change.new)
        for entry in timeline_of(lead).entries
        for change in entry.words.changes
    }
    assert changes == {
        "Name": ("Ada", "Ada B."),
        "Value": ("10", "12,345"),
        "Tags": ("a", "a, b"),
        "Size": ("S", "M"),
        "E-mail addresses": ("–", "ada@example.com"),
    }


def test_a_loss_and_a_reopened_deal_are_told(tenant: Tenant) -> None:
    lead = make_lead(value=500, currency="EUR")
    services.lose_lead(lead, reason="Too expensive")
    services.move_lead(lead, stage_called("New"))
    services.assign_lead(services.assign_lead(lead, make_user(tenant)), None)
    entries = timeline_of(lead).entries
    assert entries[0].words.text == "Assigned to nobody"
    lost = next(entry.words for entry in entries if entry.event.type == "lead.lost")
    assert lost.text == "<b>Deal lost</b> · 500 EUR"
    assert lost.quote
    assert lost.quote.text == "Too expensive"


def test_messages_are_told_once_they_are_on_their_way(settle_events: Any, tenant: Tenant) -> None:
    lead = make_reachable_lead()
    message = make_message(lead, subject="Hello", body="How are you?")
    assert told(lead)[0] == "<b>Message queued</b> · E-mail"
    settle_events()
    make_inbound_message(lead, body="Fine")
    received, sent, *_ = timeline_of(lead).entries
    assert "Message received" in received.words.text
    assert received.words.quote
    assert received.words.quote.is_theirs
    assert "Message sent" in sent.words.text
    assert sent.words.quote
    assert sent.words.quote.title == "Hello"
    assert "queued" not in " ".join(told(lead))
    message.refresh_from_db()
    assert message.status == MessageStatus.SENT


def test_what_people_wrote_is_never_markup(browser: Client) -> None:
    lead = make_lead(name="<script>x</script>", source="<b>fair</b>")
    services.add_note(lead, "<img src=x onerror=alert(1)>")
    services.edit_lead(lead, company="<i>Acme</i>", custom_fields={"<u>k</u>": "<u>v</u>"})
    html = browser.get(url("detail", lead)).content.decode()
    for markup in ("<script>x", "<b>fair", "<img src=x", "<i>Acme", "<u>"):
        assert markup not in html


def test_an_event_that_nobody_describes_is_shown_by_its_name(tenant: Tenant) -> None:
    lead = make_lead()
    Event.objects.filter(subject_id=lead.pk).update(type="tea.served")
    assert told(lead) == ["tea.served"]


def test_merges_are_told(tenant: Tenant) -> None:
    lead = make_lead()
    payload = LeadMerged(lead_id=lead.pk, merged_lead_id=uuid4(), merged_name="Ada & Co")
    publish_many([Draft(payload)])
    assert told(lead)[0] == "Merged with <b>Ada &amp; Co</b>"


@pytest.mark.parametrize("role", ["rep", "manager", "admin"])
def test_only_who_leads_is_told_what_failed(tenant: Tenant, role: str) -> None:
    lead = make_lead()
    Event.objects.update(status=EventStatus.FAILED, error_message="no such table")
    viewer = browser_of(make_user(tenant, Membership.Role(role)))
    html = viewer.get(url("detail", lead)).content.decode()
    assert ("no such table" in html) == (role != "rep")
    assert "/admin/" not in html


def test_staff_can_go_from_the_failure_to_its_replay(tenant: Tenant) -> None:
    lead = make_lead()
    Event.objects.update(status=EventStatus.FAILED)
    viewer = browser_of(make_user(tenant, is_staff=True))
    event = Event.objects.get()
    html = viewer.get(url("detail", lead)).content.decode()
    assert reverse("admin:events_event_change", args=[event.pk]) in html


def test_timeline_asks_again_only_while_something_is_pending(browser: Client) -> None:
    lead = make_lead()
    assert "every 3s" in browser.get(url("detail", lead)).content.decode()
    Event.objects.update(status=EventStatus.PROCESSED)
    assert "every 3s" not in browser.get(url("detail", lead)).content.decode()


def test_timeline_goes_back_page_by_page(browser: Client) -> None:
    lead = make_lead()
    for number in range(PAGE_SIZE + 5):
        services.add_note(lead, f"Note {number}")
    first = timeline_of(lead)
    assert len(first.entries) == PAGE_SIZE
    query = {"after": str(first.after)}
    part = page_of(browser.get(url("timeline", lead), query, headers=HTMX)).text
    assert "Note 5" not in part
    for shown in ("Note 4", "Note 0", "Lead created"):
        assert shown in part
    whole = page_of(browser.get(url("timeline", lead), query))
    assert "Note 4" in whole.text
    assert whole.all("main")


def test_page_costs_the_same_however_much_happened(
    browser: Client, django_assert_num_queries: Any
) -> None:
    lead = make_reachable_lead(phone="+49 30 18301800")
    send_message(lead, channel="email", body="One")
    # Session, user, tenant; lead, contact points, stages; tasks, meetings; events, messages.
    with django_assert_num_queries(11):
        browser.get(url("detail", lead))
    for number in range(5):
        send_message(lead, channel="email", body=f"{number}")
        services.add_note(lead, f"{number}")
        services.add_task(lead, title=f"{number}", assignee=make_user(lead.tenant))
        services.book_meeting(lead, title=f"{number}", starts_at=timezone.now())
    with django_assert_num_queries(11):
        browser.get(url("detail", lead))


def test_back_leads_to_the_list_as_it_was_left(browser: Client) -> None:
    lead = make_lead()
    came_from = f"http://testserver{reverse('leads:list')}?q=ada&sort=name"
    response = browser.get(url("detail", lead), headers={"Referer": came_from})
    assert response.context["back_url"] == f"{reverse('leads:list')}?q=ada&sort=name"
    response = browser.get(
        url("detail", lead), headers={"Referer": "http://elsewhere.example/leads"}
    )
    assert response.context["back_url"] == ""
