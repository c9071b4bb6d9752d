"""The page of an event explains it: what it says, where it belongs, what failed, how to go on."""

import ast
import json
import shlex
import subprocess
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from events.console.pages import in_time
from events.console.related import DEEPEST, HIGHEST, MOST, WIDEST
from events.context import event_context
from events.corrections.previewing import MASK
from events.models import Attempt, Delivery, Event
from events.models.delivery import UNTIL_RESUMED
from events.publishing import publish
from events.testing import handler_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant
from tests.events.alert_factories import make_group
from tests.events.factories import make_event, make_failure
from tests.events.payloads import AccountOpened, OtherHappened
from tests.factories import make_tenant
from tests.staff import client_of, make_staff, make_superuser
from tests.web import Page

pytestmark = pytest.mark.django_db
HOSTILE = "</pre><script>alert(1)</script>\u202egnp.exe{{ x }}' ; alert(2)"


@pytest.fixture
def root() -> Client:
    """The browser of a superuser."""
    return client_of(make_superuser())


def page_of(client: Client, event: Event) -> Any:
    return client.get(reverse("admin:events_event_change", args=[event.pk]))


def with_payload(payload: Any, **fields: Any) -> Event:
    """An event with this payload, as a plug-in or an old version may have left it."""
    event = make_event()
    Event.unscoped.filter(pk=event.pk).update(payload=payload, **fields)
    return event


# --- Payload ------------------------------------------------------------------------------------


def test_payload_is_checked_against_its_schema(tenant: Tenant, root: Client) -> None:
    assert page_of(root, make_event()).context["payload"].is_valid
    wrong = with_payload({"number": "many", "colour": HOSTILE})
    payload = page_of(root, wrong).context["payload"]
    assert not payload.is_valid
    assert "ThingHappened 1" in payload.verdict
    assert {problem.path for problem in payload.problems} == {"thing_id", "number", "colour"}


@pytest.mark.parametrize("payload", [[1, 2], "text", 7, {"a": {"b": [{}]}}])
def test_payload_of_any_shape_is_shown(tenant: Tenant, root: Client, payload: Any) -> None:
    response = page_of(root, with_payload(payload))
    assert response.status_code == 200
    assert json.loads(response.context["payload"].text) == payload


def test_type_that_no_app_declares_any_more_is_said(tenant: Tenant, root: Client) -> None:
    payload = page_of(root, with_payload({}, type="gone.by")).context["payload"]
    assert (payload.is_valid, payload.problems) == (False, [])
    assert "No installed app" in payload.verdict


def test_payload_too_deep_to_be_read_is_shown_and_said_so(tenant: Tenant, root: Client) -> None:
    event, deep = make_event(), '{"a":' * 3000 + "1" + "}" * 3000
    with connection.cursor() as cursor:
        cursor.execute("UPDATE events SET payload = %s::jsonb WHERE id = %s", [deep, event.pk])
    payload = page_of(root, event).context["payload"]
    assert (payload.is_cut, payload.is_valid) == (True, False)


def test_masked_fields_are_shown_to_nobody(tenant: Tenant, root: Client) -> None:
    event = publish(AccountOpened(account_id=uuid7(), number="1", secret="hunter2"))
    assert "secret" in AccountOpened.masked_fields()
    file = root.get(reverse("admin:events_event_payload", args=[event.pk]))
    for response in (page_of(root, event), file):
        assert "hunter2" not in response.content.decode()
    assert json.loads(file.content)["secret"] == MASK
    assert page_of(root, event).context["payload"].is_valid


@pytest.mark.parametrize("payload", [{"secret": ["hunter2"], "account_id": 1}, ["hunter2"]])
def test_masked_fields_stay_masked_where_the_payload_is_wrong(
    tenant: Tenant, root: Client, payload: Any
) -> None:
    event = with_payload(payload, type="account.opened")
    response = page_of(root, event)
    assert not response.context["payload"].is_valid
    assert "hunter2" not in response.content.decode()


# --- Where it belongs ---------------------------------------------------------------------------


def caused_by(event: Event, number: int = 1) -> list[Event]:
    with event_context(cause_id=event.pk):
        return [publish(OtherHappened(number=each)) for each in range(number)]


def test_tree_reaches_several_levels_up_and_down(tenant: Tenant, root: Client) -> None:
    top = make_event()
    [middle] = caused_by(top)
    first, second = caused_by(middle, 2)
    [last] = caused_by(first)
    tree = page_of(root, middle).context["tree"]
    assert [(node.event, node.depth) for node in tree.nodes] == [
        (top, 0),
        (middle, 1),
        (first, 2),
        (last, 3),
        (second, 2),
    ]
    assert [node.event for node in tree.nodes if node.is_this] == [middle]


def test_tree_has_its_bounds(tenant: Tenant, root: Client) -> None:
    line = [make_event()]
    for _level in range(HIGHEST + DEEPEST + 4):
        line += caused_by(line[-1])
    here = line[HIGHEST + 2]
    nodes = page_of(root, here).context["tree"].nodes
    assert [node.event for node in nodes] == line[2 : HIGHEST + 2 + DEEPEST + 1]
    wide = make_event()
    effects = caused_by(wide, WIDEST + 5)
    for effect in effects:
        caused_by(effect, WIDEST + 1)
    tree = page_of(root, wide).context["tree"]
    assert len(tree.nodes) <= MOST + HIGHEST
    assert tree.is_cut
    children = [node for node in tree.nodes if node.depth == 1]
    assert [node.is_left_out for node in children] == [False] * WIDEST + [True]


def test_tree_survives_a_circle_and_other_tenants(tenant: Tenant, root: Client) -> None:
    first = make_event()
    [second] = caused_by(first)
    Event.unscoped.filter(pk=first.pk).update(cause_id=second.pk)
    assert page_of(root, first).status_code == 200
    with tenant_context(make_tenant()):
        [foreign] = caused_by(second)
    shown = {node.event.pk for node in page_of(root, second).context["tree"].nodes}
    assert foreign.pk not in shown


def test_request_is_shown_however_many_events_it_had(tenant: Tenant, root: Client) -> None:
    with event_context(request_id="req-1"):
        events = [make_event() for _number in range(25)]
    same = page_of(root, events[0]).context["same_request"]
    assert (same["rows"], same["more"]) == (events[1:21], True)


# --- What failed --------------------------------------------------------------------------------


def test_failure_leads_to_its_group(tenant: Tenant, root: Client, settle_events: Any) -> None:
    group = make_failure(error="no rate")
    event = Event.objects.latest("id")
    page = page_of(root, event)
    assert reverse("admin:events_failure", args=[group.fingerprint]) in page.content.decode()
    assert page.context["failure"].group == group


def test_long_history_and_long_tracebacks_are_cut(tenant: Tenant, root: Client) -> None:
    event = make_event()
    delivery = Delivery.objects.create(event=event, handler="greet", status="failed", error="x")
    text = "Traceback (most recent call last):\n" + "x" * 1_000_000 + "\nValueError: the end"
    Attempt.objects.bulk_create(
        Attempt(
            delivery=delivery,
            number=number,
            status="failed",
            started_at=timezone.now() + timedelta(seconds=number),
            duration_ms=1,
            traceback=text if number == 200 else "short",
        )
        for number in range(1, 201)
    )
    response = page_of(root, event)
    assert len(response.content) < 300_000
    tries = response.context["rows"][0].tries
    assert tries[0].attempt.number == 200
    assert tries[0].text.endswith("ValueError: the end")


def test_delivery_of_a_paused_handler_says_that_it_waits(tenant: Tenant, root: Client) -> None:
    event = make_event()
    Delivery.objects.create(event=event, handler="greet", next_attempt_at=UNTIL_RESUMED)
    Event.unscoped.filter(pk=event.pk).update(due_at=UNTIL_RESUMED)
    page = page_of(root, event).content.decode()
    assert "waits: its handler is paused" in page
    assert str(UNTIL_RESUMED.year) not in page


def test_hostile_text_stays_text_everywhere(tenant: Tenant, root: Client) -> None:
    group = make_group(tenant, message=HOSTILE, error_type=HOSTILE[:200], traceback=HOSTILE)
    event = with_payload(
        {HOSTILE: HOSTILE}, error_message=HOSTILE, request_id=HOSTILE, status="failed"
    )
    delivery = Delivery.objects.create(
        event=event, handler="greet", status="failed", error=HOSTILE, group_id=group.pk
    )
    frames = f'Traceback (most recent call last):\n  File "{HOSTILE}", line 1, in {HOSTILE}\n'
    Attempt.objects.create(
        delivery=delivery,
        number=1,
        status="failed",
        started_at=timezone.now(),
        duration_ms=1,
        error_type=HOSTILE,
        traceback=f"{frames}    {HOSTILE}\nError: {HOSTILE}",
    )
    list_url = reverse("admin:events_event_changelist")
    urls = [
        reverse("admin:events_event_change", args=[event.pk]),
        reverse("admin:events_failure", args=[group.fingerprint]),
        reverse("admin:events_failures"),
        list_url,
    ]
    for url in urls:
        response = root.get(url)
        text = response.content.decode()
        assert "<script>alert" not in text, url
        assert "\u202e" not in text, url
        assert evaluated_attributes(Page(response)) == [], url


def evaluated_attributes(page: Page) -> list[str]:
    """The attributes that the page's scripts evaluate and that hold what somebody has sent."""
    evaluated = ("x-", "hx-", ":", "@")
    return [
        f"{name}={value}"
        for _tag, attrs in page.elements
        for name, value in attrs.items()
        if name.startswith(evaluated) and "alert" in value
    ]


# --- How to go on -------------------------------------------------------------------------------


def commands_of(response: Any) -> dict[str, str]:
    return {command.name: command.text for command in response.context["commands"]}


def test_commands_are_quoted_for_the_shell(tenant: Tenant, root: Client) -> None:
    hostile = "x'; touch /tmp/owned; echo '$(id)"
    event = with_payload({"thing_id": str(uuid7())}, request_id=hostile)
    logs = commands_of(page_of(root, event))["copy-logs"]
    assert hostile in shlex.split(logs)
    syntax = subprocess.run(["bash", "-n"], input=logs, text=True, capture_output=True, check=True)
    assert syntax.stderr == ""


def test_json_logs_are_searched_with_jq(tenant: Tenant, root: Client, settings: Any) -> None:
    settings.LOG_FORMAT = "json"
    with event_context(request_id="req-1"):
        event = make_event()
    logs = commands_of(page_of(root, event))["copy-logs"]
    assert '.request_id == "req-1"' in logs
    assert str(event.pk) in logs


def test_curl_reads_and_replays_the_event(tenant: Tenant, root: Client) -> None:
    event = make_event()
    curl = commands_of(page_of(root, event))["copy-curl"]
    assert f"http://testserver{reverse('api-event', args=[event.pk])}" in curl
    assert f"http://testserver{reverse('api-event-replay', args=[event.pk])}" in curl


def test_python_runs_the_failed_handlers_on_this_payload(tenant: Tenant, root: Client) -> None:
    event = with_payload({"thing_id": str(uuid7()), "number": 7})
    Delivery.objects.create(event=event, handler="count_things", status="failed")
    code, numbers = commands_of(page_of(root, event))["copy-python"], []

    def count_things(event: Event) -> None:
        numbers.append(event.payload["number"])

    with handler_of("thing.happened", function=count_things):
        exec(compile(code, "copied", "exec"), {})
    assert numbers == [7]


def test_python_holds_hostile_payloads(tenant: Tenant, root: Client) -> None:
    for payload in ({HOSTILE: "'''\\"}, {"text": "x" * 100_000}, [HOSTILE], 7):
        code = commands_of(page_of(root, with_payload(payload)))["copy-python"]
        ast.parse(code)
        assert len(code) < 10_000


# --- Time ---------------------------------------------------------------------------------------


def sleeps(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(20)")
    return HttpResponse("done")


def test_page_that_takes_too_long_is_told_and_no_error() -> None:
    request = RequestFactory().get("/admin/")
    request.user = make_superuser()
    response: Any = in_time(sleeps, seconds=0.1)(request)
    assert response.status_code == 503
    assert "took too long" in response.render().content.decode()
    part = RequestFactory().get("/admin/", headers={"HX-Request": "true"})
    part.user = make_superuser()
    response = in_time(sleeps, seconds=0.1)(part)
    assert "<html" not in response.content.decode()


def test_other_tenants_staff_find_no_event(tenant: Tenant) -> None:
    stranger = client_of(make_staff(make_tenant(), may=["view_event"]))
    assert page_of(stranger, make_event()).status_code == 404
