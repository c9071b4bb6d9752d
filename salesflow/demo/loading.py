"""Writes the demo's stories through the path that publishes, in bulk."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import count
from typing import TypeVar

from django.db import transaction

from channels.models import Conversation, Direction, Message, MessageStatus, MessageType
from channels.services import MessageDraft, queue_messages
from events import Draft, publish_many
from events.context import event_context
from leads.models import ContactPoint, Lead, Note, Outcome, Stage
from leads.payloads import LeadAssigned
from leads.queries import default_pipeline
from salesflow.accounts.models import User
from salesflow.demo.story import Draft as Today
from salesflow.demo.story import Letter, Story

SOURCE = "demo"
# What moving a lead changes, and what closing it changes as well.
STAGE = ["stage", "stage_entered_at"]
CLOSING = [*STAGE, "outcome", "lost_reason", "closed_at"]
T = TypeVar("T")


class StoryLoader:
    """Writes stories into the current tenant.

    Args:
        team: the colleagues who own leads, as the stories number them.
    """

    def __init__(self, stories: Sequence[Story], team: Sequence[User]) -> None:
        self._team = team
        pipeline = default_pipeline()
        stages = list(pipeline.stages.all())
        # As the stories number them: the open ones in order, won, lost.
        self._stages: list[Stage] = [
            stage for kind in Outcome for stage in stages if stage.kind == kind
        ]
        for stage in stages:
            stage.pipeline = pipeline
        self._told = [(story, self._lead(story)) for story in stories]

    @transaction.atomic
    def write_history(self) -> None:
        """Write what happened, each part with its date."""
        with event_context(source=SOURCE):
            self._create_leads()
            self._hand_over()
            self._move()
            self._add_notes()
            self._converse()
            self._touch()

    @transaction.atomic
    def write_to_leads(self) -> None:
        """Queue the messages of today."""
        drafts = _by_actor(
            (lead.owner, _draft(lead, story.today)) for story, lead in self._told if story.today
        )
        for actor_id, written in drafts.items():
            with event_context(source=SOURCE, actor_id=actor_id):
                queue_messages(written)

    def _lead(self, story: Story) -> Lead:
        person = story.person
        return Lead(
            name=person.name,
            company=person.company,
            title=person.title,
            owner=None if story.owner is None else self._team[story.owner],
            source=story.source,
            value=story.value,
            currency="EUR",
            tags=story.tags,
            custom_fields=story.custom_fields,
            stage=self._stages[0],
            created_at=story.created_at,
            stage_entered_at=story.created_at,
        )

    def _create_leads(self) -> None:
        rows = _by_actor((lead.owner, lead) for _story, lead in self._told)
        for actor_id, leads in rows.items():
            with event_context(actor_id=actor_id):
                Lead.objects.bulk_create(leads)
        ContactPoint.objects.bulk_create(
            ContactPoint(lead=lead, kind=kind, value=value, is_primary=True)
            for story, lead in self._told
            for kind, value in (
                (ContactPoint.Kind.EMAIL, story.person.email),
                (ContactPoint.Kind.PHONE, story.person.phone),
            )
        )

    def _hand_over(self) -> None:
        """A lead has no date of its own for this, so the events are given theirs here."""
        drafts = []
        for story, lead in self._told:
            for handover in story.handovers:
                before, lead.owner = lead.owner_id, self._team[handover.owner]
                payload = LeadAssigned.of(lead, {"owner": (before, lead.owner_id)})
                drafts.append(Draft(payload, occurred_at=handover.at))
            lead.remember_watched(["owner"])
        publish_many(drafts)
        Lead.objects.bulk_update([lead for story, lead in self._told if story.handovers], ["owner"])

    def _move(self) -> None:
        """The first moves of all leads, then the second ones, and so on."""
        for number in count():
            movers = [(story, lead) for story, lead in self._told if len(story.moves) > number]
            if not movers:
                return
            for story, lead in movers:
                move = story.moves[number]
                stage = self._stages[move.stage]
                lead.enter_stage(stage, at=move.at, lost_reason=move.lost_reason)
            self._save_moves([lead for _story, lead in movers if lead.is_open], STAGE)
            self._save_moves([lead for _story, lead in movers if not lead.is_open], CLOSING)

    def _save_moves(self, leads: list[Lead], fields: list[str]) -> None:
        for actor_id, moved in _by_actor((lead.owner, lead) for lead in leads).items():
            with event_context(actor_id=actor_id):
                Lead.objects.bulk_update(moved, fields)

    def _add_notes(self) -> None:
        rows = _by_actor(
            (lead.owner, Note(lead=lead, author=lead.owner, body=entry.body, created_at=entry.at))
            for story, lead in self._told
            for entry in story.remarks
        )
        for actor_id, notes in rows.items():
            with event_context(actor_id=actor_id):
                Note.objects.bulk_create(notes)

    def _converse(self) -> None:
        threads: dict[tuple[Lead, str], list[Letter]] = defaultdict(list)
        for story, lead in self._told:
            for letter in story.letters:
                threads[lead, letter.channel].append(letter)
        conversations = {
            (lead, channel): _conversation(lead, channel, letters)
            for (lead, channel), letters in threads.items()
        }
        Conversation.objects.bulk_create(conversations.values())
        rows = _by_actor(
            (None if letter.is_inbound else lead.owner, _message(conversation, story, letter))
            for story, lead in self._told
            for letter in story.letters
            for conversation in [conversations[lead, letter.channel]]
        )
        for actor_id, messages in rows.items():
            with event_context(actor_id=actor_id):
                Message.objects.bulk_create(messages)

    def _touch(self) -> None:
        """Let the list of leads say when something last happened to each."""
        for story, lead in self._told:
            lead.updated_at = story.last_touch
        Lead.objects.bulk_update([lead for _story, lead in self._told], ["updated_at"])


def _by_actor(rows: Iterable[tuple[User | None, T]]) -> dict[int | None, list[T]]:
    """The rows by the id of the colleague who wrote them."""
    groups: dict[int | None, list[T]] = defaultdict(list)
    for user, row in rows:
        groups[user.pk if user else None].append(row)
    return groups


def _conversation(lead: Lead, channel: str, letters: list[Letter]) -> Conversation:
    """The lead's last words are unread as long as the deal is open and nobody has answered."""
    unread = letters[-1].is_inbound and lead.is_open
    return Conversation(
        lead=lead,
        channel=channel,
        state=Conversation.State.OPEN if lead.is_open else Conversation.State.CLOSED,
        unread=int(unread),
        last_message_at=letters[-1].at,
    )


def _message(conversation: Conversation, story: Story, letter: Letter) -> Message:
    lead, person = conversation.lead, story.person
    message = Message(
        conversation=conversation,
        lead=lead,
        channel=letter.channel,
        direction=Direction.INBOUND,
        status=MessageStatus.RECEIVED,
        address=person.email if letter.channel == "email" else person.phone,
        subject=letter.subject,
        body=letter.body,
        created_at=letter.at,
    )
    if not letter.is_inbound:
        _mark_sent(message, lead.owner, letter)
    return message


def _draft(lead: Lead, today: Today) -> MessageDraft:
    body, subject = today.body, today.subject
    return MessageDraft(lead, today.channel, body, subject=subject, author=lead.owner)


def _mark_sent(message: Message, author: User | None, letter: Letter) -> None:
    message.author = author
    message.direction = Direction.OUTBOUND
    message.type = MessageType.TEXT if letter.channel == "email" else MessageType.TEMPLATE
    message.attempts, message.transport = 1, "sandbox"
    message.latency_ms = letter.latency_ms
    message.sent_at = letter.at + timedelta(milliseconds=letter.latency_ms)
    message.delivered_at, message.read_at = letter.delivered_at, letter.read_at
    message.status = MessageStatus.SENT
    if letter.delivered_at:
        message.status = MessageStatus.READ if letter.read_at else MessageStatus.DELIVERED
