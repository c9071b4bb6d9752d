"""The event list: narrowed by its address, which can be sent to a colleague."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from events import registry
from events.console.addresses import GIVE_UP, PLAN, list_url, plan_url, with_query
from events.console.listing import LONGEST_WAITING_FIRST, Listing
from events.console.pages import console_page, console_part
from events.console.permissions import REPLAY, VIEW, require
from events.models import Event, EventStatus
from events.payloads import payload_types
from events.selections import Selection
from events.types import EventType
from salesflow.accounts.admin_scope import sees_many_tenants
from salesflow.accounts.models import Tenant
from salesflow.accounts.paging import BadKey, Page
from salesflow.accounts.queries import visible_rows

SEARCH, KEYS, MARK = "q", ("after", "before"), "since"
# Newer events that are counted; and what tells htmx to ask no more.
MOST_NEWER, STOP_POLLING = 100, 286
# Where the product's own events come from; other apps may name sources of their own.
KNOWN_SOURCES = ["web", "api", "admin", "import", "handler", "system"]
WINDOWS = {
    gettext_lazy("15 minutes"): timedelta(minutes=15),
    gettext_lazy("1 hour"): timedelta(hours=1),
    gettext_lazy("24 hours"): timedelta(days=1),
    gettext_lazy("7 days"): timedelta(days=7),
}
# What narrows the list without a field of its own.
NAMED = ("ids", "subject", "request_id", "group")


def event_list(request: HttpRequest) -> HttpResponse:
    """A page of the visible events that the address selects."""
    require(request, VIEW)
    if request.method == "POST":
        return _plan_of_ticked(request)
    if term := request.GET.get(SEARCH, "").strip():
        return redirect(address_of(term, request.user))
    try:
        selection = Selection.from_query(request.GET, also=[SEARCH, *KEYS])
    except ValidationError as error:
        return _refused(request, error)
    if any(not value for value in request.GET.values()):
        return redirect(list_url(selection))  # what a form leaves empty is not worth sending on
    return _listed(request, selection)


def _listed(request: HttpRequest, selection: Selection) -> HttpResponse:
    listing = Listing(selection, request.user)
    page = listing.page(**{name: request.GET.get(name, "") for name in KEYS})
    return console_page(
        request,
        "admin/events/event/list.html",
        title=_("Events"),
        page=page,
        before_url=list_url(selection, before=page.before) if page.before else "",
        after_url=list_url(selection, after=page.after) if page.after else "",
        newer_url=_newer_url(listing, page) if not request.GET.keys() & set(KEYS) else "",
        counted=listing.counted(at_least=len(page.rows)),
        waits_longest_first=listing.order is LONGEST_WAITING_FIRST,
        replay_all_url=plan_url(selection),
        give_up_all_url=""
        if selection.status == EventStatus.PROCESSED
        else plan_url(selection, GIVE_UP),
        windows=list(_windows(selection)),
        chips=list(_chips(selection, request.user)),
        **_form(request, selection),
    )


def newer_events(request: HttpRequest) -> HttpResponse:
    """How many events have come since the list was shown, for the list that is open."""
    require(request, VIEW)
    try:
        selection = Selection.from_query(request.GET, also=[MARK])
        number = Listing(selection, request.user).newer(request.GET.get(MARK, ""), MOST_NEWER)
    except (ValidationError, BadKey):
        number = 0
    return console_part(
        request,
        "admin/events/event/newer.html",
        number=number,
        figure=f"{MOST_NEWER}+" if number > MOST_NEWER else str(number),
        list_url=list_url(selection) if number else "",
        status=STOP_POLLING if number > MOST_NEWER else 200,
    )


def _newer_url(listing: Listing, page: Page[Event]) -> str:
    """Where a first page asks for what is newer; empty where that stands elsewhere."""
    if listing.order is LONGEST_WAITING_FIRST:
        return ""
    query = listing.selection.as_json() | {MARK: listing.mark(page)}
    return with_query("admin:events_event_newer", query)


def _refused(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """The empty list, and what is wrong with its address."""
    return console_page(
        request,
        "admin/events/event/list.html",
        title=_("Events"),
        status=400,
        errors=error.message_dict,
        **_form(request, Selection()),
    )


# --- Addresses ----------------------------------------------------------------------------------


def address_of(term: str, user: Any) -> str:
    """Where somebody wants to go who searches for an event's id, a subject's or a request's."""
    with suppress(ValueError):
        found, events = UUID(term), visible_rows(user, Event)
        if events.filter(pk=found).exists():
            return reverse("admin:events_event_change", args=[found])
        if events.filter(subject_id=found).exists():
            return list_url(Selection(subject=str(found)))
    return list_url(Selection(request_id=term))


def _plan_of_ticked(request: HttpRequest) -> HttpResponse:
    require(request, REPLAY)
    ticked = ",".join(request.POST.getlist(ACTION_CHECKBOX_NAME))
    if not ticked:
        messages.warning(request, _("Tick at least one event."))
        return redirect(request.get_full_path())
    try:
        selection = Selection.from_query({"ids": ticked})
    except ValidationError as error:
        return _refused(request, error)
    return redirect(plan_url(selection, GIVE_UP if request.POST.get("act") == "give_up" else PLAN))


# --- The form -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Field:
    """A way to narrow the list: a choice, or a date and time where there are no choices."""

    name: str
    label: Any
    value: str
    choices: list[tuple[str, Any]]


def _form(request: HttpRequest, selection: Selection) -> dict[str, Any]:
    """What narrows the list, for its template."""
    return {
        "fields": list(_fields(request, selection)),
        "kept": {name: value for name, value in selection.as_json().items() if name in NAMED},
        "many_tenants": sees_many_tenants(request),
        "is_narrowed": selection != Selection(),
    }


def _fields(request: HttpRequest, selection: Selection) -> Iterator[Field]:
    told = selection.as_json()
    for name, (label, choices) in _choices(request).items():
        value = told.get(name, "")
        # An address may name a source or a handler that is not offered.
        known = (
            dict(choices)
            if not value
            else {**dict(choices), value: dict(choices).get(value, value)}
        )
        yield Field(name, label, value, list(known.items()))
    yield Field("recorded_after", _("Recorded since"), _local(selection.recorded_after), [])
    yield Field("recorded_before", _("Recorded before"), _local(selection.recorded_before), [])


def _choices(request: HttpRequest) -> dict[str, tuple[Any, list[tuple[str, Any]]]]:
    """What each field offers: name → label and choices."""
    labels = dict(EventType.choices)
    types = [
        (name, f"{name} · {labels[name]}" if name in labels else name) for name in payload_types()
    ]
    handlers = [(handler.name, handler.name) for handler in registry.all_handlers()]
    offered: dict[str, tuple[Any, list[tuple[str, Any]]]] = {
        "status": (_("Status"), list(EventStatus.choices)),
        "type": (_("Type"), sorted(types)),
        "handler": (_("Handler"), handlers),
        "source": (_("Source"), [(name, name) for name in KNOWN_SOURCES]),
    }
    if sees_many_tenants(request):
        tenants = visible_rows(request.user, Tenant).order_by("name").values_list("id", "name")
        offered["tenant"] = (_("Tenant"), [(str(id_), name) for id_, name in tenants])
    return offered


def _local(moment: datetime | None) -> str:
    """As a date and time field wants it: in the reader's time zone, which it does not name."""
    if moment is None:
        return ""
    return timezone.make_naive(moment).isoformat(timespec="seconds")


def _windows(selection: Selection) -> Iterator[tuple[Any, str]]:
    """The last while, in several lengths: label and address."""
    now = timezone.now().replace(second=0, microsecond=0)
    for label, length in WINDOWS.items():
        chosen = replace(selection, recorded_after=now - length, recorded_before=None)
        yield label, list_url(chosen)


def _chips(selection: Selection, user: Any) -> Iterator[tuple[str, str, str]]:
    """What narrows the list without a field of its own: label, value, the address without it."""
    told = selection.as_json()
    for name in (each for each in NAMED if each in told):
        [(label, text)] = Selection.from_json({name: told[name]}).described(user)
        rest = {other: value for other, value in told.items() if other != name}
        yield label, text, list_url(Selection.from_json(rest))
