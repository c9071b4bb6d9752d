"""What comes in from leads."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from channels.models import Conversation, Message, MessageStatus
from channels.queries import conversations, messages_of, messages_told_of, thread
from channels.services import mark_conversation_read
from channels.services.accounts import connect_account, default_account
from channels.testing import carried_by
from events.models import Event
from tests.channels.factories import (
    ScriptedTransport,
    make_inbound_message,
    make_message,
    make_reachable_lead,
)
from tests.factories import make_user

pytestmark = pytest.mark.usefixtures("tenant")


def test_message_is_kept_with_its_event() -> None:
    at = datetime(2024, 5, 6, 7, 8, tzinfo=UTC)
    message = make_inbound_message(body="Yes!", received_at=at)
    event = Event.objects.get(type="message.received")
    assert (message.status, message.body) == (MessageStatus.RECEIVED, "Yes!")
    assert (event.payload["message_id"], event.occurred_at) == (str(message.id), at)


def test_message_opens_its_conversation_and_counts_as_unread() -> None:
    lead = make_reachable_lead()
    make_message(lead)
    Conversation.objects.update(state=Conversation.State.CLOSED)
    make_inbound_message(lead)
    make_inbound_message(lead)
    conversation = Conversation.objects.get()
    assert (conversation.state, conversation.unread) == (Conversation.State.OPEN, 2)
    mark_conversation_read(conversation)
    assert Conversation.objects.get().unread == 0


def test_message_that_is_given_twice_comes_in_once() -> None:
    lead, other = make_reachable_lead(), make_reachable_lead()
    first = make_inbound_message(lead, vendor_id="wamid.1")
    again = make_inbound_message(lead, vendor_id="wamid.1")
    elsewhere = make_inbound_message(other, vendor_id="wamid.1")
    assert first == again == elsewhere
    assert Event.objects.filter(type="message.received").count() == 1
    assert Conversation.objects.get(lead=lead).unread == 1


def test_late_message_does_not_turn_back_the_conversation() -> None:
    lead = make_reachable_lead()
    newest = make_message(lead)
    make_inbound_message(lead, received_at=timezone.now() - timedelta(days=1))
    assert Conversation.objects.get().last_message_at == newest.created_at


def test_null_characters_are_left_out() -> None:
    assert make_inbound_message(body="a\x00b").body == "ab"


def test_pages_take_the_same_queries_whatever_their_length(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    leads = [make_reachable_lead(owner=None) for _ in range(3)]
    for lead in leads:
        for _ in range(3):
            make_message(lead, author=make_user())
            make_inbound_message(lead)
    conversation = Conversation.objects.get(lead=leads[0])
    with django_assert_num_queries(1):
        assert len([str(row) for row in conversations()]) == 3
    with django_assert_num_queries(1):
        assert len([str(row.author) for row in messages_of(leads[0])]) == 6
    with django_assert_num_queries(1):
        assert len([str(row.author) for row in thread(conversation)]) == 6


def test_messages_of_a_timeline_are_read_at_once(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    lead = make_reachable_lead()
    sent, received = make_message(lead), make_inbound_message(lead)
    events = list(Event.objects.order_by("position"))
    with django_assert_num_queries(1):
        told = messages_told_of(events)
    assert [told.get(event.id) for event in events] == [None, sent, received]
    assert Message.objects.count() == 2


def test_what_comes_in_while_somebody_looks_stays_unread() -> None:
    lead = make_reachable_lead()
    make_inbound_message(lead)
    seen = Conversation.objects.get()
    make_inbound_message(lead)
    mark_conversation_read(seen)
    assert Conversation.objects.get().unread == seen.unread == 2
    mark_conversation_read(seen)
    assert Conversation.objects.get().unread == seen.unread == 0


def test_answers_go_out_where_the_lead_wrote_last_whatever_comes_late() -> None:
    lead, now = make_reachable_lead(), timezone.now()
    with carried_by(ScriptedTransport(None), "email"):
        old, new = (
            connect_account(channel="email", transport="scripted", name=name)
            for name in ("Old", "New")
        )
        make_inbound_message(lead, account=new, received_at=now)
        make_inbound_message(lead, account=old, received_at=now - timedelta(hours=1))
        assert Conversation.objects.get().account == new


def test_mail_from_before_the_mailbox_was_connected_is_not_timed() -> None:
    account = default_account("email")
    assert account
    for days in (0, 30):
        at = account.created_at - timedelta(days=days)
        make_inbound_message(account=account, received_at=at)
    told = Event.objects.filter(type="message.received").order_by("position")
    assert [event.payload["stored_ms"] is None for event in told] == [False, True]


def test_message_that_is_answered_is_found_by_an_index_when_it_is_deleted() -> None:
    answered = make_message()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        # What PostgreSQL asks for each row that goes.
        cursor.execute(
            "EXPLAIN SELECT 1 FROM channels_message WHERE in_reply_to_id = %s FOR KEY SHARE",
            [answered.pk],
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "message_answers" in plan
