"""What the admin shows of one event and of one replay: reading only, a fixed number of queries."""

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import F, Func, IntegerField, QuerySet, TextField, Value
from django.db.models.functions import Cast, Left, Length
from django.http import HttpRequest
from django.urls import reverse

from events import registry
from events.models import Delivery, Event, EventStatus, Replay
from events.replays.progress import visible_replays
from salesflow.accounts.admin_pagination import MOST_COUNTED
from salesflow.accounts.queries import visible_rows

# Characters of a payload on the event's page; the rest is in its download.
PAYLOAD_SHOWN = 20_000
RELATED_SHOWN = 20

# Characters that change the direction of the text after them, and would let a payload be read in
# another order than it is written. They are shown by their JSON escapes.
# Source: Unicode Standard Annex 9, section 2.
DIRECTIONAL = {
    code: f"\\u{code:04x}"
    for code in (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


def with_payload_text(events: QuerySet[Event]) -> QuerySet[Event]:
    """The events with `payload_text`, indented, cut off after PAYLOAD_SHOWN, and `payload_size`.

    The database indents: a payload as deep as it could be stored is never parsed here.
    """
    pretty = Func(F("payload"), function="jsonb_pretty", output_field=TextField())
    size = Length(Cast("payload", TextField()), output_field=IntegerField())
    return events.annotate(payload_text=Left(pretty, Value(PAYLOAD_SHOWN)), payload_size=size)


@dataclass
class HandlerRow:
    """A delivery, as the event's page shows it."""

    delivery: Delivery
    is_external: bool
    is_installed: bool

    @property
    def attempts(self) -> list[Any]:
        """The tries on record, the last one first."""
        return sorted(self.delivery.history.all(), key=lambda attempt: -attempt.number)


def event_page(event: Event, request: HttpRequest) -> dict[str, Any]:
    """The template's context for an event that was read with its deliveries and their history."""
    rows = [_handler_row(delivery) for delivery in event.deliveries.all()]
    payload = event.payload_text.translate(DIRECTIONAL)  # type: ignore[attr-defined]
    siblings = Event.unscoped.filter(tenant_id=event.tenant_id).defer("payload").order_by("id")
    return {
        "event": event,
        "rows": rows,
        "failure": next((row for row in rows if row.delivery.error and row.attempts), None),
        "payload": payload,
        "payload_is_cut": len(event.payload_text) >= PAYLOAD_SHOWN,  # type: ignore[attr-defined]
        "subject_url": subject_url(event),
        "cause": siblings.filter(pk=event.cause_id).first() if event.cause_id else None,
        "caused": first_of(siblings.filter(cause_id=event.id)),
        "same_request": first_of(_of_the_same_request(event, siblings)),
        "replays": _replays_of(rows, request),
    }


def _handler_row(delivery: Delivery) -> HandlerRow:
    handler = registry.get_handler(delivery.handler)
    return HandlerRow(delivery, bool(handler and handler.is_external), handler is not None)


def _of_the_same_request(event: Event, siblings: QuerySet[Event]) -> QuerySet[Event]:
    if not event.request_id:
        return siblings.none()
    return siblings.filter(request_id=event.request_id).exclude(pk=event.pk)


def first_of(rows: QuerySet[Any]) -> dict[str, Any]:
    """The first rows, and whether there are more."""
    found = list(rows[: RELATED_SHOWN + 1])
    return {"rows": found[:RELATED_SHOWN], "more": len(found) > RELATED_SHOWN}


def _replays_of(rows: list[HandlerRow], request: HttpRequest) -> list[Replay]:
    """The replays that ran one of the handlers again, as their attempts tell."""
    tries = [attempt.replay_id for row in rows for attempt in row.attempts]
    ids = {id_ for id_ in [*tries, *(row.delivery.replay_id for row in rows)] if id_}
    return list(visible_replays(request.user).filter(pk__in=ids)) if ids else []


def subject_url(event: Event) -> str:
    """Where the admin shows what the event is about, if it does."""
    for model, page in admin.site._registry.items():
        if model._meta.model_name == event.subject_type and event.subject_id:
            options = page.opts
            name = f"admin:{options.app_label}_{options.model_name}_change"
            return reverse(name, args=[event.subject_id])
    return ""


# --- Overview -----------------------------------------------------------------------------------


def overview(user: Any) -> dict[str, Any]:
    """What the admin's first page says of the events that the user may see; four queries."""
    events = visible_rows(user, Event).defer("payload").select_related("tenant")
    failed = events.filter(status=EventStatus.FAILED).order_by("-created_at")
    pending = events.filter(status=EventStatus.PENDING).order_by("due_at")
    return {
        "failed": count_up_to(failed),
        "pending": count_up_to(pending),
        "running": list(visible_replays(user).filter(status=Replay.Status.RUNNING)[:RELATED_SHOWN]),
        "newest_failures": list(failed[:10]),
    }


def count_up_to(rows: QuerySet[Any], most: int = MOST_COUNTED) -> str:
    """How many rows, in words: “10,000+” when there are more than were counted."""
    number = rows.order_by()[: most + 1].count()
    return f"{intcomma(most)}+" if number > most else intcomma(number)


def failed_events(user: Any, most: int) -> str:
    """How many visible events failed, in words; empty when none did."""
    counted = count_up_to(visible_rows(user, Event).filter(status=EventStatus.FAILED), most)
    return "" if counted == "0" else counted
