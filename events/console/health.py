"""The health page, the admin's first: is it fine, since when not, and whose fault is it?"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from psycopg.errors import QueryCanceled

from events import rates
from events.console import rate_charts
from events.console.addresses import list_url
from events.console.listing import Listing
from events.console.observed import HandlerRow, Observed, failures_with_sparks, observe
from events.console.pages import console_path, limit_queries
from events.console.permissions import VIEW, allowed, require
from events.console.queues import Oldest, calls_due, given_up, held_back, oldest_due
from events.console.rate_charts import Chart
from events.console.verdict import (
    FAILURE_RATE,
    WAIT,
    Finding,
    Situation,
    is_broken,
    judge,
    percent,
    span,
)
from events.health import Limit, failure_rate_limit, wait_limit
from events.models import EventStatus, FailureGroup, Replay, Tally
from events.replays.progress import visible_replays
from events.selections import Selection
from salesflow.accounts.ids import first_uuid7_of

GROUPS_SHOWN, HANDLERS_SHOWN, REPLAYS_SHOWN = 8, 12, 10
# Whoever has not decided about a stopped replay by then leaves it as it is.
WAITED_FOR = timedelta(days=7)
# The tiles tell of the last minutes: to the minute all is chance.
RECENT = 10


@dataclass(frozen=True)
class Tile:
    """A figure that leads to the list behind it."""

    figure: str
    label: str
    url: str
    tone: str = ""


def health_view(request: HttpRequest) -> HttpResponse:
    """The part of the page that refreshes itself."""
    require(request, VIEW)
    return TemplateResponse(request, "admin/events/health/body.html", health_page(request.user))


def first_page(user: Any) -> dict[str, Any]:
    """The same for the admin's first page, which is there in any case: `too_slow` says why not."""
    try:
        with transaction.atomic():
            limit_queries()
            return health_page(user)
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
    return {"too_slow": True}


def health_page(user: Any) -> dict[str, Any]:
    """The template's context: a fixed number of queries, none of which counts beyond 10,000."""
    observed = observe(user)
    oldest, calls = oldest_due(observed.tenants), calls_due(observed.tenants)
    pending = Listing(Selection(status=EventStatus.PENDING), user).counted()
    failed = given_up(observed.tenants)
    open_replays = _open_replays(user)
    verdict = judge(_situation(observed, oldest, calls, failed))
    held = held_back() if user.is_superuser and observed.pauses else {}
    return {
        "verdict": verdict,
        "findings": [(finding, _url_of(finding)) for finding in verdict.findings],
        "now": observed.now,
        "tiles": list(_tiles(observed, oldest, pending, failed, open_replays)),
        "charts": list(_charts(observed)),
        "handlers": worst_first(observed.rows())[:HANDLERS_SHOWN],
        "failures": failures_with_sparks(
            user, state=FailureGroup.State.OPEN, order="first_seen", limit=GROUPS_SHOWN
        ),
        "replays": open_replays,
        "broken": [state for state in observed.breakers.values() if is_broken(state)],
        "pauses": [(pause, held.get(name)) for name, pause in observed.pauses.items()],
        "allowed": allowed(user),
    }


def _open_replays(user: Any) -> list[Replay]:
    """Those that run, and those that somebody has paused, or that stopped by themselves of late."""
    status = Replay.Status
    since = first_uuid7_of(timezone.now(), -WAITED_FOR)
    is_open = Q(status=status.RUNNING) | Q(
        status__in=[status.PAUSED, status.STOPPED], pk__gte=since
    )
    replays = visible_replays(user).filter(is_open).select_related("actor", "tenant")
    return list(replays.order_by("-id")[:REPLAYS_SHOWN])


def worst_first(rows: list[HandlerRow]) -> list[HandlerRow]:
    """What fails or is held back before what is busy; what did nothing all day is left out."""
    at_work = [row for row in rows if row.day.tried or row.tone]
    return sorted(
        at_work, key=lambda row: (row.tone != "failed", not row.tone, -row.hour.tried, row.name)
    )


# --- The verdict --------------------------------------------------------------------------------


def _situation(observed: Observed, oldest: Oldest, calls: dict[str, Any], failed: str) -> Situation:
    wait, failure_rate = limits()
    return Situation(
        now=observed.now,
        minutes=observed.minutes.handlers,
        hours=observed.hours.handlers,
        oldest_due=oldest.due_at,
        oldest_id=oldest.event_id,
        calls_due=calls,
        breakers=list(observed.breakers.values()),
        pauses=list(observed.pauses.values()),
        failed=failed,
        wait=wait,
        failure_rate=failure_rate,
    )


def limits() -> tuple[Limit, Limit]:
    """What `manage.py event_health` calls healthy, too: seconds by queue, shares by handler.

    Where the settings name a handler that is gone, the command complains; this page goes on.
    """
    try:
        return (
            wait_limit(settings.HEALTH_MAX_WAIT),
            failure_rate_limit(settings.HEALTH_MAX_FAILURE_RATE),
        )
    except ValueError:
        return WAIT, FAILURE_RATE


def _url_of(finding: Finding) -> str:
    """Where a finding can be looked into."""
    if finding.handler:
        return reverse("admin:events_handler", args=[finding.handler])
    if finding.event_id:
        return reverse("admin:events_event_change", args=[finding.event_id])
    return reverse("admin:events_failures")


# --- Tiles and charts ---------------------------------------------------------------------------


def _tiles(
    observed: Observed, oldest: Oldest, pending: str, failed: str, open_replays: list[Replay]
) -> Iterator[Tile]:
    waiting = list_url(Selection(status=EventStatus.PENDING))
    gave_up = reverse("admin:events_failures")
    handlers = reverse("admin:events_handlers")
    yield Tile(failed, _("failed events"), gave_up, "failed" if failed != "0" else "")
    yield Tile(pending, _("pending events"), waiting)
    yield Tile(_age(observed, oldest), _("oldest pending"), _oldest_url(oldest) or waiting)
    minutes = rates.by_time(observed.minutes.handlers, observed.minutes.starts[-RECENT:])
    events = rates.by_time(observed.minutes.types, observed.minutes.starts[-RECENT:])
    recent = rates.summed(minutes, minutes[0].starts_at)
    settled = rates.summed(events, minutes[0].starts_at)
    rate = number_format(Decimal(f"{settled.tried / RECENT:.3g}"), force_grouping=True)
    yield Tile(rate, _("events a minute"), handlers)
    share = _("%(percent)s %%") % {"percent": percent(recent.share)}
    tone = "failed" if recent.failed else "pending" if recent.broken else ""
    yield Tile(share, _("of attempts fail"), handlers, tone)
    running = sum(replay.status == Replay.Status.RUNNING for replay in open_replays)
    replays = f"{reverse('admin:events_replay_changelist')}?status={Replay.Status.RUNNING}"
    yield Tile(str(running), _("running replays"), replays, "running" if running else "")


def _age(observed: Observed, oldest: Oldest) -> str:
    return span(observed.now - oldest.due_at) if oldest.due_at else "–"


def _oldest_url(oldest: Oldest) -> str:
    if oldest.event_id is None:
        return ""
    return reverse("admin:events_event_change", args=[oldest.event_id])


def _charts(observed: Observed) -> Iterator[Chart]:
    for activity, length, settled, failing in (
        (
            observed.minutes,
            Tally.Span.MINUTE,
            _("Events a minute, last hour"),
            _("Failing attempts, last hour"),
        ),
        (
            observed.hours,
            Tally.Span.HOUR,
            _("Events an hour, last day"),
            _("Failing attempts, last day"),
        ),
    ):
        events = rates.by_time(activity.types, activity.starts)
        attempts = rates.by_time(activity.handlers, activity.starts)
        yield rate_charts.throughput(settled, events, length)
        yield rate_charts.failures(failing, attempts, length)


urls = [console_path("events/health/", health_view, "health")]
