"""Correcting in the console: one event in a form, many by a patch that is previewed."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from events import registry
from events.console.correction_forms import DecisionForm, PatchForm, PayloadForm
from events.console.pages import console_page, console_path
from events.console.permissions import EDIT, EXTERNAL, REPLAY, require
from events.corrections import CorrectionRefused, Patch, correct_event
from events.corrections.checking import payload_class
from events.corrections.previewing import preview_of, read_payload, with_readable_payload
from events.models import Delivery, DeliveryStatus, Event, EventStatus, Replay
from events.replays import plan_for_page
from events.replays.progress import visible_replays
from events.selections import Selection
from salesflow.accounts.admin_pagination import MOST_COUNTED
from salesflow.accounts.queries import visible_rows

SAMPLES, TRIED = 5, 500
CONFLICT = 409


# --- One event ----------------------------------------------------------------------------------


def correct_view(request: HttpRequest, event_id: UUID) -> HttpResponse:
    """The form in which one event is edited and replayed."""
    event = _visible_event(request, event_id)
    try:
        payload = PayloadForm(payload_class(event), read_payload(event), request.POST or None)
    except CorrectionRefused as refused:
        return _refused(request, event, str(refused))
    decision = DecisionForm(_failed_handlers(event), request.POST or None)
    if not decision.failed:
        return _refused(request, event, _("no handler of this event has failed"))
    valid = [form.is_valid() for form in (payload, decision)]
    if request.method == "POST" and all(valid):
        if decision.wants_external():
            require(request, EXTERNAL)
        try:
            return _correct(request, event, payload, decision)
        except ValidationError as invalid:
            payload.tell(invalid)
        except CorrectionRefused as refused:
            return _refused(request, event, str(refused))
    return console_page(
        request,
        "admin/events/corrections/correct.html",
        title=_("Edit and replay"),
        event=event,
        payload=payload,
        decision=decision,
    )


def _visible_event(request: HttpRequest, event_id: UUID) -> Event:
    require(request, EDIT)
    events = visible_rows(request.user, Event).select_related("tenant")
    event = with_readable_payload(events).filter(pk=event_id).first()
    if event is None:
        raise Http404
    return event


def _failed_handlers(event: Event) -> dict[str, bool]:
    """The handlers that failed → whether their effects are external."""
    failed = Delivery.objects.filter(event=event, status=DeliveryStatus.FAILED).order_by("pk")
    names = failed.values_list("handler", flat=True)
    return {name: registry.wants_consent(name) for name in names}


def _correct(
    request: HttpRequest, event: Event, payload: PayloadForm, decision: DecisionForm
) -> HttpResponse:
    correction = correct_event(
        event,
        payload.after(),
        actor=request.user,  # type: ignore[arg-type]
        reason=decision.cleaned_data["reason"],
        handlers=decision.cleaned_data["handlers"],
        include_external=decision.wants_external(),
    )
    messages.success(request, _("The correction was published; this is its page."))
    return redirect("admin:events_event_change", correction.pk)


def _refused(request: HttpRequest, event: Event, why: str) -> HttpResponse:
    """Say that it cannot be corrected, and who was faster if somebody was."""
    corrections = Event.unscoped.filter(corrects_id=event.pk).defer("payload")
    held_by = Delivery.objects.filter(event=event, replay_id__isnull=False).values("replay_id")
    replays = visible_replays(request.user).filter(pk__in=held_by).select_related("actor")
    return console_page(
        request,
        "admin/events/corrections/refused.html",
        title=_("Edit and replay"),
        status=CONFLICT,
        event=event,
        why=why,
        corrections=corrections.select_related("actor").order_by("-id")[:5],
        replays=replays.order_by("-id")[:5],
    )


# --- Many events --------------------------------------------------------------------------------


def patch_view(request: HttpRequest) -> HttpResponse:
    """The patch for a selection: written, previewed on samples, planned as a replay."""
    require(request, EDIT)
    require(request, REPLAY)
    try:
        selection = Selection.from_query(request.GET)
    except ValidationError as invalid:
        return _unreadable(request, invalid.message_dict)
    if not selection.as_json():
        text = _("Open a failure group, or narrow the list of events: one patch does not fit all.")
        return _unreadable(request, {"": [text]})
    events = _failed_events(request, selection)
    form, preview = PatchForm(request.POST or None), None
    patch = form.patch() if request.method == "POST" else None
    previewed = json.dumps(patch.as_json()) if patch else ""
    if patch and request.POST.get("plan") == previewed:
        return _plan(request, selection, patch)
    if patch:
        if "plan" in request.POST:
            messages.warning(request, _("The patch was not previewed as it is now: look again."))
        preview = preview_of(patch, events.order_by("-id"), shown=SAMPLES, tried=TRIED)
    return console_page(
        request,
        "admin/events/corrections/patch.html",
        title=_("Edit and replay many"),
        described=selection.described(request.user),
        number=events.order_by()[: MOST_COUNTED + 1].count(),
        most_counted=MOST_COUNTED,
        form=form,
        preview=preview,
        previewed=previewed,
        tried=TRIED,
    )


def _unreadable(request: HttpRequest, errors: dict[str, list[str]]) -> HttpResponse:
    title = _("Edit and replay many")
    template = "admin/events/corrections/unreadable.html"
    return console_page(request, template, title=title, status=400, errors=errors)


def _failed_events(request: HttpRequest, selection: Selection) -> QuerySet[Event]:
    events = selection.events(visible_rows(request.user, Event))
    return events.filter(status=EventStatus.FAILED).select_related("tenant")


def _plan(request: HttpRequest, selection: Selection, patch: Patch) -> HttpResponse:
    user: Any = request.user
    kind = Replay.Kind.CORRECTION
    replay = plan_for_page(selection, actor=user, kind=kind, patch=patch.as_json())
    return redirect("admin:events_replay_change", replay.pk)


urls = [
    console_path("events/event/<uuid:event_id>/correct/", correct_view, "event_correct"),
    console_path("events/correct/", patch_view, "correct"),
]
