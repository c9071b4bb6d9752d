"""Planning a replay in the admin: what is meant, what that is exactly, and the start."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from events import replays
from events.console.addresses import list_url
from events.console.listing import Count, Listing
from events.console.pages import console_page, console_path
from events.console.permissions import EDIT, EXTERNAL, REPLAY, allowed, require
from events.console.replay_forms import StartForm, form_of
from events.models import EventStatus, Replay
from events.replays.actions import TooLate
from events.replays.counting import MOST_COUNTED
from events.replays.meaning import names_failures
from events.replays.progress import visible_replays
from events.selections import Selection
from salesflow.accounts.admin_scope import sees_many_tenants
from salesflow.accounts.models import Tenant

SELECTION = "admin/events/replay/selection.html"
OTHERS_SHOWN = 5


# --- What is meant ------------------------------------------------------------------------------


def plan_view(request: HttpRequest) -> HttpResponse:
    """Say what the address selects; a POST freezes it, and leads to the plan of its replay."""
    return _select(request, Replay.Kind.REPLAY, _("Replay"))


def give_up_view(request: HttpRequest) -> HttpResponse:
    """The same for what is given up."""
    return _select(request, Replay.Kind.GIVE_UP, _("Give up"))


def _select(request: HttpRequest, kind: Replay.Kind, title: str) -> HttpResponse:
    require(request, REPLAY)
    about: dict[str, Any] = {"title": title, "gives_up": kind == Replay.Kind.GIVE_UP}
    try:
        selection = Selection.from_query(request.GET)
        if request.method == "POST":
            return _plan(request, selection, kind)
    except ValidationError as error:
        errors = error.message_dict
        return console_page(request, SELECTION, status=400, errors=errors, **about)
    count = _number_of(selection, kind, request.user)
    return console_page(
        request,
        SELECTION,
        **about,
        described=selection.described(request.user),
        number=str(count),
        least=count.number + count.has_more,
        list_url=list_url(selection),
    )


def _number_of(selection: Selection, kind: Replay.Kind, user: Any) -> Count:
    """How many events a plan would freeze."""
    if kind == Replay.Kind.GIVE_UP and selection.status == EventStatus.PROCESSED:
        return Count(0)
    listing = Listing(selection, user)
    return listing.count() if names_failures(selection) else listing.count_given_up()


def _plan(request: HttpRequest, selection: Selection, kind: Replay.Kind) -> HttpResponse:
    """Freeze what the user may see of a selection, and go to the plan."""
    user: Any = request.user
    replay = replays.plan_for_page(selection, actor=user, kind=kind)
    return redirect("admin:events_replay_change", replay.pk)


# --- The plan -----------------------------------------------------------------------------------


def plan_page(
    request: HttpRequest, replay: Replay, form: StartForm | None = None
) -> TemplateResponse:
    """What a plan holds, and the form that starts it."""
    form = form or form_of(replay)
    selection = selection_of(replay)
    may, is_correction = allowed(request.user), replay.kind == Replay.Kind.CORRECTION
    return console_page(
        request,
        f"admin/events/replay/{'give_up' if replay.gives_up else 'plan'}.html",
        title=_("Give up") if replay.gives_up else _("Replay"),
        status=400 if form.is_bound else 200,
        replay=replay,
        form=form,
        ticked=form.ticked,
        ticked_again=form.ticked_again,
        outlook=form.outlook,
        may_start=may.replay and (may.edit or not is_correction),
        wanted_to_start="edit" if is_correction else "replay",
        described=selection.described(request.user),
        list_url=list_url(selection),
        types=_by_number(replay.plan.get("types", {})),
        tenants=_tenants_of(replay) if sees_many_tenants(request) else [],
        left_out=_left_out_of(replay),
        others=_others_of(replay, request.user),
    )


def selection_of(replay: Replay) -> Selection:
    """What was selected; nothing in particular for a replay by the API."""
    return Selection.from_json(replay.selection)


def _by_number(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def _tenants_of(replay: Replay) -> list[tuple[str, int]]:
    counts = _by_number(replay.plan.get("tenants", {}))
    names = {str(tenant.pk): tenant.name for tenant in Tenant.objects.filter(pk__in=dict(counts))}
    return [(names.get(tenant_id, tenant_id), number) for tenant_id, number in counts]


def _others_of(replay: Replay, user: Any) -> list[Replay]:
    """Replays of the same failure that are not over: a canary holds none of them back."""
    if not (group := replay.selection.get("group")):
        return []
    is_open = [Replay.Status.RUNNING, Replay.Status.PAUSED]
    others = visible_replays(user).filter(status__in=is_open, selection__group=group)
    return list(others.exclude(pk=replay.pk).order_by("-id")[:OTHERS_SHOWN])


def _left_out_of(replay: Replay) -> list[tuple[str, str]]:
    """What the selection held beside the failed events, and how many."""
    counts: dict[str, int] = replay.plan.get("left_out", {})
    return [(str(EventStatus(status).label), _capped(number)) for status, number in counts.items()]


def _capped(number: int) -> str:
    return str(Count(min(number, MOST_COUNTED), has_more=number > MOST_COUNTED))


def outlook_view(request: HttpRequest, replay_id: UUID) -> HttpResponse:
    """What the form, as it is filled in now, would do; the page asks while it is filled in."""
    require(request, REPLAY)
    replay = found(request, replay_id)
    context = {"outlook": form_of(replay, request.GET).outlook, "replay": replay}
    return TemplateResponse(request, "admin/events/replay/outlook.html", context)


# --- The start ----------------------------------------------------------------------------------


@require_POST
def start_view(request: HttpRequest, replay_id: UUID) -> HttpResponse:
    """Start a plan as its form says, with a reason."""
    require(request, REPLAY)
    replay = found(request, replay_id)
    form = form_of(replay, request.POST)
    if replay.kind == Replay.Kind.CORRECTION:
        require(request, EDIT)
    if form.reaches_out:
        require(request, EXTERNAL)
    if form.is_valid():
        user: Any = request.user
        try:
            replays.start(replay, actor=user, **form.options())
        except (TooLate, ValueError) as refused:
            messages.warning(request, str(refused))
    elif replay.status == Replay.Status.PLANNED:
        return plan_page(request, replay, form)
    return redirect("admin:events_replay_change", replay.pk)


def found(request: HttpRequest, replay_id: UUID) -> Replay:
    """The replay, if the user may see it; else Http404."""
    rows = visible_replays(request.user).select_related("tenant", "actor")
    replay: Replay = get_object_or_404(rows, pk=replay_id)
    return replay


urls = [
    console_path("events/event/replay/", plan_view, "event_replay", seconds=30.0),
    console_path("events/event/give_up/", give_up_view, "event_give_up", seconds=30.0),
    console_path("events/replay/<uuid:replay_id>/outlook/", outlook_view, "replay_outlook"),
    console_path("events/replay/<uuid:replay_id>/start/", start_view, "replay_start"),
]
