"""How events about messages and conversations read on a lead's timeline, and in a thread."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from channels.consents import source_in_words
from channels.models import Channel, LawfulBasis, Message, MessageStatus
from channels.queries import messages_told_of
from channels.services.withdrawing import reason_in_words
from events.models import Event, EventStatus
from events.types import EventType
from leads.timeline import Quote, Words, describes

# What a colleague has recorded; anything else the person did by themselves.
BY_US = ("manual", "import", "api")


def attach_messages(events: Sequence[Event]) -> None:
    """Give each event its message as `event.message`; None when that is gone."""
    found = messages_told_of(events)
    for event in events:
        event.message = found.get(event.id)  # type: ignore[attr-defined]


@describes(EventType.MESSAGE_QUEUED, prefetch=attach_messages)
def describe_queued(event: Any) -> Words | None:
    """Nothing once the message has moved on: then that says it all."""
    moved_on = event.message and event.message.status != MessageStatus.QUEUED
    if moved_on and event.status != EventStatus.FAILED:
        return None
    return Words(_titled(_("Message queued"), event), icon="clock", quote=_quote(event.message))


@describes(EventType.MESSAGE_SENT, prefetch=attach_messages)
def describe_sent(event: Any) -> Words:
    mark = _("%(ms)d ms") % {"ms": event.payload["latency_ms"]}
    quote = _quote(event.message)
    return Words(_titled(_("Message sent"), event), icon="paper-airplane", mark=mark, quote=quote)


@describes(EventType.MESSAGE_RECEIVED, prefetch=attach_messages)
def describe_received(event: Any) -> Words:
    return Words(
        _titled(_("Message received"), event),
        icon="inbox-arrow-down",
        tone="accent",
        quote=_quote(event.message),
        is_done_by_us=False,
    )


@describes(EventType.MESSAGE_FAILED, prefetch=attach_messages)
def describe_failed(event: Any) -> Words:
    return Words(
        _titled(_("Message failed"), event),
        icon="exclamation-triangle",
        tone="lost",
        problem=event.payload["reason"],
        quote=_quote(event.message),
    )


@describes(EventType.MESSAGE_WITHDRAWN, prefetch=attach_messages)
def describe_withdrawn(event: Any) -> Words:
    return Words(
        _titled(_("Message withdrawn before it was sent"), event),
        icon="arrow-uturn-left",
        mark=reason_in_words(event.payload["reason"]),
        quote=_quote(event.message),
    )


@describes(EventType.MESSAGE_OPENED)
def describe_opened(event: Event) -> Words:
    return Words(_titled(_("Mail opened"), event), icon="envelope-open", is_done_by_us=False)


@describes(EventType.MESSAGE_CLICKED)
def describe_clicked(event: Event) -> Words:
    text, link = _titled(_("Link clicked"), event), event.payload["link"]
    return Words(text, icon="cursor-arrow-rays", mark=link, is_done_by_us=False)


@describes(EventType.MESSAGE_DELIVERED)
def describe_delivered(event: Event) -> Words:
    return Words(_titled(_("Message delivered"), event), icon="check", is_done_by_us=False)


@describes(EventType.MESSAGE_READ)
def describe_read(event: Event) -> Words:
    return Words(_titled(_("Message read"), event), icon="check", is_done_by_us=False)


@describes(EventType.CONTACT_OPTED_OUT)
def describe_opt_out(event: Event) -> Words:
    return Words(
        _with_source(_("Opted out"), event),
        icon="no-symbol",
        tone="lost",
        is_done_by_us=event.payload["source"] in BY_US,
    )


@describes(EventType.CONTACT_OPTED_IN)
def describe_opt_in(event: Event) -> Words:
    basis = event.payload["basis"]
    return Words(
        _with_source(_("May be written to"), event),
        icon="hand-thumb-up",
        tone="won",
        mark=str(LawfulBasis(basis).label) if basis in LawfulBasis.values else basis,
        is_done_by_us=event.payload["source"] in BY_US,
    )


@describes(EventType.ADDRESS_BOUNCED)
def describe_bounce(event: Event) -> Words:
    is_closed = event.payload["hard"]
    text = _("Address bounced") if is_closed else _("A message bounced")
    return Words(
        _titled(text, event),
        icon="arrow-uturn-left",
        tone="lost" if is_closed else "warn",
        problem=event.payload["reason"],
        is_done_by_us=False,
    )


@describes(EventType.CONVERSATION_ASSIGNED)
def describe_assigned(event: Event) -> Words:
    name = event.payload["assignee"]
    if not name:
        return Words(_plain(_("Conversation assigned to nobody"), event), icon="user")
    text = format_html(_("Conversation assigned to <b>{assignee}</b>"), assignee=name)
    return Words(_plain(text, event), icon="user")


@describes(EventType.CONVERSATION_SNOOZED)
def describe_snoozed(event: Event) -> Words:
    text = _("Conversation snoozed until {when}").format(when=_until(event))
    return Words(_plain(text, event), icon="moon")


@describes(EventType.CONVERSATION_CLOSED)
def describe_closed(event: Event) -> Words:
    return Words(_plain(_("Conversation closed"), event), icon="check")


@describes(EventType.CONVERSATION_REOPENED)
def describe_reopened(event: Event) -> Words:
    return Words(_plain(_("Conversation opened again"), event), icon="arrow-path")


def line_of(event: Any) -> str:
    """What somebody did with a conversation, as a sentence of plain text for its thread."""
    payload, who = event.payload, event.actor or _("Somebody")
    match event.type:
        case EventType.CONVERSATION_ASSIGNED if not payload["assignee"]:
            line = _("{who} assigned this to nobody")
        case EventType.CONVERSATION_ASSIGNED if payload["assignee_id"] == event.actor_id:
            line = _("{who} took this over")
        case EventType.CONVERSATION_ASSIGNED:
            line = _("{who} gave this to {assignee}")
        case EventType.CONVERSATION_SNOOZED:
            line = _("{who} snoozed this until {when}")
        case EventType.CONVERSATION_CLOSED:
            line = _("{who} closed this")
        case _unknown:
            line = _("{who} opened this again")
    return line.format(who=who, assignee=payload.get("assignee"), when=_until(event))


def _until(event: Event) -> str:
    until = event.payload.get("until")
    moment = localtime(datetime.fromisoformat(until)) if until else None
    return date_format(moment, "SHORT_DATETIME_FORMAT") if moment else ""


def _with_source(text: str, event: Event) -> str:
    source = source_in_words(event.payload["source"])
    return format_html("{}, {}", _titled(text, event), source)


def _titled(text: str, event: Event) -> str:
    return _plain(format_html("<b>{}</b>", text), event)


def _plain(text: str, event: Event) -> str:
    """The text with the channel that it is about."""
    channel = event.payload["channel"]
    label = Channel(channel).label if channel in Channel.values else channel
    return format_html("{} · {}", text, label)


def _quote(message: Message | None) -> Quote | None:
    if message is None:
        return None
    return Quote(message.body, message.subject, is_theirs=not message.is_outbound)
