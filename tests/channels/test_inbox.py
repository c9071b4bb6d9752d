"""The inbox: what it lists, how it is narrowed, and what it asks of the database."""

from copy import copy
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, models
from django.urls import reverse
from django.utils import timezone

from channels.forms import SnoozeForm
from channels.inbox import unread_count
from channels.models import Channel, Conversation, Message
from channels.queries import messages_told_of
from channels.services.conversations import (
    assign_conversation,
    close_conversation,
    note_replying,
    snooze_conversation,
    wake_conversations,
)
from channels.snoozing import snooze_choices
from events.models import Event
from leads.services import add_note
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant, User
from tests.channels.factories import make_inbound_message, make_message, make_reachable_lead
from tests.channels.inbox_factories import make_conversation, make_whatsapp, with_window
from tests.factories import make_tenant, make_user
from tests.web import HTMX, Browser, page_of

pytestmark = pytest.mark.django_db


def listed(browser: Browser, query: str = "") -> list[str]:
    """The names in the list, from top to bottom."""
    answer = browser.get(f"{reverse('inbox:list')}{query}")
    assert answer.status_code == 200
    page_of(answer)
    return [row.conversation.lead.name for row in answer.context["rows"]]


def test_the_last_active_conversation_stands_first(browser: Browser) -> None:
    first, second = make_reachable_lead(name="First"), make_reachable_lead(name="Second")
    make_conversation(first)
    make_conversation(second)
    assert listed(browser) == ["Second", "First"]
    make_message(first)
    assert listed(browser) == ["First", "Second"]


def test_reading_and_assigning_move_nothing(browser: Browser, rep: User) -> None:
    old = make_conversation(make_reachable_lead(name="Old"))
    make_conversation(make_reachable_lead(name="New"))
    browser.get(reverse("inbox:conversation", args=[old.pk]))
    browser.post(reverse("inbox:assign", args=[old.pk]), {"assignee": rep.pk})
    assert listed(browser) == ["New", "Old"]


def test_views_states_channels_assignees_and_unread_narrow_the_list(
    browser: Browser, rep: User, tenant: Tenant
) -> None:
    ben = make_user(tenant, name="Ben")
    rows = {name: make_conversation(make_reachable_lead(name=name)) for name in "abcde"}
    assign_conversation(rows["a"], rep)
    assign_conversation(rows["b"], ben)
    close_conversation(rows["c"])
    snooze_conversation(rows["d"], timezone.now() + timedelta(days=1))
    make_whatsapp(name="w")
    Conversation.objects.filter(pk=rows["e"].pk).update(unread=0)
    assert listed(browser) == ["w", "e", "b", "a"]
    assert listed(browser, "?view=mine") == ["a"]
    assert listed(browser, "?view=unassigned") == ["w", "e"]
    assert listed(browser, f"?assignee={ben.pk}") == ["b"]
    assert listed(browser, "?state=closed") == ["c"]
    assert listed(browser, "?state=snoozed") == ["d"]
    assert listed(browser, "?state=any") == ["w", "e", "d", "c", "b", "a"]
    assert listed(browser, "?channel=whatsapp") == ["w"]
    assert listed(browser, "?unread=on") == ["w", "b", "a"]
    assert listed(browser, "?channel=pigeon&state=odd&assignee=x") == ["w", "e", "b", "a"]


@pytest.mark.parametrize(
    "words",
    ["hopper", "GRACE", "remington", "grace@navy", "+4930901", "compil", "shall meet", "Re: engin"],
)
def test_a_search_finds_people_and_what_they_wrote_in_any_state(
    browser: Browser, words: str
) -> None:
    make_conversation(make_reachable_lead(name="Alan Turing"), body="Nothing of the kind")
    grace = make_reachable_lead(
        "grace@navy.example.com",
        phone="+4930901820",
        name="Grace Hopper",
        company="Remington Rand",
    )
    row = make_conversation(grace, subject="Re: engines", body="Shall we meet about compilers?")
    close_conversation(row)
    assert listed(browser, f"?q={words.replace('+', '%2B')}") == ["Grace Hopper"]
    assert listed(browser, "?q=grace&state=open") == []


def test_a_search_finds_short_words_whole(browser: Browser) -> None:
    lead = make_reachable_lead("grace@example.com", name="Grace")
    make_conversation(lead, body="Shall we meet at 4 or at 16?")
    assert listed(browser, "?q=4") == listed(browser, "?q=at+16") == ["Grace"]
    assert listed(browser, "?q=sha") == ["Grace"]
    assert listed(browser, "?q=sh") == listed(browser, "?q=1") == []


@pytest.mark.parametrize("words", ["'", "\\", "!!!", ":*", "a & | !b", "''x", "(", "<->"])
def test_a_search_for_signs_finds_nothing_and_breaks_nothing(browser: Browser, words: str) -> None:
    make_conversation()
    answer = browser.get(reverse("inbox:list"), {"q": words})
    assert answer.status_code == 200


def test_a_search_uses_the_index_of_its_words(tenant: Tenant) -> None:
    from channels.inbox import Wanted, wanted_rows

    first = make_inbound_message()
    copies = [copy(first) for _number in range(500)]
    for number, row in enumerate(copies):
        row.id, row.body = uuid7(), f"word{number}"
    silently: Any = models.QuerySet(Message)
    silently.bulk_create(copies)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE channels_message; SET LOCAL enable_seqscan = off")
    rows = wanted_rows(Wanted(state="any", words="word77"), make_user(tenant))
    assert "message_search" in rows.explain()


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({}, "conversation_inbox"),
        ({"state": "any"}, "conversation_by_activity"),
        ({"view": "mine"}, "conversation_by_assignee"),
        ({"channel": "email"}, "conversation_by_channel"),
        ({"unread": True, "state": "any"}, "conversation_unread"),
    ],
)
def test_each_list_is_read_in_the_order_of_an_index(
    tenant: Tenant, query: dict[str, Any], index: str
) -> None:
    from channels.inbox import LAST_FIRST, Wanted, wanted_rows

    make_conversation()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
    rows = LAST_FIRST.apply(wanted_rows(Wanted(**query), make_user(tenant)))
    plan = rows.select_related(None)[:30].explain()
    assert index in plan
    assert "Sort" not in plan


def test_the_page_costs_the_same_whatever_it_shows(
    browser: Browser, rep: User, django_assert_num_queries: Any
) -> None:
    row = make_conversation()
    address = reverse("inbox:conversation", args=[row.pk])
    browser.get(address)
    with django_assert_num_queries(26):
        browser.get(address)
    for number in range(6):
        other = make_conversation()
        assign_conversation(other, rep)
        note_replying(other, make_user(row.tenant, name=f"Colleague {number}"))
        make_message(row.lead, body="Hello")
        make_inbound_message(row.lead)
        add_note(row.lead, "Good to know")
    browser.get(address)
    with django_assert_num_queries(26):
        browser.get(address)


def test_a_quiet_poll_costs_little_and_says_nothing(
    browser: Browser, django_assert_num_queries: Any
) -> None:
    row = make_conversation()
    Conversation.objects.update(changed_at=timezone.now() - timedelta(hours=1))
    page = browser.get(reverse("inbox:conversation", args=[row.pk]))
    Conversation.objects.update(changed_at=timezone.now() - timedelta(hours=1))
    page = browser.get(reverse("inbox:conversation", args=[row.pk]))
    asked = {
        "list_version": page.context["list_version"],
        "since": page.context["since"],
        "lead": row.lead_id,
        "on": row.channel,
        "pulse": page.context["pulse"],
    }
    with django_assert_num_queries(8):
        answer = browser.get(reverse("inbox:pulse"), asked)
    assert answer.status_code == 204


def test_a_poll_brings_the_rows_and_messages_that_are_new(browser: Browser) -> None:
    row = make_conversation(make_reachable_lead(name="Grace"))
    page = browser.get(reverse("inbox:conversation", args=[row.pk]))
    asked = {
        "list_version": page.context["list_version"],
        "since": page.context["since"],
        "lead": str(row.lead_id),
        "on": row.channel,
        "pulse": page.context["pulse"],
        "seen": page.context["thread"].seen,
        "place": "inbox",
        "visible": "1",
    }
    make_inbound_message(row.lead, body="Any news?")
    make_conversation(make_reachable_lead(name="Alan"))
    answer = browser.get(reverse("inbox:pulse"), asked)
    assert answer.status_code == 200
    text = page_of(answer).text
    assert "Any news?" in text
    assert "Alan" in text
    row.refresh_from_db()
    assert row.unread == 0, "what is on the screen has been read"


def test_a_poll_of_a_hidden_page_leaves_messages_unread(browser: Browser) -> None:
    row = make_conversation()
    asked = {"lead": str(row.lead_id), "on": row.channel, "pulse": "old", "place": "inbox"}
    assert browser.get(reverse("inbox:pulse"), asked).status_code == 200
    row.refresh_from_db()
    assert row.unread == 1


def test_a_poll_sees_what_was_committed_late(browser: Browser) -> None:
    page = browser.get(reverse("inbox:list"))
    row = make_conversation()
    # Its transaction began before the page was read.
    Conversation.objects.filter(pk=row.pk).update(changed_at=timezone.now() - timedelta(seconds=5))
    asked = {name: page.context[name] for name in ("list_version", "since")}
    assert browser.get(reverse("inbox:pulse"), asked).status_code == 200


def test_a_poll_counts_what_comes_in_beside_the_list_that_is_open(
    browser: Browser, tenant: Tenant
) -> None:
    page = browser.get(reverse("inbox:list") + "?view=mine")
    asked = {name: page.context[name] for name in ("list_version", "since")} | {"view": "mine"}
    assert browser.get(reverse("inbox:pulse"), asked).status_code == 204
    make_conversation()
    answer = browser.get(reverse("inbox:pulse"), asked)
    assert answer.status_code == 200
    assert 'data-part="inbox-badge">1<' in answer.content.decode()


def test_a_poll_shows_no_figure_once_all_was_read(browser: Browser, tenant: Tenant) -> None:
    conversation = make_conversation()
    page = browser.get(reverse("inbox:list"))
    asked = {name: page.context[name] for name in ("list_version", "since")}
    Conversation.objects.filter(pk=conversation.pk).update(unread=0, changed_at=timezone.now())
    answer = browser.get(reverse("inbox:pulse"), asked).content.decode()
    assert 'data-part="inbox-badge"><' in answer


def test_a_tick_does_not_read_what_was_marked_as_unread(browser: Browser) -> None:
    message = make_message()
    page = browser.get(reverse("inbox:conversation", args=[message.conversation_id]))
    asked = {"lead": str(message.lead_id), "on": "email", "pulse": "old", "visible": "1"}
    asked["seen"] = page.context["thread"].seen
    browser.post(reverse("inbox:unread", args=[message.conversation_id]), headers=HTMX)
    Message.objects.filter(pk=message.pk).update(status="sent")
    assert browser.get(reverse("inbox:pulse"), asked).status_code == 200
    assert Conversation.objects.get().unread == 1
    make_inbound_message(message.lead)
    assert browser.get(reverse("inbox:pulse"), asked).status_code == 200
    assert Conversation.objects.get().unread == 0


def test_why_a_message_waits_is_news_of_the_thread(browser: Browser) -> None:
    message = make_message()
    page = browser.get(reverse("inbox:conversation", args=[message.conversation_id]))
    asked = {"lead": str(message.lead_id), "on": "email", "pulse": page.context["pulse"]}
    Message.objects.filter(pk=message.pk).update(error="The server is busy.")
    answer = browser.get(reverse("inbox:pulse"), asked)
    assert "The server is busy." in answer.content.decode()


def test_a_status_that_changes_is_news_of_the_thread(browser: Browser) -> None:
    message = make_message()
    page = browser.get(reverse("inbox:conversation", args=[message.conversation_id]))
    asked = {"lead": str(message.lead_id), "on": "email", "pulse": page.context["pulse"]}
    assert browser.get(reverse("inbox:pulse"), asked).status_code == 204
    Message.objects.filter(pk=message.pk).update(status="sent")
    answer = browser.get(reverse("inbox:pulse"), asked)
    assert 'data-status="sent"' in answer.content.decode()


@pytest.mark.parametrize("asked", [{"lead": "x"}, {"since": "x", "list_version": ""}, {"on": "x"}])
def test_a_poll_that_makes_no_sense_is_answered(browser: Browser, asked: dict[str, str]) -> None:
    assert browser.get(reverse("inbox:pulse"), asked).status_code in (200, 204)


def test_pages_follow_each_other(browser: Browser) -> None:
    for number in range(32):
        make_conversation(make_reachable_lead(name=f"Lead {number:02}"))
    answer = browser.get(reverse("inbox:list"))
    older = browser.get(answer.context["older_url"])
    names = [row.conversation.lead.name for row in older.context["rows"]]
    assert names == ["Lead 01", "Lead 00"]
    newer = browser.get(older.context["newer_url"])
    assert len(newer.context["rows"]) == 30


def test_opening_marks_as_read_and_the_envelope_takes_it_back(browser: Browser) -> None:
    row = make_conversation()
    browser.get(reverse("inbox:conversation", args=[row.pk]))
    row.refresh_from_db()
    assert row.unread == 0
    browser.post(reverse("inbox:unread", args=[row.pk]), headers=HTMX)
    row.refresh_from_db()
    assert row.unread == 1


def test_the_navigation_counts_what_waits_for_me_or_for_nobody(
    browser: Browser, rep: User, tenant: Tenant
) -> None:
    mine, nobodys, bens, closed = (make_conversation() for _number in range(4))
    assign_conversation(mine, rep)
    assign_conversation(bens, make_user(tenant))
    close_conversation(closed)
    assert unread_count(rep) == "2"
    html = browser.get(reverse("leads:list")).content.decode()
    assert 'id="inbox-badge">2<' in html
    Conversation.objects.filter(pk=nobodys.pk).update(unread=0)
    assert unread_count(rep) == "1"


def test_a_conversation_is_assigned_snoozed_closed_and_opened(browser: Browser, rep: User) -> None:
    row = make_conversation()

    def press(verb: str, **given: Any) -> Conversation:
        answer = browser.post(reverse(f"inbox:{verb}", args=[row.pk]), given, headers=HTMX)
        assert answer.status_code == 200
        assert "thread-changed" in answer.headers["HX-Trigger"]
        row.refresh_from_db()
        return row

    assert press("assign", assignee=rep.pk).assignee == rep
    assert press("assign", assignee="").assignee is None
    assert press("close").state == "closed"
    assert press("reopen").state == "open"
    assert press("snooze", until="2099-01-01T08:00").state == "snoozed"
    assert timezone.localtime(row.snoozed_until).hour == 8
    Conversation.objects.update(snoozed_until=timezone.now())
    assert wake_conversations() == 1
    row.refresh_from_db()
    assert row.state == "open"


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-03-28T23:30:00+01:00", "2026-03-29T03:30+02:00"),
        ("2026-10-24T23:30:00+02:00", "2026-10-25T02:30+02:00"),
        ("2026-10-25T00:30:00+02:00", "2026-10-25T02:30+01:00"),
    ],
)
def test_three_hours_are_three_hours_when_the_clocks_are_changed(now: str, until: str) -> None:
    with timezone.override(ZoneInfo("Europe/Berlin")):
        choice = snooze_choices(datetime.fromisoformat(now))[0]
        form = SnoozeForm({"until": choice.value})
        assert form.is_valid(), form.errors
        assert choice.value == until
        assert form.cleaned_data["until"] == datetime.fromisoformat(now) + timedelta(hours=3)


@pytest.mark.parametrize(
    ("verb", "given"),
    [
        ("assign", {"assignee": "999999"}),
        ("assign", {"assignee": "x"}),
        ("snooze", {"until": "2001-01-01T08:00"}),
        ("snooze", {"until": "9999-12-31T23:59"}),
        ("snooze", {"until": "soon"}),
        ("snooze", {}),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    browser: Browser, verb: str, given: dict[str, str]
) -> None:
    row = make_conversation()
    answer = browser.post(reverse(f"inbox:{verb}", args=[row.pk]), given, headers=HTMX)
    assert "toast" in answer.content.decode()
    row.refresh_from_db()
    assert (row.state, row.assignee) == ("open", None)


def test_another_tenants_member_is_no_assignee(browser: Browser) -> None:
    row, other = make_conversation(), make_tenant()
    with tenant_context(other):
        stranger = make_user(other)
    browser.post(reverse("inbox:assign", args=[row.pk]), {"assignee": stranger.pk})
    row.refresh_from_db()
    assert row.assignee is None


@pytest.mark.parametrize("verb", ["conversation", "assign", "snooze", "close", "reopen", "unread"])
def test_another_tenants_conversation_is_not_found(browser: Browser, verb: str) -> None:
    other = make_tenant()
    with tenant_context(other):
        theirs = make_conversation(make_reachable_lead(name="Secret"))
    address = reverse(f"inbox:{verb}", args=[theirs.pk])
    given = {"assignee": "", "until": "2099-01-01T08:00"}
    assert 404 in {browser.get(address).status_code, browser.post(address, given).status_code}
    before = theirs.changed_at
    asked = {"lead": str(theirs.lead_id), "on": "email", "pulse": "", "list_version": ""}
    assert "Secret" not in browser.get(reverse("inbox:pulse"), asked).content.decode()
    with tenant_context(other):
        theirs.refresh_from_db()
    assert (theirs.changed_at, theirs.unread) == (before, 1)


def test_a_row_says_who_is_writing_and_when_the_window_closes(
    browser: Browser, tenant: Tenant
) -> None:
    with with_window():
        message = make_whatsapp(received_at=timezone.now() - timedelta(hours=23), name="Grace")
        note_replying(message.conversation, make_user(tenant, name="Ben Busy"))
        text = " ".join(page_of(browser.get(reverse("inbox:list"))).text.split())
    assert "Ben Busy is writing" in text
    assert "The window closes soon" in text
    assert message.channel == Channel.WHATSAPP


def test_a_timeline_reads_no_html_of_mails(tenant: Tenant) -> None:
    row = make_conversation(html="<p>Much</p>", body="Little")
    event = Event.objects.get(type="message.received")
    message = messages_told_of([event])[event.pk]
    assert message.body == "Little"
    assert "html" in message.get_deferred_fields()
    assert message.conversation_id == row.pk


def test_without_scripts_verbs_lead_back_to_the_conversation(browser: Browser) -> None:
    row = make_conversation()
    answer = browser.post(reverse("inbox:close", args=[row.pk]), {"query": "?view=mine"})
    assert answer.headers["Location"] == reverse("inbox:conversation", args=[row.pk]) + "?view=mine"
