"""Every page of the console, as people open them: none is forgotten, see `forgotten`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.urls import URLPattern, resolve, reverse

from benchmarks.console.sights import Sights
from events.models import EventStatus, FailureGroup, Replay
from salesflow import api

# What is only posted to changes something, or does not exist for anybody: it shows no rows.
NOT_LOOKED_AT = {
    "events_failure_triage",
    "events_failures_triage",
    "events_replay_start",
    "events_replay_act",
    "events_alertrule_test",
    "events_alertrule_secret",
    "events_event_add",
    "events_event_delete",
    "events_replay_add",
    "events_replay_delete",
    "events_auditline_add",
    "events_auditline_delete",
    "api-event-correct",
    "api-event-replay",
    "api-events-replay",
    "api-failure-triage",
    "api-handler-pause",
    "api-handler-resume",
    "api-replay-start",
    "api-replay-pause",
    "api-replay-resume",
    "api-replay-cancel",
}
API = ("api-event", "api-failure", "api-handler", "api-replay")
HTMX = {"HX-Request": "true"}

Query = dict[str, str]


@dataclass(frozen=True)
class Page:
    """One page, to one person.

    Attributes:
        data: what is posted; None: nothing, it is opened.
        headers: beside those of a browser.
        status: what is answered.
        is_frozen: its work is as large as the selection that it freezes or tries, by intention.
    """

    name: str
    path: str
    data: dict[str, str] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    is_frozen: bool = False


def pages_of(sights: Sights) -> list[Page]:
    """All pages that somebody may see, about rows that are theirs."""
    rooms = (_health, _failures, _lists, _searches, _events, _plans, _replays, _rest, _api)
    return [page for room in rooms for page in room(sights)]


def _health(_sights: Sights) -> Iterator[Page]:
    yield Page("health", reverse("admin:index"))
    yield Page("health: refreshed", reverse("admin:events_health"), headers=HTMX)


# --- Failures -----------------------------------------------------------------------------------


def _failures(sights: Sights) -> Iterator[Page]:
    url = reverse("admin:events_failures")
    yield Page("failures", url)
    yield Page("failures: refreshed", url, headers=HTMX)
    queries: list[Query] = [
        {"state": "all"},
        {"state": FailureGroup.State.MUTED.value},
        {"state": "all", "order": "occurrences"},
        {"state": "all", "order": "first_seen"},
        {"state": "all", "handler": sights.group.handler},
        {"state": "all", "q": "no answer from crm.example.com"},
    ]
    for query in queries:
        yield Page(f"failures: {_words(query)}", f"{url}?{urlencode(query)}")
    for name, group in (("largest", sights.group), ("smallest", sights.small_group)):
        address = reverse("admin:events_failure", args=[group.fingerprint])
        yield Page(f"failure: the {name}", address)


# --- The event list -----------------------------------------------------------------------------


def _lists(sights: Sights) -> Iterator[Page]:
    url = reverse("admin:events_event_changelist")
    yield Page("events", url)
    for name, query in (*_alone(sights), *_together(sights)):
        yield Page(f"events: {name}", f"{url}?{urlencode(query)}")
    newer = reverse("admin:events_event_newer")
    for name, query in _paged(sights):
        if "status pending" not in name:
            asked = urlencode(query | {"since": sights.mark_of(query)})
            yield Page(f"events: {name}, newer", f"{newer}?{asked}", headers=HTMX)
        if key := sights.second_page_of(query):
            yield Page(f"events: {name}, page 2", f"{url}?{urlencode(query | {'after': key})}")


def _alone(sights: Sights) -> Iterator[tuple[str, Query]]:
    """Each filter by itself."""
    ago = sights.ago
    for status in EventStatus.values:
        yield f"status {status}", {"status": status}
    yield "frequent type", {"type": "lead.updated"}
    yield "rare type", {"type": "alert.raised"}
    yield "frequent source", {"source": "web"}
    yield "rare source", {"source": "admin"}
    yield "handler that fails", {"handler": sights.group.handler}
    yield "handler that is paused", {"handler": "handle_autopilot_action"}
    yield "tenant", {"tenant": str(sights.tenant.pk)}
    yield "subject", {"subject": str(sights.plain.subject_id)}
    yield "busy subject", {"subject": str(sights.busy_subject)}
    yield "request", {"request_id": sights.plain.request_id}
    yield "huge request", {"request_id": sights.huge_request}
    yield "largest group", {"group": str(sights.group.fingerprint)}
    yield "smallest group", {"group": str(sights.small_group.fingerprint)}
    yield "ids", {"ids": f"{sights.plain.pk},{sights.failed.pk}"}
    for name, length in (("1 hour", timedelta(hours=1)), ("7 days", timedelta(days=7))):
        yield f"since {name}", {"recorded_after": ago(length)}
    yield "before yesterday", {"recorded_before": ago(timedelta(days=1))}
    yield "before 30 days", {"recorded_before": ago(timedelta(days=30))}
    yield "before 59 days", {"recorded_before": ago(timedelta(days=59, hours=12))}


def _together(sights: Sights) -> Iterator[tuple[str, Query]]:
    """What people combine."""
    since, until = (sights.ago(timedelta(days=days)) for days in (30, 29.9))
    words = {
        "tenant": sights.tenant.pk,
        "handler": sights.group.handler,
        "its_type": sights.failed.type,
        "group": sights.group.fingerprint,
        "huge_request": sights.huge_request,
        "busy_subject": sights.busy_subject,
        "an_hour_long_ago": f"recorded_after={since} recorded_before={until}",
        "before_30_days": f"recorded_before={until}",
        "last_day": f"recorded_after={sights.ago(timedelta(hours=24))}",
        "last_hour": f"recorded_after={sights.ago(timedelta(hours=1))}",
    }
    for name, query in TOGETHER.items():
        pairs = (pair.split("=", 1) for pair in query.format(**words).split())
        yield name, dict(pairs)


TOGETHER = {
    "an hour long ago": "{an_hour_long_ago}",
    "type and an hour long ago": "type=lead.updated {an_hour_long_ago}",
    "source and before 30 days": "source=web {before_30_days}",
    "failed and an hour long ago": "status=failed {an_hour_long_ago}",
    "failed, last day": "status=failed {last_day}",
    "processed, last day": "status=processed {last_day}",
    "pending, last day": "status=pending {last_day}",
    "failed and type": "status=failed type=lead.updated",
    "failed and rare type": "status=failed type=lead.merged",
    "failed and source": "status=failed source=web",
    "failed and rare source": "status=failed source=admin",
    "failed and tenant": "status=failed tenant={tenant}",
    "failed and handler": "status=failed handler={handler}",
    "pending and type": "status=pending type=message.queued",
    "pending and handler": "status=pending handler=deliver_message",
    "pending and source": "status=pending source=web",
    "processed and handler": "status=processed handler={handler}",
    "processed and rare handler": "status=processed handler=post_alert",
    "processed and type": "status=processed type=lead.updated",
    "processed and source": "status=processed source=web",
    "type and tenant": "type=lead.created tenant={tenant}",
    "type and source": "type=lead.created source=import",
    "type and rare source": "type=note.added source=admin",
    "type, tenant and last day": "type=lead.created tenant={tenant} {last_day}",
    "handler and type": "handler={handler} type={its_type}",
    "handler and other type": "handler={handler} type=note.added",
    "handler and last day": "handler={handler} {last_day}",
    "handler and tenant": "handler={handler} tenant={tenant}",
    "handler and rare source": "handler={handler} source=admin",
    "group and last day": "group={group} {last_day}",
    "group and tenant": "group={group} tenant={tenant}",
    "group and rare source": "group={group} source=admin",
    "group and pending": "group={group} status=pending",
    "huge request and failed": "request_id={huge_request} status=failed",
    "huge request and type": "request_id={huge_request} type=lead.created",
    "huge request and other type": "request_id={huge_request} type=note.added",
    "huge request and last hour": "request_id={huge_request} {last_hour}",
    "busy subject and failed": "subject={busy_subject} status=failed",
}


def _paged(sights: Sights) -> Iterator[tuple[str, Query]]:
    yield "all", {}
    yield "status failed", {"status": "failed"}
    yield "status pending", {"status": "pending"}
    yield "frequent type", {"type": "lead.updated"}
    yield "frequent source", {"source": "web"}
    yield "tenant", {"tenant": str(sights.tenant.pk)}
    yield "handler that fails", {"handler": sights.group.handler}
    yield "largest group", {"group": str(sights.group.fingerprint)}
    yield "huge request", {"request_id": sights.huge_request}
    yield "busy subject", {"subject": str(sights.busy_subject)}
    yield "before 30 days", {"recorded_before": sights.ago(timedelta(days=30))}


def _searches(sights: Sights) -> Iterator[Page]:
    """Each leads on to another page."""
    url = reverse("admin:events_event_changelist")
    for name, term in (
        ("event", sights.plain.pk),
        ("subject", sights.busy_subject),
        ("request", sights.huge_request),
    ):
        yield Page(f"search: {name}", f"{url}?q={term}", status=302)


# --- Events -------------------------------------------------------------------------------------


def _events(sights: Sights) -> Iterator[Page]:
    for name, event in sights.events.items():
        yield Page(f"event: {name}", reverse("admin:events_event_change", args=[event.pk]))
    failed = [sights.failed.pk]
    yield Page("event: payload", reverse("admin:events_event_payload", args=failed))
    yield Page("event: history", reverse("admin:events_event_history", args=failed))
    yield Page("event: edit", reverse("admin:events_event_correct", args=failed))
    for name, query in (
        ("largest group", {"group": str(sights.group.fingerprint)}),
        ("all failed", {"status": "failed"}),
    ):
        url = f"{reverse('admin:events_correct')}?{urlencode(query)}"
        yield Page(f"edit many: {name}", url)
        yield Page(f"edit many: {name}, tried", url, data=PATCH, is_frozen=True)


PATCH = {"change-0-operation": "set", "change-0-path": "/source", "change-0-value": '"mended"'}


# --- Replays ------------------------------------------------------------------------------------


def _plans(sights: Sights) -> Iterator[Page]:
    url, give_up = map(reverse, ("admin:events_event_replay", "admin:events_event_give_up"))
    for name, query in (
        ("largest group", {"group": str(sights.group.fingerprint)}),
        ("all failed", {"status": "failed"}),
        ("handler", {"handler": sights.group.handler}),
        ("frequent type", {"type": "lead.updated"}),
        ("one event", {"ids": str(sights.failed.pk)}),
    ):
        yield Page(f"selection: {name}", f"{url}?{urlencode(query)}")
        yield Page(f"selection to give up: {name}", f"{give_up}?{urlencode(query)}")
    for name, replay in sights.planned.items():
        yield Page(f"plan: {name}", reverse("admin:events_replay_change", args=[replay.pk]))
        outlook = reverse("admin:events_replay_outlook", args=[replay.pk])
        ticked = urlencode({"handlers": sights.group.handler})
        yield Page(f"plan: {name}, outlook", f"{outlook}?{ticked}", headers=HTMX)


def _replays(sights: Sights) -> Iterator[Page]:
    url = reverse("admin:events_replay_changelist")
    yield Page("replays", url)
    yield Page("replays: page 2", f"{url}?p=2")
    if sights.sees_all:
        yield Page("replays: tenant", f"{url}?tenant={sights.tenant.pk}")
    for status in (Replay.Status.RUNNING, Replay.Status.FINISHED, Replay.Status.CANCELLED):
        yield Page(f"replays: {status}", f"{url}?status={status}")
    for name, replay in sights.replays.items():
        yield from _replay(name, replay)


def _replay(name: str, replay: Replay) -> Iterator[Page]:
    url, args = reverse("admin:events_replay_change", args=[replay.pk]), [replay.pk]
    yield Page(f"replay: {name}", url)
    for shown in ("failed", "succeeded", "waiting", "released", "skipped"):
        yield Page(f"replay: {name}, {shown}", f"{url}?show={shown}")
    progress = reverse("admin:events_replay_progress", args=args)
    yield Page(f"replay: {name}, refreshed", f"{progress}?status={replay.status}", headers=HTMX)
    yield Page(f"replay: {name}, CSV begins", reverse("admin:events_replay_csv", args=args))
    yield Page(f"replay: {name}, history", reverse("admin:events_replay_history", args=args))


# --- The rest -----------------------------------------------------------------------------------


def _rest(sights: Sights) -> Iterator[Page]:
    yield Page("handlers", reverse("admin:events_handlers"))
    for name in (sights.group.handler, "deliver_message", "handle_autopilot_action"):
        yield Page(f"handler: {name}", reverse("admin:events_handler", args=[name]))
    yield Page("catalogue", reverse("admin:events_catalogue"))
    for name in ("lead.updated", "alert.raised", "lead.merged"):
        yield Page(f"catalogue: {name}", reverse("admin:events_catalogue_type", args=[name]))
    yield from _audit(sights)
    yield from _alert_rules(sights)


def _audit(sights: Sights) -> Iterator[Page]:
    url = reverse("admin:events_auditline_changelist")
    yield Page("audit", url)
    yield Page("audit: page 2", f"{url}?p=2")
    yield Page("audit: action", f"{url}?q=replay.started")
    yield Page("audit: rare action", f"{url}?q=failure.muted")
    if sights.sees_all:
        yield Page("audit: tenant", f"{url}?tenant={sights.tenant.pk}")
    if line := sights.line:
        yield Page("audit: target", f"{url}?q={line.target_id}")
        yield Page("audit: line", reverse("admin:events_auditline_change", args=[line.pk]))
        yield Page("audit: history", reverse("admin:events_auditline_history", args=[line.pk]))


def _alert_rules(sights: Sights) -> Iterator[Page]:
    yield Page("alert rules", reverse("admin:events_alertrule_changelist"))
    yield Page("alert rules: new", reverse("admin:events_alertrule_add"))
    if rule := sights.rule:
        for name in ("change", "history", "delete"):
            yield Page(
                f"alert rule: {name}", reverse(f"admin:events_alertrule_{name}", args=[rule.pk])
            )


# --- The API ------------------------------------------------------------------------------------


def _api(sights: Sights) -> Iterator[Page]:
    headers = {"Authorization": f"Api-Key {sights.key}"}
    for name, url, query in (*_api_events(sights), *_api_rest(sights)):
        yield Page(f"API {name}", f"{url}?{urlencode(query)}", headers=headers)


def _api_events(sights: Sights) -> Iterator[tuple[str, str, Query]]:
    url, ago = reverse("api-events"), sights.ago
    yield "events", url, {}
    yield "events, failed", url, {"status": "failed"}
    yield "events, processed", url, {"status": "processed"}
    yield "events, pending status", url, {"status": "pending"}
    yield "events, type", url, {"type": "lead.updated"}
    yield "events, rare type", url, {"type": "alert.raised"}
    yield "events, source", url, {"source": "web"}
    yield "events, subject", url, {"subject": str(sights.busy_subject)}
    yield "events, request", url, {"request_id": sights.huge_request}
    yield "events, since 1 hour", url, {"created_after": ago(timedelta(hours=1))}
    yield "events, before 30 days", url, {"created_before": ago(timedelta(days=30))}
    yield "events, failed and type", url, {"status": "failed", "type": "lead.updated"}
    yield "events, pending", reverse("api-events-pending"), {}
    for name, event in sights.events_of_tenant.items():
        yield f"event, {name}", reverse("api-event", args=[event.pk]), {}


def _api_rest(sights: Sights) -> Iterator[tuple[str, str, Query]]:
    failures, replays = reverse("api-failures"), reverse("api-replays")
    yield "failures", failures, {}
    yield "failures, open", failures, {"state": "open"}
    yield "failures, handler", failures, {"handler": sights.group.handler}
    yield "failure", reverse("api-failure", args=[sights.group.fingerprint]), {}
    yield "replays", replays, {}
    yield "replays, running", replays, {"status": "running"}
    yield "handlers", reverse("api-handlers"), {}
    for name, replay in sights.replays_of_tenant.items():
        yield f"replay, {name}", reverse("api-replay", args=[replay.pk]), {}
        items = reverse("api-replay-items", args=[replay.pk])
        yield f"replay, {name}, items", items, {}
        yield f"replay, {name}, failed items", items, {"status": "failed"}


# --- Completeness -------------------------------------------------------------------------------


def forgotten(pages: list[Page]) -> set[str]:
    """The names of the console's addresses, and of its twins in the API, that no page opens."""
    opened = {resolve(page.path.partition("?")[0]).url_name for page in pages}
    return set(_addresses()) - opened - NOT_LOOKED_AT


def _addresses() -> Iterator[str]:
    for pattern in (*_flat(admin.site.get_urls()), *api.urlpatterns):
        name = str(pattern.name)
        if name.startswith(("events_", *API)):
            yield name


def _flat(patterns: Any) -> Iterator[URLPattern]:
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"):
            yield from _flat(pattern.url_patterns)
        else:
            yield pattern


def _words(query: Query) -> str:
    return " ".join(f"{name} {value}" for name, value in query.items())
