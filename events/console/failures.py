"""Failures in groups: what fails in which way, how often, at whom; what people decide about it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from events import audit
from events.console.addresses import CORRECT, GIVE_UP, list_url, plan_url
from events.console.charts import sparkline
from events.console.listing import Listing
from events.console.pages import console_page, console_part, console_path
from events.console.permissions import TRIAGE, VIEW, require
from events.console.tracebacks import read_traceback
from events.console.written import Draft, conflict_of, seen_versions, written
from events.failures import triage
from events.failures.queries import (
    MOST_LISTED,
    ORDERS,
    SeenFailure,
    failing_handlers,
    failures_seen,
    possible_owners,
    seen_failure,
    tenants_hit,
)
from events.models import FailureGroup, Replay
from events.replays.progress import visible_replays
from events.selections import Selection
from salesflow.accounts.admin_scope import sees_many_tenants
from salesflow.accounts.ids import first_uuid7_of

State = FailureGroup.State
# What the list shows where its address does not say: what nobody has looked at yet.
DEFAULTS = {"state": State.OPEN.value, "order": "last_seen", "handler": "", "q": ""}
LONGEST_SEARCH = 200
ALL = "all"
ORDER_LABELS = {
    "last_seen": gettext_lazy("the latest first"),
    "first_seen": gettext_lazy("the newest first"),
    "occurrences": gettext_lazy("the most frequent first"),
}
EVENTS_SHOWN, LINES_SHOWN, REPLAYS_SHOWN = 10, 10, 10
# Older replays of a failure are in the list of replays.
REPLAYED_WITHIN = timedelta(days=14)


# --- The list -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A failure with its sparkline."""

    failure: SeenFailure
    spark: str


def failure_list(request: HttpRequest) -> HttpResponse:
    """The failures of all visible tenants in one state; its table refreshes itself."""
    require(request, VIEW)
    handlers = failing_handlers(request.user)
    chosen = {name: request.GET.get(name, default) for name, default in DEFAULTS.items()}
    errors = dict(_errors(request, chosen, handlers))
    failures = [] if errors else _failures(request, chosen)
    table: dict[str, Any] = {
        "lines": [Line(each, sparkline(each.spark)) for each in failures[:MOST_LISTED]],
        "has_more": len(failures) > MOST_LISTED,
        "many_tenants": sees_many_tenants(request),
        "own_url": _url(chosen),
        "triage_url": _url(chosen, "admin:events_failures_triage"),
    }
    if request.headers.get("HX-Request"):
        return console_part(request, "admin/events/failures/table.html", **table)
    return console_page(
        request,
        "admin/events/failures/list.html",
        title=_("Failures"),
        status=400 if errors else 200,
        errors=errors,
        chosen=chosen,
        tabs=list(_tabs(chosen)),
        orders=ORDER_LABELS,
        handlers=handlers,
        verbs=[verb for verb in VERBS.values() if chosen["state"] in (ALL, *verb.states)],
        **table,
    )


def _failures(request: HttpRequest, chosen: dict[str, str]) -> list[SeenFailure]:
    """What the list shows, and one more if there are more."""
    state = "" if chosen["state"] == ALL else chosen["state"]
    order: Any = chosen["order"]
    return failures_seen(
        request.user,
        state=state,
        handler=chosen["handler"],
        text=chosen["q"].strip(),
        order=order,
        limit=MOST_LISTED + 1,
    )


def _errors(
    request: HttpRequest, chosen: dict[str, str], handlers: list[str]
) -> Iterator[tuple[str, str]]:
    """Parameter → what is wrong with it."""
    offered = {"state": [ALL, *State.values], "order": list(ORDERS), "handler": ["", *handlers]}
    for name, values in offered.items():
        if chosen[name] not in values:
            yield name, _("Give one of: %(names)s.") % {"names": ", ".join(filter(None, values))}
    if len(chosen["q"]) > LONGEST_SEARCH or "\x00" in chosen["q"]:
        yield "q", _("This cannot be searched for.")
    for name in sorted(request.GET.keys() - DEFAULTS.keys()):
        there_are = _("There is no such parameter; there are: %(names)s.")
        yield name, there_are % {"names": ", ".join(DEFAULTS)}


def _tabs(chosen: dict[str, str]) -> Iterator[tuple[str, Any, str]]:
    """State, label and address of each part of the list."""
    for state, label in [*State.choices, (ALL, _("All"))]:
        yield state, label, _url({**chosen, "state": state})


def _url(chosen: dict[str, str], name: str = "admin:events_failures") -> str:
    told = {name: value for name, value in chosen.items() if value != DEFAULTS[name]}
    path = reverse(name)
    return f"{path}?{urlencode(told)}" if told else path


# --- One failure --------------------------------------------------------------------------------


def failure_page(request: HttpRequest, fingerprint: UUID) -> HttpResponse:
    """What is known of a failure, and what can be done about it."""
    require(request, VIEW)
    return _page(request, fingerprint)


def _page(request: HttpRequest, fingerprint: UUID, draft: Draft | None = None) -> HttpResponse:
    """The page of a visible failure.

    Args:
        draft: what was written there and could not be kept.
    """
    try:
        failure = seen_failure(request.user, fingerprint)
    except FailureGroup.DoesNotExist:
        raise Http404 from None
    selection = Selection(group=str(fingerprint))
    many = sees_many_tenants(request)
    lines = audit.lines_about((triage.TARGET, str(fingerprint)), request.user)
    return console_page(
        request,
        "admin/events/failures/page.html",
        title=failure.title,
        status=draft.status if draft else 200,
        failure=failure,
        written=vars(failure.known) | (draft.fields if draft else {}),
        conflicts=[conflict_of(name, failure, lines) for name in draft.conflicts] if draft else [],
        spark=sparkline(failure.spark),
        chain=read_traceback(failure.traceback),
        hits=tenants_hit(request.user, fingerprint) if many else [],
        events=Listing(selection, request.user).page().rows[:EVENTS_SHOWN],
        replays=list(_replays_of(request.user, fingerprint)[:REPLAYS_SHOWN]),
        lines=lines[:LINES_SHOWN],
        owners=possible_owners(request.user),
        verbs=[verb for verb in VERBS.values() if failure.state in verb.states],
        list_url=list_url(selection),
        replay_url=plan_url(selection),
        give_up_url=plan_url(selection, GIVE_UP),
        edit_url=plan_url(selection, CORRECT),
        many_tenants=many,
    )


def _replays_of(user: Any, fingerprint: UUID) -> QuerySet[Replay]:
    """The latest replays that set out to cure it, the last first."""
    since = first_uuid7_of(timezone.now(), -REPLAYED_WITHIN)
    replays = visible_replays(user).filter(pk__gte=since, selection__group=str(fingerprint))
    return replays.select_related("actor").order_by("-id")


# --- Triage -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verb:
    """A decision about a failure.

    Attributes:
        done: what is said afterwards.
        state: to which it leads.
    """

    name: str
    label: Any
    done: Any
    act: Callable[..., triage.Triaged]
    state: State

    @property
    def states(self) -> list[State]:
        """In which it can be made."""
        return triage.REACHED_FROM[self.state]


VERBS = {
    verb.name: verb
    for verb in (
        Verb(
            "acknowledge",
            gettext_lazy("Acknowledge"),
            gettext_lazy("Acknowledged."),
            triage.acknowledge,
            State.ACKNOWLEDGED,
        ),
        Verb(
            "resolve",
            gettext_lazy("Resolve"),
            gettext_lazy("Resolved: should it happen again, it opens by itself."),
            triage.resolve,
            State.RESOLVED,
        ),
        Verb(
            "mute",
            gettext_lazy("Mute"),
            gettext_lazy("Muted: it stays so however often it happens."),
            triage.mute,
            State.MUTED,
        ),
        Verb(
            "reopen",
            gettext_lazy("Reopen"),
            gettext_lazy("Open again."),
            triage.reopen,
            State.OPEN,
        ),
    )
}


def failure_triage(request: HttpRequest, fingerprint: UUID) -> HttpResponse:
    """Do what a form of the failure's page asks for, and show the page again.

    What cannot be kept stays in its form, beside what keeps it from being kept.
    """
    require(request, TRIAGE)
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    try:
        triaged = _act(request, fingerprint)
    except FailureGroup.DoesNotExist:
        raise Http404 from None
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return _page(request, fingerprint, Draft.of(request))
    if triaged.conflicts:
        return _page(request, fingerprint, Draft.of(request, triaged.conflicts))
    return redirect("admin:events_failure", fingerprint)


def _act(request: HttpRequest, fingerprint: UUID) -> triage.Triaged:
    user: Any = request.user
    name, fields, seen = request.POST.get("verb", ""), written(request), seen_versions(request)
    if name == "assign":
        triaged = triage.assign(user, fingerprint, _owner(request), seen=seen)
        done: Any = _("The owner is noted.")
    elif name == "annotate":
        texts = fields.get("note", ""), fields.get("ticket_url", "")
        triaged, done = triage.annotate(user, fingerprint, *texts, seen=seen), _("Noted.")
    elif verb := VERBS.get(name):
        triaged, done = verb.act(user, fingerprint), verb.done
    else:
        raise ValidationError(_("There is no such action."))
    if not triaged.conflicts:
        _tell(request, triaged, done)
    return triaged


def _owner(request: HttpRequest) -> Any:
    """Whom the form names; None: nobody.

    Raises:
        ValidationError: they cannot be given a failure.
    """
    given = request.POST.get("owner", "")
    if not given:
        return None
    found = possible_owners(request.user)
    owner = found.filter(pk=int(given)).first() if given.isdecimal() and len(given) < 19 else None
    if owner is None:
        raise ValidationError(_("There is nobody like this to own it."))
    return owner


def _tell(request: HttpRequest, triaged: triage.Triaged, done: Any) -> None:
    if triaged.came_too_late:
        messages.info(request, _("Somebody was faster: it is so already."))
    else:
        messages.success(request, done)


# --- Several at once ----------------------------------------------------------------------------


def failures_triage(request: HttpRequest) -> HttpResponse:
    """Decide about the failures that are ticked in the list, and show the list again."""
    require(request, TRIAGE)
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    try:
        _act_on_ticked(request)
    except ValidationError as error:
        messages.warning(request, " ".join(error.messages))
    query = request.GET.urlencode()
    return redirect(reverse("admin:events_failures") + (f"?{query}" if query else ""))


def _act_on_ticked(request: HttpRequest) -> None:
    """Do so, and say what came of it.

    Raises:
        ValidationError: it cannot be done.
    """
    user: Any = request.user
    verb, ticked = VERBS.get(request.POST.get("verb", "")), request.POST.getlist("fingerprint")
    if verb is None:
        raise ValidationError(_("There is no such action."))
    if not ticked:
        raise ValidationError(_("Tick at least one failure."))
    if len(ticked) > MOST_LISTED:
        raise ValidationError(_("Give at most %(most)d ids.") % {"most": MOST_LISTED})
    try:
        fingerprints = {UUID(each) for each in ticked}
    except ValueError:
        raise ValidationError(_("There is no such failure.")) from None
    changed = triage.change_states(verb.state, user, fingerprints)
    if changed:
        text = ngettext("%(number)s failure: %(done)s", "%(number)s failures: %(done)s", changed)
        messages.success(request, text % {"number": changed, "done": verb.done})
    if left := len(fingerprints) - changed:
        text = ngettext("%(number)s is as it was.", "%(number)s are as they were.", left)
        messages.info(request, text % {"number": left})


urls = [
    console_path("events/failures/", failure_list, "failures"),
    console_path("events/failures/triage/", failures_triage, "failures_triage", seconds=30.0),
    console_path("events/failures/<uuid:fingerprint>/", failure_page, "failure"),
    console_path("events/failures/<uuid:fingerprint>/triage/", failure_triage, "failure_triage"),
]
