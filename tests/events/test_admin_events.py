"""The admin's pages of events: found, read, harmless whatever they hold."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from events.console.payloads import SHOWN
from events.context import event_context
from events.models import Attempt, Delivery, Event, EventStatus
from events.publishing import publish
from events.testing import handler_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event, make_events
from tests.events.payloads import OtherHappened, ThingHappened
from tests.factories import make_tenant
from tests.staff import client_of, make_staff, make_superuser

Settle = Callable[[], int]
TYPE = "thing.happened"
LIST = reverse("admin:events_event_changelist")

pytestmark = pytest.mark.django_db


@pytest.fixture
def root() -> Client:
    """The browser of a superuser."""
    return client_of(make_superuser())


def page_of(client: Client, event: Event) -> Any:
    return client.get(reverse("admin:events_event_change", args=[event.pk]))


def listed(client: Client, **query: Any) -> list[Event]:
    """The events on the list's first page."""
    return list(client.get(LIST, query, follow=True).context["page"].rows)


def fail(event: Event, error: str = "ValueError: broken") -> Event:
    """Make an event one that failed just now."""
    Event.unscoped.filter(pk=event.pk).update(
        status=EventStatus.FAILED, error_message=error, processed_at=timezone.now()
    )
    Delivery.objects.create(event=event, handler="broken", status="failed", error=error)
    event.refresh_from_db()
    return event


def broken(event: Event) -> None:
    raise ValueError(f"no rate for number {event.payload['number']}")


# --- The list -----------------------------------------------------------------------------------


def test_events_are_narrowed_by_status(tenant: Tenant, root: Client) -> None:
    failed, pending = fail(make_event()), make_event()
    assert listed(root, status="failed") == [failed]
    assert listed(root, status="pending") == [pending]
    assert listed(root, status="processed") == []


def test_events_are_narrowed_by_type_source_and_tenant(tenant: Tenant, root: Client) -> None:
    thing = make_event()
    with event_context(source="import"):
        other = publish(OtherHappened())
    with tenant_context(make_tenant()):
        foreign = make_event()
    assert listed(root, type=TYPE) == [foreign, thing]
    assert listed(root, source="import") == [other]
    assert listed(root, tenant=tenant.pk) == [other, thing]


def test_events_are_narrowed_by_the_time_they_were_recorded(tenant: Tenant, root: Client) -> None:
    now = timezone.now()
    old, new = make_event(), make_event()
    Event.unscoped.filter(pk=old.pk).update(created_at=now - timedelta(hours=2))
    an_hour_ago = (now - timedelta(hours=1)).isoformat()
    assert listed(root, recorded_before=an_hour_ago) == [old]
    assert listed(root, recorded_after=an_hour_ago) == [new]
    assert listed(root, recorded_after=now.isoformat(), recorded_before=an_hour_ago) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "lost"),
        ("tenant", "nonsense"),
        ("recorded_after", "yesterday"),
        ("source", "a\x00b"),
        ("subject", "<b>x</b>"),
        ("ids", "1,2"),
        ("payload__secret", "x"),
    ],
)
def test_address_that_makes_no_sense_names_what_is_wrong(
    root: Client, name: str, value: str
) -> None:
    response = root.get(LIST, {name: value})
    assert response.status_code == 400
    assert list(response.context["errors"]) == [name]
    assert f"<code>{name}</code>" in response.content.decode()


def test_search_leads_to_the_event_its_subject_or_its_request(tenant: Tenant, root: Client) -> None:
    subject = uuid7()
    with event_context(request_id="req-1"):
        event = publish(ThingHappened(thing_id=subject))
    make_event()
    page = reverse("admin:events_event_change", args=[event.pk])
    assert root.get(LIST, {"q": f" {event.pk} "})["Location"] == page
    assert root.get(LIST, {"q": str(subject)})["Location"] == f"{LIST}?subject={subject}"
    assert listed(root, q=str(subject)) == listed(root, q="req-1") == [event]
    for term in ("req", str(event.id)[:8], "thing.happened", "%", str(uuid7())):
        assert listed(root, q=term) == []


def test_search_finds_nothing_of_other_tenants(tenant: Tenant) -> None:
    event = make_event()
    stranger = client_of(make_staff(make_tenant(), may=["view_event"]))
    for term in (event.pk, event.subject_id):
        location = stranger.get(LIST, {"q": str(term)})["Location"]
        assert location == f"{LIST}?request_id={term}"


def test_what_a_form_leaves_empty_does_not_stay_in_the_address(root: Client) -> None:
    given = {"status": "failed", "type": "", "source": "", "recorded_after": ""}
    assert root.get(LIST, given)["Location"] == f"{LIST}?status=failed"


def test_newest_event_comes_first(tenant: Tenant, root: Client) -> None:
    first, second = make_events(2)
    assert listed(root) == [second, first]
    fail(first)
    fail(second)
    assert listed(root, status="failed") == [second, first]


def test_error_leads_to_the_traceback(tenant: Tenant, root: Client) -> None:
    event = fail(make_event(), "broken: ValueError: no rate")
    page = root.get(LIST, {"status": "failed"}).content.decode()
    url = reverse("admin:events_event_change", args=[event.pk])
    assert f'href="{url}#failure"' in page
    assert "no rate" in page


def test_list_runs_the_same_queries_for_two_rows_and_for_fifty(
    tenant: Tenant, root: Client, django_assert_num_queries: Any
) -> None:
    for event in make_events(2):
        fail(event)
    with django_assert_num_queries(LIST_QUERIES):
        root.get(LIST)
    for event in make_events(60):
        fail(event)
    with django_assert_num_queries(LIST_QUERIES):
        assert len(listed(root)) == 50


# Session, user, membership; savepoint, time limit, rows, count, tenants, release.
LIST_QUERIES = 9


def test_empty_list_says_so(root: Client) -> None:
    assert "No event is so." in root.get(LIST, {"source": "nowhere"}).content.decode()


@pytest.mark.parametrize("view", ["add", "delete", "change"])
def test_events_cannot_be_written(tenant: Tenant, root: Client, view: str) -> None:
    event = make_event()
    url = reverse(f"admin:events_event_{view}", args=[] if view == "add" else [event.pk])
    assert root.post(url, {"status": "processed", "post": "yes"}).status_code == 403
    kept = Event.unscoped.get(pk=event.pk)
    assert (kept.status, kept.payload) == (event.status, event.payload)


# --- One event ----------------------------------------------------------------------------------


def test_page_shows_deliveries_attempts_and_traceback(
    tenant: Tenant, settle_events: Settle
) -> None:
    event = make_event(7)
    with handler_of(TYPE, function=broken):
        settle_events()
        page = page_of(client_of(make_superuser()), event).content.decode()
    assert "ValueError: no rate for number 7" in page
    assert "Traceback (most recent call last)" in page
    assert 'id="failure"' in page
    assert "<details" in page


def test_traceback_tells_of_its_own_event_alone(tenant: Tenant, settle_events: Settle) -> None:
    make_events(4)
    with handler_of(TYPE, function=broken):
        settle_events()
    for attempt in Attempt.objects.select_related("delivery__event"):
        numbers = set(re.findall(r"no rate for number (\d)", attempt.traceback))
        assert numbers == {str(attempt.delivery.event.payload["number"])}


def test_page_links_causes_effects_request_and_replays(tenant: Tenant, root: Client) -> None:
    with event_context(request_id="req-1"):
        cause = make_event()
        with event_context(cause_id=cause.id):
            effect = publish(OtherHappened())
        sibling = make_event()
    foreign_tenant = make_tenant()
    with tenant_context(foreign_tenant), event_context(request_id="req-1"):
        foreign = make_event()
    shown = page_of(root, cause).context
    assert [(node.event, node.depth) for node in shown["tree"].nodes] == [(cause, 0), (effect, 1)]
    assert shown["same_request"]["rows"] == [effect, sibling]
    assert [node.is_this for node in page_of(root, effect).context["tree"].nodes] == [False, True]
    assert foreign not in page_of(root, sibling).context["same_request"]["rows"]


def test_page_runs_the_same_queries_for_few_and_many_attempts(
    tenant: Tenant, root: Client, django_assert_num_queries: Any
) -> None:
    with event_context(request_id="req-1"):
        event = fail(make_event())
        make_events(5)
    with django_assert_num_queries(PAGE_QUERIES):
        page_of(root, event)
    make_attempts(event, 20)
    with django_assert_num_queries(PAGE_QUERIES):
        page_of(root, event)


# Session, user, membership; savepoint, time limit, event, deliveries, attempts, request,
# corrections, release. Payload, tree and the sidebar's badge are read past Django, one query each.
PAGE_QUERIES = 11


def make_attempts(event: Event, count: int) -> None:
    for handler in ("first", "second"):
        delivery = Delivery.objects.create(event=event, handler=handler, status="failed")
        Attempt.objects.bulk_create(
            Attempt(
                delivery=delivery,
                number=number,
                status="failed",
                started_at=timezone.now(),
                duration_ms=1,
                traceback="Traceback",
            )
            for number in range(1, count)
        )


HOSTILE = {
    "script": "<script>alert(1)</script>",
    "attribute": '"><img src=x onerror=alert(2)>',
    "closing": "</pre></details></body>",
    "override": "\u202egnp.exe",
    "hebrew": "שלום",
    "template": "{{ settings.SECRET_KEY }}{% load x %}",
}


def with_payload(payload: Any, **fields: Any) -> Event:
    """An event with this payload, as a plug-in or an old version may have left it."""
    event = make_event()
    Event.unscoped.filter(pk=event.pk).update(payload=payload, **fields)
    return event


def test_hostile_payload_is_shown_as_text(tenant: Tenant, root: Client) -> None:
    event = with_payload(HOSTILE, error_message=HOSTILE["script"], status="failed")
    for response in (page_of(root, event), root.get(LIST)):
        page = response.content.decode()
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "\u202e" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page_of(root, event).content.decode()
    assert "שלום" in page_of(root, event).content.decode()
    assert "{{ settings.SECRET_KEY }}" in page_of(root, event).content.decode()


def test_large_payload_is_cut_and_can_be_downloaded(tenant: Tenant, root: Client) -> None:
    event = with_payload({"text": "x" * 1_000_000})
    response = page_of(root, event)
    assert len(response.content) < 10 * SHOWN
    assert response.context["payload"].is_cut
    file = root.get(reverse("admin:events_event_payload", args=[event.pk]))
    assert file["Content-Type"] == "application/json"
    assert file["Content-Disposition"].startswith("attachment")
    assert json.loads(file.content) == {"text": "x" * 1_000_000}


def test_deep_payload_is_shown(tenant: Tenant, root: Client) -> None:
    event = make_event()
    deep = '{"a":' * 3000 + "1" + "}" * 3000
    with connection.cursor() as cursor:
        cursor.execute("UPDATE events SET payload = %s::jsonb WHERE id = %s", [deep, event.pk])
    assert page_of(root, event).status_code == 200
    assert root.get(LIST).status_code == 200
    assert root.get(reverse("admin:events_event_payload", args=[event.pk])).status_code == 200


def test_payload_of_another_tenant_is_not_there(tenant: Tenant) -> None:
    event = make_event()
    stranger = client_of(make_staff(make_tenant(), may=["view_event"]))
    url = reverse("admin:events_event_payload", args=[event.pk])
    assert stranger.get(url).status_code == 404
    assert client_of(make_staff(tenant)).get(url).status_code == 403
