"""Who gave a conversation to whom, and who was done with it: events, and lines in its thread."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from channels.models import Channel, Conversation
from channels.payloads import (
    ConversationAssigned,
    ConversationClosed,
    ConversationReopened,
    ConversationSnoozed,
)
from channels.services.conversations import (
    assign_conversation,
    close_conversation,
    reopen_conversation,
    snooze_conversation,
    wake_conversations,
)
from channels.threads import thread_of
from events.models import Event
from events.testing import assert_published, capture_events, published
from leads.services import add_note
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant, User
from tests.api.clients import api_of
from tests.channels.factories import make_inbound_message, make_reachable_lead
from tests.channels.inbox_factories import make_conversation, make_whatsapp
from tests.factories import make_tenant, make_user
from tests.web import HTMX, Browser, page_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def ben(tenant: Tenant) -> User:
    """A colleague."""
    return make_user(tenant, name="Ben Okri")


def press(browser: Browser, row: Conversation, verb: str, **given: Any) -> None:
    """Press a button above the thread."""
    answer = browser.post(reverse(f"inbox:{verb}", args=[row.pk]), given, headers=HTMX)
    assert answer.status_code == 200


def lines_of(browser: Browser, row: Conversation) -> str:
    """The thread as people read it."""
    text = page_of(browser.get(reverse("inbox:conversation", args=[row.pk]))).text
    return " ".join(text.split())


def test_an_assignment_tells_who_had_it_and_who_has_it(
    browser: Browser, rep: User, ben: User
) -> None:
    row = make_conversation()
    press(browser, row, "assign", assignee=rep.pk)
    press(browser, row, "assign", assignee=ben.pk)
    press(browser, row, "assign", assignee="")
    told = [
        (e.payload["from_assignee_id"], e.payload["assignee_id"], e.payload["assignee"], e.actor)
        for e in published(ConversationAssigned)
    ]
    assert told == [
        (None, rep.pk, "Ada Lovelace", rep),
        (rep.pk, ben.pk, "Ben Okri", rep),
        (ben.pk, None, "", rep),
    ]
    event = published(ConversationAssigned)[0]
    assert (event.subject_type, event.subject_id) == ("lead", row.lead_id)
    assert event.payload["conversation_id"] == str(row.pk)


def test_closing_snoozing_and_opening_are_events(tenant: Tenant) -> None:
    row, until = make_conversation(), timezone.now() + timedelta(days=1)
    snooze_conversation(row, until)
    close_conversation(row)
    reopen_conversation(row)
    assert_published(ConversationSnoozed, conversation_id=row.pk, until=until)
    assert_published(ConversationClosed, conversation_id=row.pk)
    assert_published(ConversationReopened, conversation_id=row.pk)


def test_what_changes_nothing_is_no_event(tenant: Tenant, ben: User) -> None:
    row, until = make_conversation(), timezone.now() + timedelta(days=1)
    with capture_events() as events:
        reopen_conversation(row)
        assign_conversation(row, None)
    assert events == []
    with capture_events() as events:
        for _number in range(2):
            assign_conversation(row, ben)
            snooze_conversation(row, until)
        snooze_conversation(row, until + timedelta(hours=1))
        for _number in range(2):
            close_conversation(row)
    assert [event.type for event in events] == [
        "conversation.assigned",
        "conversation.snoozed",
        "conversation.snoozed",
        "conversation.closed",
    ]


def test_what_was_refused_is_no_event(tenant: Tenant) -> None:
    row, other = make_conversation(), make_tenant()
    with tenant_context(other):
        stranger = make_user(other)
    with capture_events() as events:
        with pytest.raises(ValidationError):
            assign_conversation(row, stranger)
        with pytest.raises(ValidationError):
            snooze_conversation(row, timezone.now() - timedelta(days=1))
    assert events == []


def test_what_opens_by_itself_is_told_by_what_opened_it(tenant: Tenant) -> None:
    closed, snoozed = make_conversation(), make_conversation()
    close_conversation(closed)
    snooze_conversation(snoozed, timezone.now() + timedelta(days=1))
    Conversation.objects.filter(pk=snoozed.pk).update(snoozed_until=timezone.now())
    make_inbound_message(closed.lead)
    assert wake_conversations() == 1
    assert published(ConversationReopened) == []
    assert set(Conversation.objects.values_list("state", flat=True)) == {"open"}


def test_whoever_answers_first_takes_it_over(browser: Browser, rep: User) -> None:
    row = make_conversation()
    form = {"channel": "email", "mode": "email", "place": "inbox", "body": "Hi", "then": "close"}
    answer = browser.post(reverse("channels:composer", args=[row.lead_id]), form, headers=HTMX)
    assert answer.status_code == 200
    assert_published(ConversationAssigned, assignee_id=rep.pk)
    assert_published(ConversationClosed)


def test_the_thread_says_who_did_what(browser: Browser, rep: User, ben: User) -> None:
    row = make_conversation()
    press(browser, row, "assign", assignee=rep.pk)
    assert "Ada Lovelace took this over" in lines_of(browser, row)
    press(browser, row, "assign", assignee=ben.pk)
    press(browser, row, "snooze", until="2099-01-01T08:00")
    press(browser, row, "close")
    press(browser, row, "reopen")
    press(browser, row, "assign", assignee="")
    text = lines_of(browser, row)
    said = [
        "Ada Lovelace gave this to Ben Okri",
        "Ada Lovelace snoozed this until 01/01/2099",
        "Ada Lovelace closed this",
        "Ada Lovelace opened this again",
        "Ada Lovelace assigned this to nobody",
    ]
    places = [text.index(line) for line in said]
    assert places == sorted(places), "in their order"


def test_the_thread_of_another_channel_says_nothing_of_it(browser: Browser, rep: User) -> None:
    message = make_whatsapp()
    other = make_inbound_message(message.lead).conversation
    press(browser, other, "assign", assignee=rep.pk)
    assert "took this over" in lines_of(browser, other)
    assert "took this over" not in lines_of(browser, message.conversation)


def test_what_a_program_did_was_somebody(browser: Browser, tenant: Tenant, ben: User) -> None:
    row = make_conversation()
    answer = api_of(tenant).patch(f"/api/conversations/{row.pk}", {"assignee": ben.email})
    assert answer.status_code == 200
    assert "Somebody gave this to Ben Okri" in lines_of(browser, row)


def test_names_are_never_markup_nor_templates(browser: Browser, tenant: Tenant) -> None:
    row, eve = make_conversation(), make_user(tenant, name="<b>Eve</b> {who} {0}")
    press(browser, row, "assign", assignee=eve.pk)
    html = browser.get(reverse("inbox:conversation", args=[row.pk])).content.decode()
    assert "gave this to &lt;b&gt;Eve&lt;/b&gt; {who} {0}" in html
    html = browser.get(reverse("leads:timeline", args=[row.lead_id])).content.decode()
    assert "assigned to <b>&lt;b&gt;Eve&lt;/b&gt; {who} {0}</b>" in html


def test_the_timeline_says_it_with_the_channel(browser: Browser, rep: User, ben: User) -> None:
    row = make_conversation()
    press(browser, row, "assign", assignee=ben.pk)
    press(browser, row, "assign", assignee="")
    press(browser, row, "snooze", until="2099-01-01T08:00")
    press(browser, row, "close")
    press(browser, row, "reopen")
    page = page_of(browser.get(reverse("leads:timeline", args=[row.lead_id])))
    text = " ".join(page.text.split())
    for line in (
        "Ada Lovelace · Conversation assigned to Ben Okri · E-mail",
        "Conversation assigned to nobody · E-mail",
        "Conversation snoozed until 01/01/2099 8 a.m. · E-mail",
        "Conversation closed · E-mail",
        "Conversation opened again · E-mail",
    ):
        assert line in text


def test_a_poll_brings_what_a_colleague_did(browser: Browser, ben: User) -> None:
    row = make_conversation()
    page = browser.get(reverse("inbox:conversation", args=[row.pk]))
    asked = {"lead": str(row.lead_id), "on": "email", "pulse": page.context["pulse"]}
    assert browser.get(reverse("inbox:pulse"), asked).status_code == 204
    assign_conversation(row, ben)
    answer = browser.get(reverse("inbox:pulse"), asked)
    assert "gave this to Ben Okri" in page_of(answer).text
    again = browser.get(reverse("inbox:conversation", args=[row.pk]))
    asked["pulse"] = again.context["pulse"]
    assert browser.get(reverse("inbox:pulse"), asked).status_code == 204, "it is not news twice"


def test_what_was_done_meanwhile_holds_no_answer_back(browser: Browser, ben: User) -> None:
    row = make_conversation()
    address = reverse("channels:composer", args=[row.lead_id])
    place = {"channel": "email", "mode": "email", "place": "inbox"}
    opened = browser.get(address, place, headers=HTMX)
    form = place | {name: opened.context[name] for name in ("key", "seen")}
    assign_conversation(row, ben)
    reopened = browser.get(address, place, headers=HTMX)
    assert reopened.context["seen"] == form["seen"]
    assert browser.post(address, form | {"body": "Hi"}, headers=HTMX).status_code == 200


def test_nothing_falls_between_two_pages_of_a_thread(browser: Browser, rep: User) -> None:
    lead, start = make_reachable_lead(), timezone.now() - timedelta(days=2)
    for number in range(35):
        at = start + timedelta(minutes=number)
        make_inbound_message(lead, body=f"message {number:02}", received_at=at)
    row = Conversation.objects.get()
    # Between the last message of the earlier page and the first of the later one.
    between = start + timedelta(minutes=4, seconds=30)
    note = add_note(lead, "a note between")
    type(note).objects.filter(pk=note.pk).update(created_at=between)
    assign_conversation(row, rep)
    Event.objects.filter(type="conversation.assigned").update(occurred_at=between)
    later = browser.get(reverse("channels:thread", args=[lead.pk]), headers=HTMX)
    text = page_of(later).text
    assert "message 05" in text
    assert "a note between" not in text
    assert "gave this to" not in text
    asked = {"channel": "email", "after": later.context["thread"].earlier}
    text = page_of(browser.get(reverse("channels:earlier", args=[lead.pk]), asked)).text
    assert "message 04" in text
    assert "a note between" in text
    assert "Somebody gave this to Ada Lovelace" in text


def test_events_of_before_are_left_to_their_page(tenant: Tenant, rep: User) -> None:
    lead, start = make_reachable_lead(), timezone.now() - timedelta(days=2)
    for number in range(31):
        make_inbound_message(lead, received_at=start + timedelta(minutes=number))
    assign_conversation(Conversation.objects.get(), rep)
    Event.objects.filter(type="conversation.assigned").update(occurred_at=start)
    assert not any(entry.event for entry in thread_of(lead, Channel.EMAIL, rep).entries)
