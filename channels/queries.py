"""What reads conversations and messages; every query is of the current tenant."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Now

from channels.models import (
    TROUBLED,
    Automatic,
    Channel,
    Conversation,
    Direction,
    Identity,
    Inbound,
    Message,
    MessageStatus,
    MessageTemplate,
)
from events.models import Event
from leads.models import ContactPoint, Lead
from salesflow.accounts.context import current_tenant

# Nobody answers these, and nobody refers to them.
NOT_ARRIVED = (*TROUBLED, MessageStatus.WITHDRAWN)
# What has come in is read within moments; what was not by then cannot be.
SOON_READ = timedelta(minutes=1)


def addresses_of(lead: Lead, channel: str) -> list[str]:
    """Where the lead can be reached on the channel, the primary address first."""
    return lead.values_of(Channel(channel).contact_kind)


def hidden_addresses_of(lead: Lead, channel: str) -> list[str]:
    """The ids under which vendors know a lead who shows them no address, the newest first."""
    rows = Identity.objects.filter(lead=lead, account__channel=channel)
    return list(rows.order_by("-id").values_list("external_id", flat=True))


def lead_with(channel: str, address: str) -> Lead | None:
    """The lead who can be reached at an address, or whom a vendor knows by that id."""
    kind = Channel(channel).contact_kind
    points = ContactPoint.objects.select_related("lead").filter(kind=kind, value=address)
    point: ContactPoint | None = points.first()
    if point:
        return point.lead
    rows = Identity.objects.select_related("lead").filter(account__channel=channel)
    identity: Identity | None = rows.filter(external_id=address).first()
    return identity.lead if identity else None


def last_of_threads(conversations: Collection[UUID]) -> dict[UUID | None, UUID]:
    """The last message that the other side knows by an id, by conversation, in one query.

    Nobody knows one that did not arrive, and nobody answers what a program wrote.
    """
    if not conversations:
        return {}
    rows = Message.objects.filter(conversation=OuterRef("pk"), automatic=Automatic.NO)
    known = rows.exclude(vendor_id="").exclude(status__in=NOT_ARRIVED)
    last = Subquery(known.order_by("-created_at", "-id").values("pk")[:1])
    found = Conversation.objects.filter(pk__in=conversations).annotate(last=last)
    return dict(found.exclude(last=None).values_list("pk", "last"))


def has_written_since(lead_id: UUID, at: datetime, *, besides: UUID | None = None) -> bool:
    """Whether the lead, and no program of theirs, has written since then, on any channel.

    What counts is when it was stored here: what was written before may arrive late.

    Args:
        besides: a message that is known, such as the one that is being answered.
    """
    rows = Message.objects.filter(lead=lead_id, direction=Direction.INBOUND, stored_at__gte=at)
    written: bool = rows.filter(automatic=Automatic.NO).exclude(pk=besides).exists()
    return written


def has_unread_inbound() -> bool:
    """Whether something has just come in, at any of the tenant's accounts, and was not read yet."""
    rows = Inbound.objects.filter(taken_in_at=None, received_at__gt=Now() - SOON_READ)
    unread: bool = rows.exists()
    return unread


def shown_messages() -> QuerySet[Message]:
    """The messages that a thread shows: not those that were taken back before anybody got them."""
    rows: QuerySet[Message] = Message.objects.exclude(status=MessageStatus.WITHDRAWN)
    return rows


def channels_of(lead: Lead) -> list[Channel]:
    """The channels on which the lead can be reached."""
    return [channel for channel in Channel if addresses_of(lead, channel)]


def conversations() -> QuerySet[Conversation]:
    """The conversations with their leads, the last active first."""
    rows: QuerySet[Conversation] = Conversation.objects.select_related("lead", "assignee")
    return rows.order_by("-last_message_at", "-id")


def conversations_of(lead: Lead) -> QuerySet[Conversation]:
    """The conversations with a lead, one a channel, the last active first."""
    return conversations().filter(lead=lead)


def messages_of(lead: Lead) -> QuerySet[Message]:
    """All messages to and from a lead with their authors, the last first."""
    rows: QuerySet[Message] = Message.objects.filter(lead=lead).select_related("author")
    return rows.order_by("-created_at", "-id")


def thread(conversation: Conversation) -> QuerySet[Message]:
    """The messages of a conversation with their authors, the last first."""
    rows = Message.objects.filter(conversation=conversation).select_related("author")
    ordered: QuerySet[Message] = rows.order_by("-created_at", "-id")
    return ordered


def messages_told_of(events: Iterable[Event]) -> dict[UUID, Message]:
    """The messages that `events` are about, by the event's id, in one query."""
    about = {event.id: event.payload["message_id"] for event in events if _is_about_message(event)}
    # Not what only a thread shows: of a mail it may be megabytes.
    rows = Message.objects.select_related("author").defer("html", "quoted", "references")
    messages = rows.in_bulk(set(about.values()))
    found = {str(message_id): message for message_id, message in messages.items()}
    return {event_id: found[row] for event_id, row in about.items() if row in found}


def _is_about_message(event: Event) -> bool:
    return event.type.startswith("message.") and "message_id" in event.payload


def templates_for(channel: str) -> QuerySet[MessageTemplate]:
    """The templates in use that may go out on a channel, by name and language."""
    rows = MessageTemplate.objects.filter(is_active=True, channel__in=[channel, ""])
    ordered: QuerySet[MessageTemplate] = rows.order_by("name", "language")
    return ordered


def template_called(name: str, *, channel: str, language: str = "") -> MessageTemplate | None:
    """The template of that name that suits a channel and a language best.

    Args:
        language: of the reader; else, and where there is none in it, the tenant's language, and
            then whichever there is. One for the channel comes before one for every channel.
    """
    wanted = [language, current_tenant().language]
    rows = list(templates_for(channel).filter(name=name))
    rank = {code: number for number, code in reversed(list(enumerate(wanted)))}
    rows.sort(key=lambda row: (rank.get(row.language, len(wanted)), row.channel == ""))
    return rows[0] if rows else None
