"""What becomes of a conversation when its messages go out, or do not."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from channels.models import Conversation, Message, MessageStatus, Purpose
from channels.services import record_status
from channels.services.consent import opt_in
from channels.services.conversations import close_conversation, snooze_conversation
from tests.channels.factories import make_inbound_message, make_message, make_reachable_lead

S = MessageStatus
State = Conversation.State

pytestmark = pytest.mark.usefixtures("tenant")


def ago(minutes: float) -> datetime:
    return timezone.now() - timedelta(minutes=minutes)


def state_of(message: Message) -> tuple[str, datetime | None]:
    conversation = Conversation.objects.get(pk=message.conversation_id)
    return conversation.state, conversation.waiting_since


def test_answer_that_fails_later_leaves_the_lead_waiting() -> None:
    question = make_inbound_message(received_at=ago(10))
    answer = make_message(question.lead)
    record_status(answer.pk, S.SENT)
    assert state_of(answer) == (State.OPEN, None)
    close_conversation(answer.conversation)
    failed = record_status(answer.pk, S.FAILED, reason="mailbox full")
    state, waiting_since = state_of(answer)
    assert (state, failed.answer_ms) == (State.OPEN, None)
    assert waiting_since
    assert abs(waiting_since - question.created_at) < timedelta(milliseconds=2)


def test_failure_wakes_a_conversation_that_waits_for_an_answer() -> None:
    message = make_message()
    record_status(message.pk, S.SENT)
    snooze_conversation(message.conversation, timezone.now() + timedelta(days=3))
    record_status(message.pk, S.FAILED)
    assert state_of(message) == (State.OPEN, None)


def test_failure_changes_nothing_once_something_else_has_arrived() -> None:
    question = make_inbound_message(received_at=ago(10))
    first, second = make_message(question.lead), make_message(question.lead)
    record_status(first.pk, S.SENT)
    record_status(second.pk, S.SENT)
    close_conversation(second.conversation)
    record_status(first.pk, S.FAILED)
    assert state_of(first) == (State.CLOSED, None)


def test_failed_campaign_opens_no_conversations() -> None:
    lead = make_reachable_lead()
    opt_in(lead, channel="email", address=lead.emails[0], basis="consent", source="manual")
    message = make_message(lead, purpose=Purpose.MARKETING)
    record_status(message.pk, S.SENT)
    close_conversation(message.conversation)
    record_status(message.pk, S.FAILED)
    assert state_of(message) == (State.CLOSED, None)


def test_what_was_written_before_the_question_is_no_answer_to_it() -> None:
    lead = make_reachable_lead()
    early = make_message(lead)
    question = make_inbound_message(lead)
    assert record_status(early.pk, S.SENT).answer_ms is None
    assert state_of(early) == (State.OPEN, question.created_at)
    assert record_status(make_message(lead).pk, S.SENT).answer_ms is not None
    assert state_of(early) == (State.OPEN, None)


def test_failure_without_a_reason_says_so() -> None:
    assert record_status(make_message().pk, S.FAILED).error == "The vendor did not say why."
