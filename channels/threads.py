"""What was written with a lead on one channel, as people read it: messages, and among them the
team's notes and what it did with the conversation."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet

from channels.inbox import digest, replying_in
from channels.models import Account, Channel, Conversation, Message, MessageType
from channels.queries import channels_of, shown_messages
from channels.services.accounts import default_account
from channels.timeline import line_of
from channels.transports import TransportError
from channels.windows import Window, window_of
from events.models import Event
from events.types import EventType
from leads.models import Lead, Note
from leads.queries import lead_events
from salesflow.accounts.models import User
from salesflow.accounts.paging import Order, Page

# Messages a page; the notes that were written among them come on top.
PAGE_SIZE = 30
LAST_FIRST = Order(("created_at", "id"), descending=True)
ICONS = {
    Channel.EMAIL: "envelope",
    Channel.WHATSAPP: "chat-bubble-left-right",
    Channel.LINKEDIN: "briefcase",
}
# An image of another server within HTML; links are none.
REMOTE = r"<img\y[^>]*[\s\"'/]src\s*=\s*[\"']?\s*https?://"
# What is said of types that the text alone does not tell.
PLAIN = (MessageType.TEXT, MessageType.TEMPLATE, MessageType.REPLY)
# What somebody did with a conversation: a line among the messages.
DEEDS = (
    EventType.CONVERSATION_ASSIGNED,
    EventType.CONVERSATION_SNOOZED,
    EventType.CONVERSATION_CLOSED,
    EventType.CONVERSATION_REOPENED,
)


@dataclass(frozen=True)
class Entry:
    """A message, a note, or an event of the conversation."""

    at: datetime
    message: Any = None
    note: Note | None = None
    event: Event | None = None

    @property
    def key(self) -> str:
        """Its name in the page, and whether it is newer than another one."""
        return str((self.message or self.note or self.event).pk)  # type: ignore[union-attr]

    @property
    def version(self) -> str:
        """Another one whenever it reads otherwise."""
        message = self.message
        if message is None:
            return "said"
        files = [(file.pk, file.status) for file in message.attachments.all()]
        own = [message.details.get(name) for name in ("reactions", "sent_again")]
        return digest(message.status, message.error, *own, files)

    @property
    def reactions(self) -> str:
        """The signs that others have set under the message."""
        given = self.message.details.get("reactions", {}).values() if self.message else ()
        return " ".join(sorted({each["emoji"] for each in given if each.get("emoji")}))

    @property
    def line(self) -> str:
        """What somebody did with the conversation, in words."""
        return line_of(self.event)

    @property
    def label(self) -> str:
        """What kind of message it is, where the text alone does not tell."""
        message = self.message
        if message.automatic:
            return str(message.get_automatic_display())
        return "" if message.type in PLAIN else str(message.get_type_display())


@dataclass(frozen=True)
class Thread:
    """A page of what was written with a lead on a channel, the last at the end.

    Attributes:
        conversation: None where nothing was written yet.
        account: through which an answer would go; None where none is connected.
        earlier: the key of the page before it.
        replying: who else is writing an answer just now.
        siblings: the lead's conversations, this one among them.
    """

    lead: Lead
    channel: Channel
    conversation: Conversation | None
    account: Account | None
    window: Window
    entries: Sequence[Entry] = ()
    earlier: str | None = None
    replying: Sequence[str] = ()
    siblings: Sequence[Conversation] = field(default_factory=list)
    last_note: UUID | None = None

    @property
    def pulse(self) -> str:
        """What `pulse_of` says as long as nothing changes; of the last page alone."""
        row = self.conversation
        messages = [entry.message for entry in reversed(self.entries) if entry.message]
        told = [(message.pk, message.status, message.error) for message in messages]
        return _pulse(row and (row.pk, row.changed_at), told, self.last_note, self.replying)

    @property
    def version(self) -> str:
        """Another one whenever an entry reads otherwise, or is new."""
        return digest(*((entry.key, entry.version) for entry in self.entries))

    @property
    def state_version(self) -> str:
        """Another one whenever what stands above the entries reads otherwise."""
        row, window = self.conversation, self.window
        state = row and (row.state, row.snoozed_until, row.assignee_id, bool(row.unread))
        others = [(each.channel, bool(each.unread)) for each in self.siblings]
        return digest(
            str(self.lead), state, others, window.closes_at, window.is_open, *self.replying
        )

    @property
    def seen(self) -> str:
        """The newest of what was written: what comes after it, who writes now has not seen."""
        return max((entry.key for entry in self.entries if not entry.event), default="")

    @property
    def icon(self) -> str:
        """The channel's heroicon."""
        return ICONS[self.channel]


def thread_of(lead: Lead, channel: Channel, user: User, *, after: str = "") -> Thread:
    """A page of a thread, in a constant number of queries.

    Args:
        after: the key of the page, from the one that follows it; the last page where not given.
    """
    rows = Conversation.objects.filter(lead=lead).select_related("assignee", "account")
    siblings = sorted(rows, key=lambda row: list(Channel).index(Channel(row.channel)))
    conversation = next((row for row in siblings if row.channel == channel), None)
    account = account_of(conversation, channel)
    page: Page[Any] = Page(rows=[])
    replying: Sequence[str] = ()
    until = None
    if conversation:
        page = Page.read_or_first(_messages(conversation), LAST_FIRST, size=PAGE_SIZE, after=after)
        replying = replying_in([conversation.pk], but=user)[conversation.pk]
        until = _end_of(page, conversation) if after else None
    notes = _notes(lead, until)
    return Thread(
        lead=lead,
        channel=channel,
        conversation=conversation,
        account=account,
        window=window_at(conversation, account),
        entries=_entries_of(page, notes, _deeds(conversation, page, until)),
        earlier=page.after,
        replying=replying,
        siblings=siblings,
        last_note=notes[0].pk if notes else None,
    )


def pulse_of(lead: Lead, channel: str, user: User) -> str:
    """Another one whenever the end of a thread has changed; in four short queries."""
    rows = Conversation.objects.filter(lead=lead, channel=channel)
    conversation = rows.values_list("pk", "changed_at").first()
    messages: Any = ()
    replying: Sequence[str] = ()
    if conversation:
        last = shown_messages().filter(conversation=conversation[0])
        last = last.order_by("-created_at", "-id")
        messages = list(last.values_list("pk", "status", "error")[:PAGE_SIZE])
        replying = replying_in([conversation[0]], but=user)[conversation[0]]
    notes = Note.objects.filter(lead=lead).order_by("-created_at")
    last_note = notes.values_list("pk", flat=True).first()
    return _pulse(conversation, messages, last_note, replying)


def channel_of(lead: Lead, wanted: str = "") -> Channel | None:
    """On which channel a lead is written to: the wanted one, else the one they wrote on last, else
    the first that reaches them; None where none does."""
    if wanted in Channel.values:
        return Channel(wanted)
    rows = Conversation.objects.filter(lead=lead).order_by("-last_message_at")
    last = rows.values_list("channel", flat=True).first()
    if last:
        return Channel(last)
    return next(iter(channels_of(lead)), None)


def account_of(conversation: Conversation | None, channel: Channel) -> Account | None:
    """Through which account an answer would go."""
    account = conversation.account if conversation else None
    if account and account.is_active:
        return account
    return default_account(channel)


def window_at(conversation: Conversation | None, account: Account | None) -> Window:
    """Until when free text may go; with nothing written yet, by the account's rule alone."""
    if account is None:
        return Window(is_limited=False)
    try:
        return window_of(conversation or Conversation(), account)
    except TransportError:
        return Window(is_limited=False)


def news_since(conversation: Conversation, seen: str, *, but: User) -> list[Entry]:
    """What others have written since somebody saw the newest entry, at most a page of it.

    Args:
        seen: the key of that entry; empty: there was none.
    """
    since = {"id__gt": seen} if _is_id(seen) else {}
    messages = _messages(conversation).filter(**since).exclude(author=but, direction="outbound")
    notes = Note.objects.filter(lead=conversation.lead_id, **since).select_related("author")
    entries = [Entry(at=row.created_at, message=row) for row in messages.order_by("id")[:PAGE_SIZE]]
    others = notes.exclude(author=but).order_by("id")[:PAGE_SIZE]
    return _in_order([*entries, *(Entry(at=note.created_at, note=note) for note in others)])


def _messages(conversation: Conversation) -> QuerySet[Any]:
    """A conversation's messages; of a mail's HTML only whether there is one, and images in it."""
    rows = shown_messages().filter(conversation=conversation).defer("html", "references")
    has_html = ExpressionWrapper(~Q(html=""), output_field=BooleanField())
    has_images = ExpressionWrapper(Q(html__iregex=REMOTE), output_field=BooleanField())
    told = rows.annotate(has_html=has_html, has_images=has_images)
    full: QuerySet[Any] = told.select_related("author", "account", "template")
    return full.prefetch_related("attachments")


def _entries_of(page: Page[Any], notes: Sequence[Note], deeds: Sequence[Event]) -> list[Entry]:
    # Older notes stand among the messages of their time.
    since = page.rows[-1].created_at if page.after else None
    among = [note for note in notes if not since or note.created_at >= since]
    return _in_order(
        [
            *(Entry(at=row.created_at, message=row) for row in page.rows),
            *(Entry(at=note.created_at, note=note) for note in among),
            *(Entry(at=deed.occurred_at, event=deed) for deed in deeds),
        ]
    )


def _end_of(page: Page[Any], conversation: Conversation) -> datetime | None:
    """When the first message of the page that follows was written.

    What stands beside the messages belongs to a page up to then: nothing falls between two pages.
    """
    if not page.rows:
        return None
    later = Message.objects.filter(
        conversation=conversation, created_at__gt=page.rows[0].created_at
    )
    at: datetime | None = later.order_by("created_at").values_list("created_at", flat=True).first()
    return at


def _notes(lead: Lead, until: datetime | None) -> list[Note]:
    """The newest notes before a moment, the last first."""
    notes = Note.objects.filter(lead=lead).select_related("author").order_by("-created_at")
    if until:
        notes = notes.filter(created_at__lt=until)
    return list(notes[:PAGE_SIZE])


def _deeds(
    conversation: Conversation | None, page: Page[Any], until: datetime | None
) -> list[Event]:
    """What was done with a conversation while the messages of a page were written, at most so much.

    Looked for among the lead's events of that time alone.
    """
    if conversation is None or not page.rows:
        return []
    rows = lead_events(Lead(pk=conversation.lead_id)).filter(
        type__in=DEEDS,
        payload__conversation_id=str(conversation.pk),
        occurred_at__gte=page.rows[-1].created_at,
    )
    if until:
        rows = rows.filter(occurred_at__lt=until)
    return list(rows.select_related("actor")[:PAGE_SIZE])


def _pulse(row: Any, messages: Any, last_note: UUID | None, replying: Sequence[str]) -> str:
    return digest(row, messages, last_note, *replying)


def _in_order(entries: list[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: (entry.at, entry.key))


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
