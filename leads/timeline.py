"""A lead's timeline: its events, in words.

Every app describes its events in a module `timeline` of its own, which is found at start-up:

    @describes(EventType.LEAD_WON)
    def describe_won(event): return Words(_("Deal won"), icon="trophy", tone="won")

An event that nobody describes is shown by the name of its type.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from events.models import Event, EventStatus
from events.types import EventType
from leads.models import Lead
from leads.queries import lead_events
from salesflow.accounts.paging import Order, Page

PAGE_SIZE = 30
LAST_FIRST = Order(("occurred_at", "position"), descending=True)


@dataclass(frozen=True)
class Change:
    """From what to what a value went, in words; `label` names it where the sentence does not."""

    old: str
    new: str
    label: str = ""


@dataclass(frozen=True)
class Quote:
    """What somebody wrote; `is_theirs`: it was the lead."""

    text: str
    title: str = ""
    is_theirs: bool = False


@dataclass(frozen=True)
class Words:
    """What an event says.

    Attributes:
        text: a short sentence; markup only through `format_html`.
        icon: a heroicon.
        tone: won, lost, accent, clever, warn, or nothing.
        moved: what the sentence is about went from one value to another.
        changes: what else went from one value to another.
        quote: what somebody wrote.
        problem: why it did not work.
        mark: a figure that belongs to it.
        is_done_by_us: whoever caused the event did this; else it is told without them.
    """

    text: str
    icon: str = "bolt"
    tone: str = ""
    moved: Change | None = None
    changes: Sequence[Change] = ()
    quote: Quote | None = None
    problem: str = ""
    mark: str = ""
    is_done_by_us: bool = True


@dataclass(frozen=True)
class Entry:
    """One event of a timeline."""

    event: Event
    words: Words

    @property
    def is_pending(self) -> bool:
        """Whether a handler has still to run."""
        return self.event.status == EventStatus.PENDING

    @property
    def is_failed(self) -> bool:
        """Whether a handler gave up."""
        return self.event.status == EventStatus.FAILED


@dataclass(frozen=True)
class Timeline:
    """A page of entries, the last that happened first."""

    entries: list[Entry]
    after: str | None = None

    @property
    def is_pending(self) -> bool:
        """Whether it will change by itself."""
        return any(entry.is_pending for entry in self.entries)


Describe = Callable[[Event], Words | None]
Prefetch = Callable[[Sequence[Event]], None]


@dataclass(frozen=True)
class _Description:
    describe: Describe
    prefetch: Prefetch | None


_descriptions: dict[str, _Description] = {}


def describes(*types: str, prefetch: Prefetch | None = None) -> Callable[[Describe], Describe]:
    """Declare how events of these types read; the function returns None to leave one out.

    Args:
        prefetch: called once with all events of a page that its functions describe, to read in one
            query what they need beside the payload.
    """

    def declare(function: Describe) -> Describe:
        for event_type in types:
            _descriptions[str(event_type)] = _Description(function, prefetch)
        return function

    return declare


def timeline_of(lead: Lead, *, after: str = "") -> Timeline:
    """A page of the lead's timeline, in a constant number of queries.

    Args:
        after: the key of the page, from the one before it.
    """
    rows: QuerySet[Event] = lead_events(lead).select_related("actor")
    page = Page.read_or_first(rows, LAST_FIRST, size=PAGE_SIZE, after=after)
    return Timeline(list(_entries(page.rows)), page.after)


def _entries(events: Sequence[Event]) -> Iterator[Entry]:
    wanted: dict[Prefetch, list[Event]] = {}
    for event in events:
        description = _descriptions.get(event.type)
        if description and description.prefetch:
            wanted.setdefault(description.prefetch, []).append(event)
    for prefetch, theirs in wanted.items():
        prefetch(theirs)
    for event in events:
        words = _words(event)
        if words:
            yield Entry(event, words)


def _words(event: Event) -> Words | None:
    description = _descriptions.get(event.type)
    return description.describe(event) if description else Words(event.type_label)


# --- The events that leads publish --------------------------------------------------------------


@describes(EventType.LEAD_CREATED)
def describe_created(event: Event) -> Words:
    text = format_html(_("Lead created from <b>{source}</b>"), source=event.payload["source"])
    return Words(text, icon="user-plus", tone="accent")


@describes(EventType.LEAD_UPDATED)
def describe_updated(event: Event) -> Words:
    changes = [
        change
        for field, values in event.payload["changes"].items()
        for change in _changes(field, values["old"], values["new"])
    ]
    return Words(_("Lead edited"), icon="pencil", changes=changes)


@describes(EventType.LEAD_STAGE_CHANGED)
def describe_move(event: Event) -> Words:
    moved = Change(event.payload["from_stage"] or "–", event.payload["stage"])
    return Words(_("Stage changed"), icon="arrow-right", tone="accent", moved=moved)


@describes(EventType.LEAD_ASSIGNED)
def describe_assignment(event: Event) -> Words:
    owner = event.payload["owner"]
    if not owner:
        return Words(_("Assigned to nobody"), icon="user")
    return Words(format_html(_("Assigned to <b>{owner}</b>"), owner=owner), icon="user")


@describes(EventType.LEAD_WON)
def describe_won(event: Event) -> Words:
    return Words(_closed(_("Deal won"), event.payload), icon="trophy", tone="won")


@describes(EventType.LEAD_LOST)
def describe_lost(event: Event) -> Words:
    text = _closed(_("Deal lost"), event.payload)
    return Words(text, icon="flag", tone="lost", quote=Quote(event.payload["reason"]))


@describes(EventType.LEAD_MERGED)
def describe_merge(event: Event) -> Words:
    text = format_html(_("Merged with <b>{name}</b>"), name=event.payload["merged_name"])
    return Words(text, icon="arrows-pointing-in")


@describes(EventType.NOTE_ADDED)
def describe_note(event: Event) -> Words:
    return Words(_("Note"), icon="pencil-square", tone="warn", quote=Quote(event.payload["body"]))


@describes(EventType.COLLEAGUE_MENTIONED)
def describe_mention(_event: Event) -> None:
    """Nothing: the note says it."""


@describes(EventType.TASK_CREATED, EventType.TASK_ASSIGNED)
def describe_task(event: Event) -> Words:
    is_new, name = event.type == EventType.TASK_CREATED, event.payload["assignee"]
    text = _("Task added") if is_new else _("Task assigned")
    icon = "clipboard-document-list" if is_new else "user"
    if not is_new and not name:
        text = _("Task given to whoever takes it")
    return Words(_with_name(text, name), icon=icon, quote=Quote(event.payload["title"]))


@describes(EventType.TASK_COMPLETED)
def describe_completion(event: Event) -> Words:
    title = Quote(event.payload["title"])
    return Words(_("Task done"), icon="clipboard-document-check", tone="won", quote=title)


@describes(EventType.TASK_SKIPPED)
def describe_skip(event: Event) -> Words:
    reason, title = event.payload["reason"], event.payload["title"]
    quote = Quote(reason, title) if reason else Quote(title)
    return Words(_("Task skipped"), icon="forward", quote=quote)


@describes(EventType.MEETING_BOOKED)
def describe_meeting(event: Event) -> Words:
    when, title = _moment(event.payload["starts_at"]), Quote(event.payload["title"])
    text = format_html(_("Meeting booked for <b>{when}</b>"), when=when)
    by_us = event.payload["booked_by_id"] is not None
    return Words(text, icon="calendar-days", tone="accent", quote=title, is_done_by_us=by_us)


def _with_name(text: str, name: str) -> str:
    return format_html("{} · <b>{}</b>", text, name) if name else text


def _closed(text: str, payload: dict[str, Any]) -> str:
    if payload["value"] is None:
        return format_html("<b>{}</b>", text)
    value = f"{_amount(payload['value'])} {payload['currency']}"
    return format_html("<b>{}</b> · {}", text, value)


def _amount(value: str) -> str:
    amount = Decimal(value)
    places = 0 if amount == amount.to_integral_value() else 2
    return number_format(amount, decimal_pos=places, force_grouping=True)


def _changes(field: str, old: Any, new: Any) -> Iterator[Change]:
    if field == "custom_fields":
        old, new = old or {}, new or {}
        for name in sorted({*old, *new}):
            if old.get(name) != new.get(name):
                yield Change(_text(old.get(name)), _text(new.get(name)), name)
    elif field.endswith("_at"):
        before, after = (_moment(value) if value else "–" for value in (old, new))
        yield Change(before, after, field_label(field))
    elif field == "value":
        before, after = (_amount(value) if value else "–" for value in (old, new))
        yield Change(before, after, field_label(field))
    else:
        yield Change(_text(old), _text(new), field_label(field))


def _moment(value: str) -> str:
    return date_format(localtime(datetime.fromisoformat(value)), "SHORT_DATETIME_FORMAT")


def _text(value: Any) -> str:
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return "–" if value in (None, "") else str(value)


def field_label(field: str) -> str:
    """The name of a lead's field, as people say it."""
    contact_points = {
        "emails": _("E-mail addresses"),
        "phones": _("Phone numbers"),
        "profiles": _("LinkedIn profiles"),
    }
    if field in contact_points:
        return contact_points[field]
    return str(capfirst(Lead._meta.get_field(field).verbose_name))  # type: ignore[union-attr]
