"""What comes in from leads."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from channels.models import Conversation, Message, MessageStatus
from channels.queries import conversations, messages_of, messages_told_of, thread
from channels.services import mark_conversation_read
from events.models import Event
from tests.channels.factories import make_inbound_message, make_message, make_reachable_lead
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
