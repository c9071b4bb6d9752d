"""Writing messages down, in their threads and conversations."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models.functions import Greatest
from django.utils import timezone

from channels.files import attach_files
from channels.models import Channel, Conversation, Direction, Message, MessageStatus, Purpose
from channels.queries import last_of_threads
from channels.services.conversations import NEVER
from channels.services.queueing.drafts import Letter
from channels.tracking.permission import agrees


def find_threads(letters: Sequence[Letter]) -> None:
    """What each answers: what it says itself, else a mail the last one of its conversation."""
    open_ended = {
        letter: letter.conversation.pk
        for letter in letters
        if letter.channel == Channel.EMAIL
        and letter.conversation
        and not (letter.draft.answers or letter.draft.is_new_thread)
    }
    last = last_of_threads(set(open_ended.values()))
    for letter in letters:
        answers, conversation = letter.draft.answers, open_ended.get(letter)
        letter.answered = answers.pk if answers else last.get(conversation)


def write(letters: Sequence[Letter]) -> None:
    """Write the messages, their events, and what they change of their conversations."""
    if not letters:
        return
    _open_conversations(letters)
    for letter in letters:
        letter.message = _message_of(letter)
    Message.objects.bulk_create([letter.message for letter in letters])
    for letter in letters:
        attach_files(letter.message, letter.draft.files)
    _note_written([letter.message for letter in letters])


def _open_conversations(letters: Sequence[Letter]) -> None:
    """Begin those that there are not: who else begins one holds the lead, as we do.

    Closed, until somebody has something to do there.
    """
    new = {
        letter.place: Conversation(
            lead=letter.lead,
            channel=letter.channel.value,
            state=Conversation.State.CLOSED.value,
            last_message_at=NEVER,
        )
        for letter in letters
        if letter.conversation is None
    }
    if new:
        Conversation.objects.bulk_create(new.values())
    for letter in letters:
        letter.conversation = letter.conversation or new[letter.place]


def _message_of(letter: Letter) -> Message:
    draft, is_assisted = letter.draft, letter.transport.is_assisted
    return Message(
        conversation=letter.conversation,
        lead=letter.lead,
        account=letter.account,
        author=draft.author,
        channel=letter.channel.value,
        direction=Direction.OUTBOUND,
        type=draft.message_type,
        purpose=draft.purpose,
        status=MessageStatus.PREPARED if is_assisted else MessageStatus.QUEUED,
        address=letter.address,
        subject=letter.subject,
        body=letter.body,
        cc=letter.cc,
        in_reply_to_id=letter.answered,
        template=draft.template,
        details=dict(draft.details),
        unless_answered_since=draft.unless_answered_since,
        not_after=draft.not_after,
        tracks=draft.tracks and _may_be_tracked(letter),
    )


def _may_be_tracked(letter: Letter) -> bool:
    is_campaign = letter.channel == Channel.EMAIL and letter.draft.purpose == Purpose.MARKETING
    # Nobody has asked those who get a copy.
    return is_campaign and not letter.cc and agrees(letter.standing)


def _note_written(messages: Sequence[Message]) -> None:
    """Whoever writes, or has to send by hand, has something to do there: those conversations are
    open. Not those of campaigns, which would bury what somebody has to look at."""
    opened = {row.conversation_id: row for row in messages if _opens(row)}
    others = {row.conversation_id: row for row in messages if row.conversation_id not in opened}
    at = max(message.created_at for message in messages)
    _date(opened, at, state=Conversation.State.OPEN, snoozed_until=None)
    _date(others, at)


def _opens(message: Message) -> bool:
    is_prepared = message.status == MessageStatus.PREPARED
    return message.purpose == Purpose.PERSONAL or is_prepared


def _date(messages: Mapping[UUID, Message], at: datetime, **state: Any) -> None:
    if not messages:
        return
    now = timezone.now()
    last = Greatest("last_message_at", at)
    rows = Conversation.objects.filter(pk__in=messages)
    rows.update(last_message_at=last, changed_at=now, **state)
    for message in messages.values():
        conversation = message.conversation
        conversation.last_message_at = max(conversation.last_message_at, at)
        conversation.changed_at = now
        for name, value in state.items():
            setattr(conversation, name, value)
