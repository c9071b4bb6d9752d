"""The handlers: what each declares, how it does, and whether it runs at all."""

from collections.abc import Iterator
from typing import cast

from django.contrib import messages
from django.core.exceptions import BadRequest, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from events import audit, rates
from events.console import rate_charts
from events.console.addresses import list_url
from events.console.listing import Listing
from events.console.observed import HandlerRow, Observed, failures_with_sparks, observe
from events.console.pages import console_page, console_path
from events.console.permissions import PAUSE, VIEW, require
from events.console.queues import held_back
from events.console.rate_charts import Chart
from events.console.reasons import given_reason
from events.models import EventStatus, Tally
from events.pauses import UnknownHandler, pause_handler, resume_handler
from events.registry import Handler
from events.selections import Selection
from salesflow.accounts.models import User

GROUPS_SHOWN, LINES_SHOWN = 20, 20
LIST, PAGE = "admin:events_handlers", "admin:events_handler"

Fact = tuple[str, str]


def handler_list(request: HttpRequest) -> HttpResponse:
    """All handlers, with what they did in the last hour."""
    require(request, VIEW)
    rows = observe(request.user).rows()
    template = "admin/events/handlers/list.html"
    return console_page(request, template, title=_("Handlers"), handlers=rows)


def handler_page(request: HttpRequest, name: str) -> HttpResponse:
    """One handler; a POST pauses or resumes it."""
    require(request, VIEW)
    if "\x00" in name:  # no row is called so, and PostgreSQL cannot even be asked
        raise Http404
    if request.method == "POST":
        return _act(request, name)
    observed = observe(request.user)
    row = next((row for row in observed.rows() if row.name == name), None)
    if row is None:
        raise Http404
    failed = Selection(status=EventStatus.FAILED, handler=name)
    held = held_back() if request.user.is_superuser and row.pause else {}
    lines = audit.lines_about(("handler", name), request.user)
    return console_page(
        request,
        "admin/events/handlers/page.html",
        title=_("Handler %(name)s") % {"name": name},
        row=row,
        facts=list(_facts(row.handler)) if row.handler else [],
        charts=list(_charts(observed, row)),
        failed=Listing(failed, request.user).counted(),
        failed_url=list_url(failed),
        held=held.get(name),
        failures=failures_with_sparks(request.user, handler=name, limit=GROUPS_SHOWN),
        lines=list(lines[:LINES_SHOWN]),
    )


def _charts(observed: Observed, row: HandlerRow) -> Iterator[Chart]:
    """What it was given and what failed of it, in the last hour and in the last day."""
    hours = {row.name: observed.hours.handlers.get(row.name, [])}
    day = rates.by_time(hours, observed.hours.starts)
    for listed, span, title in (
        (row.minutes, Tally.Span.MINUTE, _("Attempts a minute, last hour")),
        (day, Tally.Span.HOUR, _("Attempts an hour, last day")),
    ):
        yield rate_charts.throughput(title, listed, span)


# --- What it declares ---------------------------------------------------------------------------


def _facts(handler: Handler) -> Iterator[Fact]:
    yield _("Declared in"), f"{handler.module}.{handler.function.__name__}"
    yield _("Effects"), _effects(handler)
    yield _("On replay"), _("runs again") if handler.on_replay == "run" else _("left out")
    yield _("Order"), _order(handler)
    yield _("Called with"), _("many events at once") if handler.batch else _("one event")
    yield _("Tries"), _tries(handler)
    if handler.is_external:
        yield _("Timeout"), _("%(seconds)g s") % {"seconds": handler.timeout}
        yield _("Calls at once"), _concurrency(handler)
        yield _("Circuit breaker"), _breaker(handler)


def _effects(handler: Handler) -> str:
    if handler.is_external:
        return _("leave the database; called at least once")
    return _("in the database, exactly once")


def _order(handler: Handler) -> str:
    if handler.ordered:
        return _("as published, for each subject")
    return _("any")


def _tries(handler: Handler) -> str:
    policy = handler.retry
    values = {"most": policy.max_attempts, "base": policy.base, "cap": policy.cap}
    if policy.max_attempts == 1:
        return _("one, never again")
    return _("%(most)d in all; waits begin with up to %(base)g s and grow to %(cap)g s") % values


def _concurrency(handler: Handler) -> str:
    return (
        _("as many as there are workers")
        if handler.concurrency is None
        else str(handler.concurrency)
    )


def _breaker(handler: Handler) -> str:
    if handler.breaker is None:
        return _("none")
    policy = handler.breaker
    return _(
        "opens at %(percent)g %% failures of at least %(minimum)d calls within %(window)g s; "
        "first probe after %(cooldown)g s"
    ) % {
        "percent": 100 * policy.failure_rate,
        "minimum": policy.minimum,
        "window": policy.window,
        "cooldown": policy.cooldown,
    }


# --- Pause and resume ---------------------------------------------------------------------------


def _act(request: HttpRequest, name: str) -> HttpResponse:
    require(request, PAUSE)
    action, user = request.POST.get("action", ""), cast(User, request.user)
    try:
        reason = given_reason(request)
        if action == "pause":
            _tell_paused(request, name, pause_handler(name, actor=user, reason=reason))
        elif action == "resume":
            _tell_resumed(request, name, resume_handler(name, actor=user, reason=reason))
        else:
            raise BadRequest(_("There is no such action."))
    except UnknownHandler as error:
        raise Http404(str(error)) from error
    except ValidationError as invalid:
        messages.error(request, " ".join(invalid.messages))
    except ValueError as error:
        messages.error(request, _("Not paused: %(why)s") % {"why": error})
    return redirect(reverse(PAGE, args=[name]))


def _tell_paused(request: HttpRequest, name: str, done: bool) -> None:
    if done:
        text = _(
            "%(handler)s is paused. What comes for it waits; calls that run come to their end."
        )
        messages.success(request, text % {"handler": name})
    else:
        text = _("Somebody was faster: %(handler)s is paused already, for their reason.")
        messages.warning(request, text % {"handler": name})


def _tell_resumed(request: HttpRequest, name: str, done: bool) -> None:
    if done:
        text = _("%(handler)s is resumed. What has waited goes first, within seconds.")
        messages.success(request, text % {"handler": name})
    else:
        text = _("Somebody was faster: %(handler)s is not paused any more.")
        messages.warning(request, text % {"handler": name})


urls = [
    console_path("events/handlers/", handler_list, "handlers"),
    console_path("events/handlers/<path:name>/", handler_page, "handler"),
]
