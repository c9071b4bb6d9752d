"""One replay in the admin: how far it is, what came of it, and what people do with it."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from events import audit, replays
from events.console.addresses import CORRECT, GIVE_UP, list_url, plan_url
from events.console.pages import console_page, console_path
from events.console.permissions import EDIT, EXTERNAL, REPLAY, VIEW, require
from events.console.reasons import given_reason
from events.console.replay_plans import (
    found,
    plan_page,
    selection_of,
)
from events.models import Event, FailureGroup, Replay, ReplayItem
from events.replays import TooLate
from events.replays.actions import HIGHEST_PACE
from events.replays.judging import stopped_sentence
from events.replays.progress import (
    Outcome,
    counts_of,
    failed_again,
    new_failures,
    outcomes,
    skipped_in,
    speed_of,
    waits_of,
)
from events.selections import Selection
from salesflow.accounts.admin_scope import sees_many_tenants
from salesflow.accounts.models import User
from salesflow.accounts.queries import visible_rows

Status = Replay.Status
ItemStatus = ReplayItem.Status
ITEMS_SHOWN, LINES_SHOWN = 100, 20
# Items of the CSV that are read at once: the download begins with the first of them.
CSV_CHUNK = 250
# In the order in which an admin wants to read them, and in that of the bar.
ORDER = [
    ItemStatus.FAILED,
    ItemStatus.SKIPPED,
    ItemStatus.RELEASED,
    ItemStatus.WAITING,
    ItemStatus.SUCCEEDED,
]
BAR = [ORDER[4], ORDER[0], ORDER[1], ORDER[2], ORDER[3]]
# The first of these of which there are some is shown, unless the address names another one.
SHOWN_FIRST = [*ORDER[:3], ItemStatus.SUCCEEDED, ItemStatus.WAITING]


# --- How far it is ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """The items of a replay that have one status, as a piece of a bar of length 100."""

    status: str
    label: Any
    count: int
    start: float
    width: float


def parts_of(replay: Replay) -> list[Part]:
    """How far the replay has come, from left to right."""
    counts, parts, start = counts_of(replay), [], 0.0
    for status in BAR:
        width = 100 * counts[status] / max(1, replay.selected)
        is_given_up = replay.gives_up and status == ItemStatus.SUCCEEDED
        label = _("Given up") if is_given_up else status.label
        parts.append(Part(status, label, counts[status], round(start, 3), round(width, 3)))
        start += width
    return parts


def replay_view(request: HttpRequest, object_id: str) -> HttpResponse:
    """The page of a plan, or of a replay that was started."""
    require(request, VIEW)
    replay = found(request, _id_of(object_id))
    if replay.status == Status.PLANNED:
        return plan_page(request, replay)
    selection = selection_of(replay)
    group = selection.group
    parts = {part.status: part for part in parts_of(replay)}
    shown = request.GET.get("show", "")
    if shown not in parts:
        shown = next((status for status in SHOWN_FIRST if parts[status].count), ORDER[0])
    items = ReplayItem.objects.filter(replay=replay, status=shown).order_by("id")[:ITEMS_SHOWN]
    return console_page(
        request,
        "admin/events/replay/page.html",
        title=replay.reason or replay.get_kind_display(),
        described=selection.described(request.user),
        list_url=list_url(selection) if replay.plan else "",
        failure_url=reverse("admin:events_failure", args=[group]) if group else "",
        plan_url=_plan_of_rest(replay, selection) if replay.plan else "",
        tabs=[parts[status] for status in ORDER],
        shown=shown,
        rows=outcomes(list(items), _events_of(request)) if replay.started_at else [],
        items_shown=ITEMS_SHOWN,
        skipped=skipped_in(replay),
        lines=audit.lines_about(replay, request.user)[:LINES_SHOWN],
        many_tenants=sees_many_tenants(request),
        acts=acts_of(replay),
        may_pace=replay.status in (Status.RUNNING, Status.PAUSED, Status.STOPPED),
        highest_pace=HIGHEST_PACE,
        **_progress(replay, request),
    )


def _plan_of_rest(replay: Replay, selection: Selection) -> str:
    """Where what a replay has left is planned; a correction needs its patch again, or another."""
    if replay.kind == Replay.Kind.CORRECTION:
        return plan_url(selection, CORRECT)
    if replay.gives_up:
        return plan_url(selection, GIVE_UP)
    return plan_url(selection)


def _id_of(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)


def _events_of(request: HttpRequest) -> QuerySet[Event]:
    return visible_rows(request.user, Event).select_related("tenant").defer("payload")


def progress_view(request: HttpRequest, replay_id: UUID) -> HttpResponse:
    """The part of the page that refreshes itself; the whole of it when the status changes."""
    require(request, VIEW)
    replay = found(request, replay_id)
    template = "admin/events/replay/progress.html"
    response = TemplateResponse(request, template, _progress(replay, request))
    if request.GET.get("status", replay.status) != replay.status:
        response["HX-Refresh"] = "true"
    return response


def _progress(replay: Replay, request: HttpRequest) -> dict[str, Any]:
    parts, groups = parts_of(replay), visible_rows(request.user, FailureGroup)
    counts = {part.status: part.count for part in parts}
    may_move = bool(counts[ItemStatus.RELEASED]) or replay.status == Status.RUNNING
    stopped = replay.plan.get("stopped")
    return {
        "replay": replay,
        "parts": parts,
        "done": replay.selected - counts[ItemStatus.WAITING] - counts[ItemStatus.RELEASED],
        "is_live": may_move or replay.status == Status.PLANNING,
        "is_running": replay.status == Status.RUNNING,
        "speed": speed_of(replay, request.GET.get("since", "")),
        "waits": waits_of(replay) if counts[ItemStatus.RELEASED] else [],
        "causes": failed_again(replay, groups) if replay.failed else [],
        "new_failures": new_failures(replay, groups) if replay.started_at else None,
        "stopped": stopped_sentence(stopped) if stopped else replay.stopped_because,
        "untouched": counts[ItemStatus.WAITING],
    }


# --- What people do -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Act:
    """Something that can be done with a replay in its present status.

    Attributes:
        name: what the button sends.
        needs_reason: whether it is refused without one.
    """

    name: str
    text: Any
    icon: str
    needs_reason: bool = False


def acts_of(replay: Replay) -> list[Act]:
    """What can be done with it now."""
    cancel = Act("cancel", _("Cancel"), "cancel")
    match replay.status:
        case Status.RUNNING:
            return [Act("pause", _("Pause"), "pause"), cancel]
        case Status.PAUSED:
            return [Act("resume", _("Resume"), "play_arrow"), cancel]
        case Status.STOPPED if not replay.pruned_at:
            anyway = Act("resume", _("Continue anyway"), "play_arrow", needs_reason=True)
            return [anyway, cancel]
        case Status.PLANNING | Status.PLANNED:
            return [cancel]
    return []


@require_POST
def act_view(request: HttpRequest, replay_id: UUID) -> HttpResponse:
    """Pause, resume, cancel, or change the pace; who comes too late is told so."""
    require(request, REPLAY)
    replay = found(request, replay_id)
    name, user = request.POST.get("act", ""), cast(User, request.user)
    try:
        reason = given_reason(request)
        if name == "pause":
            replays.pause(replay, actor=user, reason=reason)
        elif name == "cancel":
            replays.cancel(replay, actor=user, reason=reason)
        elif name == "resume":
            _resume(request, replay, reason)
        elif name == "pace":
            replays.change_pace(replay, _pace_of(request.POST.get("pace", "")), actor=user)
        elif name == "no_pace":
            replays.change_pace(replay, None, actor=user)
        else:
            raise PermissionDenied
    except ValidationError as invalid:
        messages.warning(request, " ".join(invalid.messages))
    except (TooLate, ValueError) as refused:
        messages.warning(request, str(refused))
    return redirect("admin:events_replay_change", replay.pk)


def _resume(request: HttpRequest, replay: Replay, reason: str) -> None:
    """Resume it, as whoever might have started it."""
    if replay.include_external:
        require(request, EXTERNAL)
    if replay.kind == Replay.Kind.CORRECTION:
        require(request, EDIT)
    user: Any = request.user
    replays.resume(replay, actor=user, reason=reason)


def _pace_of(text: str) -> int:
    """The pace in a form; an empty field is none, since no limit has a button of its own.

    Raises:
        ValueError: it is no number that a pace can be.
    """
    given = text.strip()
    if given.isascii() and given.isdigit() and len(given) < 9 and 1 <= int(given) <= HIGHEST_PACE:
        return int(given)
    raise ValueError(_("Give a whole number from 1 to %(most)d.") % {"most": HIGHEST_PACE})


# --- What came of it ----------------------------------------------------------------------------


class Echo:
    """What a CSV writer writes to: it hands every line on."""

    def write(self, line: str) -> str:
        """The line."""
        return line


COLUMNS: dict[str, Callable[[Outcome], Any]] = {
    "event": lambda outcome: outcome.item.event_id,
    "type": lambda outcome: outcome.event.type if outcome.event else "",
    "tenant": lambda outcome: outcome.event.tenant.slug if outcome.event else "",
    "subject_type": lambda outcome: outcome.event.subject_type if outcome.event else "",
    "subject": lambda outcome: outcome.event.subject_id or "" if outcome.event else "",
    "recorded": lambda outcome: outcome.event.created_at.isoformat() if outcome.event else "",
    "outcome": lambda outcome: outcome.item.status,
    "note": lambda outcome: outcome.item.note,
    "failed_as_before": lambda outcome: "yes" if outcome.item.came_back else "",
    "correction": lambda outcome: outcome.item.correction_id or "",
    "error": lambda outcome: outcome.error,
}
# A spreadsheet takes what begins with one of these for a formula.
# Source: OWASP, “CSV Injection”.
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_view(request: HttpRequest, replay_id: UUID) -> StreamingHttpResponse:
    """What came of every item, line by line, however many there are."""
    require(request, VIEW)
    replay = found(request, replay_id)
    writer = csv.writer(Echo())
    lines = (writer.writerow(line) for line in _csv_lines(replay, _events_of(request)))
    name = f'attachment; filename="replay-{replay.pk}.csv"'
    content_type = "text/csv; charset=utf-8"
    return StreamingHttpResponse(lines, content_type, headers={"Content-Disposition": name})


def _csv_lines(replay: Replay, events: QuerySet[Event]) -> Iterator[list[str]]:
    yield list(COLUMNS)
    last = 0
    while items := list(replay.items.filter(pk__gt=last).order_by("pk")[:CSV_CHUNK]):
        last = items[-1].pk
        for outcome in outcomes(items, events):
            yield [_harmless(str(value_of(outcome))) for value_of in COLUMNS.values()]


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULAS) else text


urls = [
    console_path("events/replay/<uuid:replay_id>/progress/", progress_view, "replay_progress"),
    console_path("events/replay/<uuid:replay_id>/act/", act_view, "replay_act"),
    console_path("events/replay/<uuid:replay_id>/items.csv", csv_view, "replay_csv", seconds=None),
]
