"""Nobody gets more of the console than allowed: every address, opened and posted to by force."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib import admin
from django.db import transaction
from django.forms import model_to_dict
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone

from events.console.permissions import NAMES
from events.models import (
    AlertRule,
    AuditLine,
    Delivery,
    Event,
    EventStatus,
    FailureGroup,
    HandlerPause,
    Replay,
    ReplayItem,
)
from events.testing import handler_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant, User
from tests.events.alert_factories import make_group, make_rule
from tests.events.factories import make_event
from tests.factories import make_tenant, make_user
from tests.staff import client_of, make_staff

TYPE = "thing.happened"
SECRET = "what-acme-keeps-to-itself"
EVERYTHING = [name.partition(".")[2] for name in NAMES] + [
    "view_replay",
    "view_failuregroup",
    "view_alertrule",
    "add_alertrule",
    "change_alertrule",
    "delete_alertrule",
]
# What members of staff may open who may see events and do nothing else. Whoever adds an address to
# the console that they may open adds its name here; all others are refused to them.
OPEN_TO_VIEWERS = {
    "events_auditline_changelist",
    "events_auditline_change",
    "events_auditline_history",
    "events_catalogue",
    "events_catalogue_type",
    "events_event_change",
    "events_event_changelist",
    "events_event_history",
    "events_event_newer",
    "events_event_payload",
    "events_failure",
    "events_failures",
    "events_handler",
    "events_handlers",
    "events_health",
    "events_replay_change",
    "events_replay_changelist",
    "events_replay_csv",
    "events_replay_history",
    "events_replay_progress",
}
# Addresses of single rows: another tenant's are not there.
OF_A_ROW = {"object_id", "event_id", "replay_id", "rule_id", "fingerprint"}

pytestmark = pytest.mark.django_db


# --- Addresses ----------------------------------------------------------------------------------


def console_patterns(patterns: Any = None) -> Iterator[URLPattern]:
    """All addresses of the admin whose names say that they are the console's."""
    for pattern in patterns or admin.site.get_urls():
        if hasattr(pattern, "url_patterns"):
            yield from console_patterns(pattern.url_patterns)
        elif (pattern.name or "").startswith("events_"):
            yield pattern


@pytest.fixture
def rows(tenant: Tenant) -> dict[str, Any]:
    """One row of everything, all of it acme's, under the names that addresses have for them."""
    group = make_group(tenant, message=SECRET, traceback=SECRET, handler="greet")
    event = make_event()
    Event.unscoped.filter(pk=event.pk).update(
        status=EventStatus.FAILED, error_message=SECRET, processed_at=timezone.now(), source=SECRET
    )
    Delivery.objects.create(
        event=event, handler="greet", status="failed", error=SECRET, group_id=group.pk
    )
    replay = Replay.objects.create(
        tenant=tenant, reason=SECRET, status=Replay.Status.PAUSED, selected=1
    )
    item = ReplayItem.objects.create(replay=replay, event_id=event.pk)
    rule = make_rule(tenant=tenant, name=SECRET)
    line = AuditLine.objects.create(
        tenant=tenant, action="event.looked_at", target_type="event", reason=SECRET
    )
    return {
        "event_id": event.pk,
        "events_event": event.pk,
        "replay_id": replay.pk,
        "events_replay": replay.pk,
        "item_id": item.pk,
        "rule_id": rule.pk,
        "events_alertrule": rule.pk,
        "events_auditline": line.pk,
        "fingerprint": group.fingerprint,
        "events_handler": "greet",
        "events_catalogue_type": TYPE,
    }


def address_of(pattern: URLPattern, rows: dict[str, Any]) -> str:
    """The address of a page, about acme's row where it is about one."""
    named = {"object_id": str(pattern.name).rpartition("_")[0], "name": str(pattern.name)}
    given = {name: rows[named.get(name, name)] for name in names_in(pattern)}
    return reverse(f"admin:{pattern.name}", kwargs=given)


def names_in(pattern: URLPattern) -> set[str]:
    return set(pattern.pattern.converters)


def forged(rows: dict[str, Any]) -> dict[str, Any]:
    """What any form of the console might send, all at once."""
    words = dict.fromkeys(["confirm", "post", "start", "plan", "pause", "resume", "cancel"], "yes")
    return {
        **words,
        "verb": "resolve",
        "act": "cancel",
        "pace": "1",
        "action": "replay_selected",
        "_selected_action": str(rows["event_id"]),
        "ids": str(rows["event_id"]),
        "reason": "forged",
        "as_of": timezone.now().isoformat(),
        "include_external": "on",
        "payload": "{}",
        "status": "processed",
        "name": "forged",
        "note": "forged",
        "thing_id": str(uuid4()),
        "number": "7",
    }


def kept(tenant: Tenant, rows: dict[str, Any]) -> dict[str, Any]:
    """Everything of the tenant that somebody might have changed."""
    events = Event.unscoped.filter(tenant=tenant)
    return {
        "events": list(events.order_by("pk").values()),
        "deliveries": list(Delivery.objects.filter(event__tenant=tenant).order_by("pk").values()),
        "groups": list(FailureGroup.unscoped.filter(tenant=tenant).order_by("pk").values()),
        "replays": list(Replay.objects.filter(tenant=tenant).order_by("pk").values()),
        "items": list(ReplayItem.objects.filter(event_id__in=events).order_by("pk").values()),
        "rules": [model_to_dict(rule) for rule in AlertRule.objects.filter(tenant=tenant)],
        "lines": AuditLine.objects.filter(tenant=tenant).count(),
        "pauses": HandlerPause.objects.count(),
    }


def greet(event: Event) -> None: ...


def sent(client: Client, method: str, url: str, data: dict[str, Any]) -> Any:
    """A request; what its view leaves undone in the database is undone, too."""
    with transaction.atomic(), handler_of(TYPE, function=greet):
        return client.post(url, data) if method == "POST" else client.get(url)


# --- People -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_rep_enters_nothing(tenant: Tenant, rows: dict[str, Any], method: str) -> None:
    before, client = kept(tenant, rows), client_of(make_user(tenant))
    for pattern in console_patterns():
        url = address_of(pattern, rows)
        response = sent(client, method, url, forged(rows))
        assert response.status_code == 302, url
        assert response["Location"].startswith(reverse("admin:login")), url
    assert kept(tenant, rows) == before


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_staff_of_another_tenant_finds_nothing(
    tenant: Tenant, rows: dict[str, Any], method: str
) -> None:
    before, client = kept(tenant, rows), client_of(stranger())
    for pattern in console_patterns():
        url = address_of(pattern, rows)
        response = sent(client, method, url, forged(rows))
        assert SECRET not in response.content.decode(), url
        if names_in(pattern) & OF_A_ROW:
            assert response.status_code in (302, 403, 404, 405), (url, response.status_code)
        assert kept(tenant, rows) == before, url


def stranger() -> User:
    """Somebody who may do everything, elsewhere."""
    tenant = make_tenant()
    with tenant_context(tenant):
        make_event()
    return make_staff(tenant, may=EVERYTHING)


def test_viewer_opens_what_can_be_seen_and_no_more(tenant: Tenant, rows: dict[str, Any]) -> None:
    before, client = kept(tenant, rows), client_of(make_staff(tenant, may=["view_event"]))
    opened = set()
    for pattern in console_patterns():
        url = address_of(pattern, rows)
        response = sent(client, "GET", url, {})
        assert response.status_code in (200, 403, 405), (url, response.status_code)
        opened |= {str(pattern.name)} if response.status_code == 200 else set()
    assert opened == OPEN_TO_VIEWERS
    assert kept(tenant, rows) == before


def test_viewer_changes_nothing(tenant: Tenant, rows: dict[str, Any]) -> None:
    before, client = kept(tenant, rows), client_of(make_staff(tenant, may=["view_event"]))
    for pattern in console_patterns():
        url = address_of(pattern, rows)
        sent(client, "POST", url, forged(rows))
        assert kept(tenant, rows) == before, url


def test_staff_without_any_permission_sees_nothing(tenant: Tenant, rows: dict[str, Any]) -> None:
    client = client_of(make_staff(tenant))
    for pattern in console_patterns():
        url = address_of(pattern, rows)
        assert sent(client, "GET", url, {}).status_code in (403, 405), url


def test_buttons_that_may_not_be_pressed_say_what_they_want(
    tenant: Tenant, rows: dict[str, Any]
) -> None:
    client = client_of(make_staff(tenant, may=["view_event"]))
    failure: UUID = rows["fingerprint"]
    pages = {
        reverse("admin:events_event_changelist"): ["Can replay events"],
        reverse("admin:events_event_change", args=[rows["event_id"]]): [
            "Can replay events",
            "Can edit events and replay them",
        ],
        reverse("admin:events_failure", args=[failure]): [
            "Can replay events",
            "Can triage failure groups",
        ],
    }
    for url, wanted in pages.items():
        page = client.get(url).content.decode()
        for name in wanted:
            assert f"This needs the permission “{name}”." in page, (url, name)
