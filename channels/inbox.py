"""What the team's inbox lists: conversations by view, state, channel and words, and what each row
says. Every query takes as long as its page, however many conversations there are."""

import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.postgres.search import SearchQuery
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Left
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from channels.models import Conversation, Message, MessageStatus, Replying
from channels.models.message import SEARCHED
from channels.queries import shown_messages
from channels.transports import TransportError, transport_named
from leads.models import Lead
from leads.queries import search_leads
from salesflow.accounts.models import User
from salesflow.accounts.paging import Order, Page

PAGE_SIZE = 30
# Figures say “99+” beyond it.
MOST_COUNTED = 99
LAST_FIRST = Order(("last_message_at", "id"), descending=True)
# Seconds for which somebody who pressed a key counts as writing.
REPLYING = timedelta(seconds=20)
# Transactions that take longer to commit are seen by the comparison that is made anyway.
SLOWEST_COMMIT, COMPARED_EVERY = timedelta(seconds=10), timedelta(seconds=12)
# Less than that is left of a window: hurry.
CLOSING = timedelta(hours=2)

VIEWS = {"all": _("All"), "mine": _("Mine"), "unassigned": _("Unassigned")}
ANY = "any"
DEFER = ("body", "html", "quoted", "references", "details", "error")


@dataclass(frozen=True)
class Wanted:
    """What the list shows.

    Attributes:
        view: one of `VIEWS`.
        state: a `Conversation.State`, or "any".
        assignee: the id of a colleague, in the view "all".
        words: each is part of the lead's name, company, address or number, or of a message.
    """

    view: str = "all"
    state: str = Conversation.State.OPEN
    channel: str = ""
    assignee: int | None = None
    unread: bool = False
    words: str = ""


@dataclass(frozen=True)
class Row:
    """One conversation in the list.

    Attributes:
        last: its last message, with the beginning of its text as `snippet`; None: there is none.
        replying: who else is writing an answer just now.
        closes_at: until when free text may go, where the channel knows such a window.
    """

    conversation: Conversation
    last: Any
    replying: Sequence[str] = ()
    closes_at: datetime | None = None

    @property
    def is_failed(self) -> bool:
        """Whether the last message did not arrive, as far as anybody knows."""
        troubles = (MessageStatus.FAILED, MessageStatus.UNKNOWN)
        return self.last is not None and self.last.status in troubles

    @property
    def is_closing(self) -> bool:
        """Whether the window closes soon."""
        now = timezone.now()
        return self.closes_at is not None and now < self.closes_at < now + CLOSING

    @property
    def window_is_open(self) -> bool:
        """Whether there is a window, and it is open."""
        return self.closes_at is not None and self.closes_at > timezone.now()

    @property
    def version(self) -> str:
        """Another one whenever the row reads otherwise."""
        last = self.last and (self.last.pk, self.last.status)
        row = self.conversation
        return digest(row.pk, row.changed_at, str(row.lead), last, *self.replying, self.is_closing)


def wanted_rows(wanted: Wanted, user: User) -> QuerySet[Conversation]:
    """The conversations that are wanted, with lead, assignee and account."""
    rows = Conversation.objects.select_related("lead", "assignee", "account")
    if wanted.state != ANY:
        rows = rows.filter(state=wanted.state)
    if wanted.view == "mine":
        rows = rows.filter(assignee=user)
    elif wanted.view == "unassigned":
        rows = rows.filter(assignee=None)
    elif wanted.assignee:
        rows = rows.filter(assignee=wanted.assignee)
    if wanted.channel:
        rows = rows.filter(channel=wanted.channel)
    if wanted.unread:
        rows = rows.filter(unread__gt=0)
    return search_conversations(rows, wanted.words)


def page_of(wanted: Wanted, user: User, **keys: str) -> Page[Conversation]:
    """A page of conversations, the last active first, each with the id of its last message."""
    messages = shown_messages().filter(conversation=OuterRef("pk"))
    messages = messages.order_by("-created_at", "-id")
    rows = wanted_rows(wanted, user).annotate(last_id=Subquery(messages.values("id")[:1]))
    return Page.read_or_first(rows, LAST_FIRST, size=PAGE_SIZE, **keys)


def rows_of(conversations: Sequence[Any], user: User) -> list[Row]:
    """What the list says of the conversations of a page, in two queries."""
    ids = [row.last_id for row in conversations if row.last_id]
    messages = Message.objects.defer(*DEFER).annotate(snippet=Left("body", 160)).in_bulk(ids)
    replying = replying_in([row.pk for row in conversations], but=user)
    return [
        Row(row, messages.get(row.last_id), replying[row.pk], closing_time(row))
        for row in conversations
    ]


def version_of(rows: Iterable[Row]) -> str:
    """Another one whenever one of the rows reads otherwise, comes, goes or moves."""
    return digest(*(row.version for row in rows))


def is_quiet(since: datetime) -> bool:
    """Whether nothing can have changed in the inbox since it was last compared."""
    if since < timezone.now() - COMPARED_EVERY:
        return False
    changed = Conversation.objects.filter(changed_at__gt=since - SLOWEST_COMMIT)
    return not changed.exists()


def replying_in(conversations: Collection[UUID], *, but: User) -> dict[UUID, list[str]]:
    """Who else is writing an answer just now, by conversation."""
    fresh = Replying.objects.filter(
        conversation__in=conversations, seen_at__gt=timezone.now() - REPLYING
    )
    names: dict[UUID, list[str]] = defaultdict(list)
    for row in fresh.exclude(user=but).select_related("user").order_by("user__name"):
        names[row.conversation_id].append(str(row.user))
    return names


def closing_time(conversation: Conversation) -> datetime | None:
    """Until when free text may go; None: always, or the lead has not written.

    Of the account through which the lead wrote last; `channels.windows` has the last word.
    """
    account, written = conversation.account, conversation.last_inbound_at
    if account is None or written is None:
        return None
    try:
        hours = transport_named(account.transport).window_hours
    except TransportError:
        return None
    return None if hours is None else written + timedelta(hours=hours)


def open_counts(user: User) -> dict[str, str]:
    """How many open conversations each view has, as people read it."""
    return {view: counted(wanted_rows(Wanted(view=view), user)) for view in VIEWS}


def unread_count(user: User) -> str:
    """How many unread conversations wait for somebody, or for nobody in particular."""
    rows = Conversation.objects.filter(unread__gt=0).exclude(state=Conversation.State.CLOSED)
    return counted(rows.filter(Q(assignee=user) | Q(assignee=None)))


def counted(rows: QuerySet[Any]) -> str:
    """The number of rows, “99+” if there are more; it looks at no more than that."""
    count = rows.order_by()[: MOST_COUNTED + 1].count()
    return f"{MOST_COUNTED}+" if count > MOST_COUNTED else str(count)


def search_conversations(rows: QuerySet[Conversation], words: str) -> QuerySet[Conversation]:
    """Those with a lead, or a message, that has all words; a message's by their beginnings, which
    are three letters at least: with a single one begins nearly all that was ever written."""
    if not words.strip():
        return rows
    of_leads = Conversation.objects.filter(lead__in=search_leads(Lead.objects.all(), words))
    texts = Message.objects.annotate(searched=SEARCHED).filter(
        searched=SearchQuery(_beginnings(words), search_type="raw", config="simple")
    )
    # A union lets each part use its own index.
    found = of_leads.values("id").union(texts.values("conversation_id"), all=True)
    return rows.filter(id__in=found)


def _beginnings(words: str) -> str:
    quoted = (word.replace("\\", "").replace("'", "''") for word in words.split())
    return " & ".join(f"'{word}'{':*' if len(word) > 2 else ''}" for word in quoted if word)


def digest(*values: Any) -> str:
    """A short text that is another one where the values are others."""
    return f"{zlib.crc32(repr(values).encode()):08x}"
