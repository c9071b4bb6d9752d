"""Planning a replay in the admin: what is meant, what that is exactly, and the start."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from events import replays
from events.console.listing import Count, Listing
from events.console.pages import console_page, console_path
from events.console.permissions import EDIT, EXTERNAL, REPLAY, allowed, require
from events.models import EventStatus, Replay
from events.replays.actions import HIGHEST_STOP_PERCENT, STOP_PERCENT, TooLate
from events.replays.counting import MOST_COUNTED
from events.replays.meaning import names_failures
from events.replays.outlook import Outlook, handlers_of, outlook_of, ticked_by_default
from events.replays.progress import visible_replays
from events.selections import Selection
from salesflow.accounts.admin_scope import sees_many_tenants
from salesflow.accounts.models import Tenant

HIGHEST_PACE = 100_000


# --- What is meant ------------------------------------------------------------------------------


def plan_view(request: HttpRequest) -> HttpResponse:
    """Say what the address selects; a POST freezes it, and leads to its plan."""
    require(request, REPLAY)
    try:
        selection = Selection.from_query(request.GET)
    except ValidationError as error:
        return _refused(request, error.message_dict)
    if request.method == "POST":
        return plan(request, selection)
    count = _number_of(selection, request.user)
    return console_page(
        request,
        "admin/events/replay/selection.html",
        title=_("Replay"),
        described=selection.described(request.user),
        number=str(count),
        least=count.number + count.has_more,
        list_url=list_url(selection),
    )


def _number_of(selection: Selection, user: Any) -> Count:
    """How many events a plan would freeze."""
    listing = Listing(selection, user)
    return listing.count() if names_failures(selection) else listing.count_given_up()


def plan(request: HttpRequest, selection: Selection) -> HttpResponse:
    """Freeze what the user may see of a selection, and go to the plan."""
    require(request, REPLAY)
    user: Any = request.user
    replay = replays.plan_for_page(selection, actor=user)
    return redirect("admin:events_replay_change", replay.pk)


def _refused(request: HttpRequest, errors: dict[str, list[str]]) -> HttpResponse:
    template = "admin/events/replay/selection.html"
    return console_page(request, template, title=_("Replay"), status=400, errors=errors)


def list_url(selection: Selection) -> str:
    """The list of the selected events."""
    return f"{reverse('admin:events_event_changelist')}?{selection.as_query()}"


def plan_url(selection: Selection) -> str:
    """Where a selection is planned: a POST does so at once."""
    return f"{reverse('admin:events_event_replay')}?{selection.as_query()}"


# --- The plan -----------------------------------------------------------------------------------


class StartForm(forms.Form):
    """Why, at which handlers, how carefully and how fast."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        strip=True,
        help_text=gettext_lazy("Stays on record: what was broken, and what was mended."),
        widget=forms.Textarea(attrs={"rows": 2, "class": "event-input"}),
    )
    handlers = forms.MultipleChoiceField(label=gettext_lazy("Handlers"), required=False)
    again = forms.MultipleChoiceField(label=gettext_lazy("Once more"), required=False)
    has_canary = forms.BooleanField(
        label=gettext_lazy("Canary first: 1, then 10, then 100 events, then the rest"),
        required=False,
        initial=True,
    )
    stop_percent = forms.IntegerField(
        label=gettext_lazy("Stop by itself above … % failures"),
        required=False,
        min_value=0,
        max_value=HIGHEST_STOP_PERCENT,
        initial=STOP_PERCENT,
        help_text=gettext_lazy("Empty: go on whatever fails. A canary always has a limit."),
        widget=forms.NumberInput(attrs={"class": "event-input"}),
    )
    pace = forms.IntegerField(
        label=gettext_lazy("Events per second at most"),
        required=False,
        min_value=1,
        max_value=HIGHEST_PACE,
        help_text=gettext_lazy("Empty: as fast as the workers can."),
        widget=forms.NumberInput(attrs={"class": "event-input"}),
    )

    def __init__(self, data: Any, replay: Replay) -> None:
        super().__init__(data)
        self.replay, self.planned = replay, handlers_of(replay)
        installed = [each for each in self.planned if each.is_installed]
        self._names = {
            "handlers": [each.name for each in installed if each.number],
            "again": [each.name for each in installed if each.succeeded],
        }
        for field, names in self._names.items():
            self.fields[field].choices = [(name, name) for name in names]  # type: ignore[attr-defined]

    def clean_again(self) -> list[str]:
        """Those that run once more; without them, something else has to run."""
        again: list[str] = self.cleaned_data["again"]
        if not again and "handlers" in self.cleaned_data and not self.cleaned_data["handlers"]:
            self.add_error("handlers", _("Tick at least one handler."))
        return again

    @property
    def ticked(self) -> list[str]:
        """The handlers that are ticked where they failed, or would be."""
        return self._given("handlers", ticked_by_default(self.planned))

    @property
    def ticked_again(self) -> list[str]:
        """The handlers that are ticked though they have succeeded; none, unless they were named."""
        return self._given("again", self.replay.again)

    def _given(self, field: str, otherwise: list[str]) -> list[str]:
        given = self.data.getlist(field) if self.is_bound else otherwise  # type: ignore[attr-defined]
        return [name for name in given if name in self._names[field]]

    @property
    def reaches_out(self) -> bool:
        """Whether a handler is ticked that replays leave out by default."""
        ticked = {*self.ticked, *self.ticked_again}
        return any(each.is_left_out for each in self.planned if each.name in ticked)

    @property
    def outlook(self) -> Outlook:
        """What would happen, as it is filled in."""
        pace = self.data.get("pace", "") if self.is_bound else ""
        is_number = pace.isascii() and pace.isdigit() and len(pace) < 7
        each_second = int(pace) or None if is_number else None
        return outlook_of(self.replay, self.ticked, each_second, again=self.ticked_again)

    def options(self) -> dict[str, Any]:
        """What `replays.start` takes, of a valid form."""
        given = {**self.cleaned_data, "include_external": self.reaches_out}
        planned = {
            each.name
            for each in self.planned
            if each.number and each.is_meant and (self.reaches_out or not each.is_left_out)
        }
        if set(given["handlers"]) == planned and set(given["again"]) == set(self.replay.again):
            return {**given, "handlers": (), "again": None}
        return given


def plan_page(
    request: HttpRequest, replay: Replay, form: StartForm | None = None
) -> TemplateResponse:
    """What a plan holds, and the form that starts it."""
    form = form or StartForm(None, replay)
    selection = selection_of(replay)
    may = allowed(request.user)
    return console_page(
        request,
        "admin/events/replay/plan.html",
        title=_("Replay"),
        status=400 if form.is_bound else 200,
        replay=replay,
        form=form,
        ticked=form.ticked,
        ticked_again=form.ticked_again,
        outlook=form.outlook,
        may_start=may.replay and (may.edit or replay.kind == Replay.Kind.REPLAY),
        wanted_to_start="replay" if replay.kind == Replay.Kind.REPLAY else "edit",
        described=selection.described(request.user),
        list_url=list_url(selection),
        types=_by_number(replay.plan.get("types", {})),
        tenants=_tenants_of(replay) if sees_many_tenants(request) else [],
        left_out=_left_out_of(replay),
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
    context = {"outlook": StartForm(request.GET, replay).outlook}
    return TemplateResponse(request, "admin/events/replay/outlook.html", context)


# --- The start ----------------------------------------------------------------------------------


@require_POST
def start_view(request: HttpRequest, replay_id: UUID) -> HttpResponse:
    """Start a plan as its form says, with a reason."""
    require(request, REPLAY)
    replay = found(request, replay_id)
    form = StartForm(request.POST, replay)
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
    console_path("events/replay/<uuid:replay_id>/outlook/", outlook_view, "replay_outlook"),
    console_path("events/replay/<uuid:replay_id>/start/", start_view, "replay_start"),
]
