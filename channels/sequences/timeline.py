"""How events about sequences read on a lead's timeline."""

from datetime import datetime

from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from channels.models import Channel
from channels.sequences.payloads import NOT_ENROLLED
from channels.sequences.words import ending_in_words, obstacle_in_words
from events.models import Event
from events.types import EventType
from leads.timeline import Words, describes

ICON = "queue-list"


@describes(EventType.SEQUENCE_ENROLLED)
def describe_enrolled(event: Event) -> Words:
    text = format_html(_("Came into the sequence <b>{sequence}</b>"), sequence=_name(event))
    return Words(
        text, icon=ICON, tone="accent", is_done_by_us=event.payload.get("source") != "rule"
    )


@describes(EventType.SEQUENCE_STEP_EXECUTED)
def describe_step(event: Event) -> Words | None:
    """Nothing of messages and tasks: those tell of themselves."""
    payload = event.payload
    if payload.get("kind") == "wait" or payload.get("outcome") in ("queued", "prepared", "task"):
        return None
    told = {"sequence": _name(event), "step": payload["step"]}
    if payload.get("branch") is not None:
        text = _("<b>{sequence}</b>: the condition of step {step} holds")
        otherwise = _("<b>{sequence}</b>: the condition of step {step} does not hold")
        sentence = text if payload["branch"] else otherwise
        return Words(format_html(sentence, **told), icon=ICON, is_done_by_us=False)
    channel = payload.get("channel", "")
    mark = str(Channel(channel).label) if channel in Channel.values else channel
    text = format_html(_("<b>{sequence}</b>: step {step}"), **told)
    return Words(text, icon=ICON, mark=mark, is_done_by_us=False)


@describes(EventType.SEQUENCE_PAUSED)
def describe_paused(event: Event) -> Words:
    until = event.payload.get("until")
    if not until:
        text = format_html(_("<b>{sequence}</b> was paused"), sequence=_name(event))
        return Words(text, icon="pause-circle")
    day = date_format(localtime(datetime.fromisoformat(until)), "SHORT_DATE_FORMAT")
    text = format_html(
        _("<b>{sequence}</b> waits until {day}: they are away"), sequence=_name(event), day=day
    )
    return Words(text, icon="pause-circle", is_done_by_us=False)


@describes(EventType.SEQUENCE_RESUMED)
def describe_resumed(event: Event) -> Words:
    text = format_html(_("<b>{sequence}</b> goes on"), sequence=_name(event))
    return Words(text, icon="play-circle")


@describes(EventType.SEQUENCE_BLOCKED)
def describe_blocked(event: Event) -> Words:
    payload = event.payload
    says = _("<b>{sequence}</b> waits for somebody")
    if payload["reason"] == NOT_ENROLLED:
        says = _("<b>{sequence}</b> did not begin")
    return Words(
        format_html(says, sequence=_name(event)),
        icon="hand-raised",
        tone="warn",
        problem=obstacle_in_words(payload["reason"], payload.get("names", [])),
        is_done_by_us=False,
    )


@describes(EventType.SEQUENCE_FINISHED)
def describe_finished(event: Event) -> Words:
    reason = event.payload["reason"]
    text = format_html(_("<b>{sequence}</b> has ended"), sequence=_name(event))
    return Words(
        text,
        icon=ICON,
        tone="won" if reason == "won" else "",
        mark=ending_in_words(reason),
        is_done_by_us=reason == "by_hand",
    )


def _name(event: Event) -> str:
    return event.payload.get("sequence") or _("Sequence")
