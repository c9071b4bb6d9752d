"""How events about messages read on a lead's timeline."""

from collections.abc import Sequence
from typing import Any

from django.utils.html import format_html
from django.utils.translation import gettext as _

from channels.consents import source_in_words
from channels.models import Channel, LawfulBasis, Message, MessageStatus
from channels.queries import messages_told_of
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
    text = _("The address takes no messages any more") if is_closed else _("A message came back")
    return Words(
        _titled(text, event),
        icon="arrow-uturn-left",
        tone="lost" if is_closed else "warn",
        problem=event.payload["reason"],
        is_done_by_us=False,
    )


def _with_source(text: str, event: Event) -> str:
    source = source_in_words(event.payload["source"])
    return format_html("{}, {}", _titled(text, event), source)


def _titled(text: str, event: Event) -> str:
    channel = event.payload["channel"]
    label = Channel(channel).label if channel in Channel.values else channel
    return format_html("<b>{}</b> · {}", text, label)


def _quote(message: Message | None) -> Quote | None:
    if message is None:
        return None
    return Quote(message.body, message.subject, is_theirs=not message.is_outbound)
