"""The admin's first page: is it fine, since when not, whose fault is it; figures of one's own."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from events import rates, tallies
from events.console.health import health_page, limits
from events.console.queues import given_up
from events.console.verdict import FAILURE_RATE, WAIT
from events.models import Breaker, Delivery, Event, EventStatus, HandlerPause, Replay, Tally
from events.models.delivery import UNTIL_RESUMED
from events.models.tally import EVERYBODY
from events.testing import handler_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import first_uuid7_of
from salesflow.accounts.models import Tenant
from tests.events.alert_factories import make_group
from tests.events.factories import make_event, make_events, make_failed_event
from tests.factories import make_tenant
from tests.staff import client_of, make_staff, make_superuser
from tests.web import HTMX, Page, page_of

TYPE = "thing.happened"
INDEX, PART = reverse("admin:index"), reverse("admin:events_health")
# Session, user, breakers, pauses, pending events (with their tenants), replays, failures, and three
# for the limit of time; the page also two for its own. Figures, what has failed, there and in the
# sidebar's badge, and what has waited longest are read past Django: seven more.
PAGE_QUERIES, PART_QUERIES = 12, 11

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_figures_of_others(db: None) -> None:
    tallies.flush()
    Tally.objects.all().delete()


@pytest.fixture
def root() -> Client:
    return client_of(make_superuser())


def tally(tenant: Tenant, minutes_ago: int = 0, **figures: Any) -> None:
    """What a handler did in one minute, and the hour that it belongs to."""
    given = {"kind": "handler", "name": "greet", "durations": [], **figures}
    starts = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=minutes_ago)
    for span, start in (("minute", starts), ("hour", starts.replace(minute=0))):
        for tenant_id in (tenant.pk, EVERYBODY):
            add_up(span=span, starts_at=start, tenant_id=tenant_id, **given)


def add_up(succeeded: int = 0, failed: int = 0, *, durations: list[int], **key: Any) -> None:
    known = Tally.objects.filter(**key)
    if not known.update(succeeded=F("succeeded") + succeeded, failed=F("failed") + failed):
        Tally.objects.create(succeeded=succeeded, failed=failed, durations=durations, **key)


def fail(event: Event) -> None:
    Event.unscoped.filter(pk=event.pk).update(status=EventStatus.FAILED, processed_at=Now())
    Delivery.objects.create(event=event, handler="greet", status="failed", error="ValueError: no")


def verdict_of(client: Client) -> Any:
    return client.get(INDEX).context["verdict"]


def tiles(client: Client) -> dict[str, str]:
    """Label → figure."""
    return {tile.label: tile.figure for tile in client.get(INDEX).context["tiles"]}


# --- The page -----------------------------------------------------------------------------------


def test_empty_installation_is_fine(root: Client) -> None:
    page = page_of(root.get(PART, headers=HTMX))
    assert "All is well." in page.text
    assert "None is paused." in page.text
    assert page.all("svg")
    assert "All is well." in Page(root.get(INDEX)).text


def test_page_refreshes_itself(root: Client) -> None:
    [part] = [e for e in Page(root.get(INDEX)).all("div") if e.get("id") == "event-health"]
    assert part["hx-get"] == PART
    [again] = [e for e in page_of(root.get(PART)).all("div") if e.get("id") == "event-health"]
    assert again == part


def test_who_may_not_see_events_gets_neither_page_nor_part() -> None:
    client = client_of(make_staff(make_tenant(), may=["view_lead"]))
    assert "event-health" not in client.get(INDEX).content.decode()
    assert client.get(PART).status_code == 403
    assert Client().get(PART).status_code == 302


def test_every_tile_and_column_leads_to_a_page(tenant: Tenant, root: Client) -> None:
    fail(make_event())
    make_event()
    tally(tenant, succeeded=5, failed=1)
    tally(tenant, kind="type", name=TYPE, succeeded=5, failed=1)
    page = page_of(root.get(PART))
    links = {a["href"] for a in page.all("a") if a["href"].startswith("/admin/events/")}
    assert len(links) > 10
    for link in links:
        assert root.get(link).status_code == 200, link


@pytest.mark.parametrize(("url", "queries"), [(INDEX, PAGE_QUERIES), (PART, PART_QUERIES)])
def test_queries_do_not_grow_with_what_there_is(
    tenant: Tenant, root: Client, django_assert_num_queries: Any, url: str, queries: int
) -> None:
    make_event()
    with django_assert_num_queries(queries):
        root.get(url)
    for event in make_events(15):
        fail(event)
    for number in range(30):
        tally(tenant, number, succeeded=3, failed=number % 2)
        tally(tenant, number, name=f"h{number}", succeeded=3)
        Breaker.objects.create(key=f"h{number}", state="open")
    with django_assert_num_queries(queries):
        root.get(url)


# --- Tenants ------------------------------------------------------------------------------------


def test_staff_of_a_tenant_see_its_figures_alone(tenant: Tenant) -> None:
    other = make_tenant()
    with tenant_context(other):
        for event in make_events(3):
            fail(event)
    fail(make_event())
    for whose, good, bad in ((tenant, 40, 1), (other, 7000, 300)):
        tally(whose, succeeded=good, failed=bad)
        tally(whose, kind="type", name=TYPE, succeeded=good, failed=bad)
    client = client_of(make_staff(tenant, may=["view_event"]))
    assert tiles(client)["failed events"] == "1"
    assert tiles(client)["events a minute"] == "4.1"
    text = re.sub(r"\s+", " ", page_of(client.get(PART)).text)
    assert "41 in all" in text
    assert "7,0" not in text
    assert "300" not in text
    root = client_of(make_superuser())
    assert tiles(root)["failed events"] == "4"
    assert tiles(root)["events a minute"] == "734"


def test_what_waits_at_other_tenants_is_not_ours(tenant: Tenant) -> None:
    with tenant_context(make_tenant()):
        event = make_event()
    Event.unscoped.filter(pk=event.pk).update(due_at=Now() - timedelta(hours=1))
    client = client_of(make_staff(tenant, may=["view_event"]))
    assert verdict_of(client).tone == "succeeded"
    assert tiles(client)["oldest pending"] == "–"
    assert verdict_of(client_of(make_superuser())).tone == "failed"


def test_staff_without_a_tenant_see_nothing(tenant: Tenant) -> None:
    fail(make_event())
    tally(tenant, succeeded=5)
    client = client_of(make_staff(may=["view_event"]))
    assert tiles(client) == {
        "failed events": "0",
        "pending events": "0",
        "oldest pending": "–",
        "events a minute": "0",
        "of attempts fail": "0 %",
        "running replays": "0",
    }


# --- What is wrong ------------------------------------------------------------------------------


def test_failing_handler_is_named_with_its_beginning(tenant: Tenant, root: Client) -> None:
    for minute in range(5, 30):
        tally(tenant, minute, succeeded=10)
    for minute in range(5):
        tally(tenant, minute, succeeded=1, failed=9)
    verdict = verdict_of(root)
    assert verdict.text == "Not fine: handler greet."
    began = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=4)
    assert verdict.since == began
    assert "45 %" in verdict.findings[0].text
    page = page_of(root.get(PART))
    assert reverse("admin:events_handler", args=["greet"]) in {a["href"] for a in page.all("a")}


def test_paused_handler_is_not_an_alarm(tenant: Tenant, root: Client) -> None:
    user = make_superuser()
    HandlerPause.objects.create(handler="greet", reason="<b>index</b> is rebuilt", actor=user)
    event = make_event()
    Delivery.objects.create(event=event, handler="greet", next_attempt_at=UNTIL_RESUMED)
    Event.unscoped.update(due_at=UNTIL_RESUMED)
    verdict = verdict_of(root)
    assert (verdict.tone, verdict.since) == ("pending", None)
    page = page_of(root.get(PART))
    assert "<b>index</b> is rebuilt" in page.text
    assert "1 delivery waits" in page.text
    assert tiles(root)["oldest pending"] == "–"


def test_event_that_nobody_takes_is_an_alarm(tenant: Tenant, root: Client) -> None:
    event = make_event()
    Event.unscoped.update(due_at=Now() - timedelta(minutes=10))
    verdict = verdict_of(root)
    assert verdict.text == "Not fine: no worker is at work."
    assert verdict.since
    assert tiles(root)["oldest pending"].startswith("10 min")
    page = page_of(root.get(PART))
    assert reverse("admin:events_event_change", args=[event.pk]) in {
        a["href"] for a in page.all("a")
    }


def test_call_that_waits_too_long_is_an_alarm_unless_its_circuit_explains_it(
    tenant: Tenant, root: Client
) -> None:
    with handler_of(TYPE, function=print, name="calls", effects="external"):
        due = timezone.now() - timedelta(hours=2)
        Delivery.objects.create(
            event=make_event(), handler="calls", tenant=tenant, next_attempt_at=due
        )
        assert verdict_of(root).text == "Not fine: too few external workers for calls."
        Breaker.objects.create(key="calls", state="open", retry_at=timezone.now())
        assert verdict_of(root).text == "Not fine: the service behind calls."


def test_failed_events_wait_for_somebody(tenant: Tenant, root: Client) -> None:
    fail(make_event())
    verdict = verdict_of(root)
    assert (verdict.tone, verdict.text) == ("pending", "Fine, but something waits for you.")


def test_limits_are_those_of_the_command(settings: Any) -> None:
    settings.HEALTH_MAX_WAIT = ["5", "external=7"]
    assert limits()[0].of("external") == 7
    settings.HEALTH_MAX_FAILURE_RATE = ["0.1", "no_such_handler=0.5"]
    assert limits() == (WAIT, FAILURE_RATE)


# --- Charts -------------------------------------------------------------------------------------


def test_charts_tell_what_was_drawn(tenant: Tenant) -> None:
    tally(tenant, kind="type", name=TYPE, succeeded=7, failed=1)
    tally(tenant, succeeded=7, failed=1)
    throughput, failures, *_day = health_page(make_superuser())["charts"]
    assert (throughput.total, failures.total) == ("8 in all", "12 % in all")
    last = throughput.bars.columns[-1]
    assert last.title.endswith("7 went well, 1 failed (12 %)")
    assert "recorded_after" in last.url
    assert [rect.status for rect in last.rects] == ["failed", "processed"]
    assert throughput.bars.columns[0].url == ""
    assert len(throughput.bars.columns) == 60


def test_durations_of_the_last_hour_are_shown(tenant: Tenant, root: Client) -> None:
    tallies.flush()
    counts = [0] * (len(tallies.BOUNDS) + 1)
    counts[tallies.BOUNDS.index(0.1)] = 100
    tally(tenant, succeeded=100, durations=counts)
    [row] = [r for r in root.get(INDEX).context["handlers"] if r.name == "greet"]
    assert (row.median, row.slow) == ("75 ms", "98 ms")
    assert rates.durations("minute", 60, [tenant.id]) == {"greet": counts}


# --- Replays ------------------------------------------------------------------------------------


def test_replays_that_run_and_that_wait_for_somebody_are_named(tenant: Tenant) -> None:
    status = Replay.Status
    for state in status.values:
        Replay.objects.create(tenant=tenant, reason=f"because of {state}", status=state)
    long_ago = first_uuid7_of(timezone.now(), timedelta(days=-8))
    Replay.objects.create(id=long_ago, tenant=tenant, reason="long ago", status=status.STOPPED)
    root = client_of(make_superuser())
    shown = root.get(INDEX).context["replays"]
    assert {replay.status for replay in shown} == {"running", "paused", "stopped"}
    assert "long ago" not in {replay.reason for replay in shown}
    assert tiles(root)["running replays"] == "1"


# --- What has failed ----------------------------------------------------------------------------


@pytest.mark.parametrize("most", [3, 2])
def test_event_is_counted_once_however_many_handlers_failed(tenant: Tenant, most: int) -> None:
    group = make_group(tenant)
    for handlers in (["one"], ["one", "two"], ["two", "three", "four"]):
        make_failed_event(handlers=handlers)
    Delivery.objects.exclude(handler="four").update(group_id=group.pk)
    for tenants in (None, [tenant.pk]):
        assert given_up(tenants, most) == {3: "3", 2: "2+"}[most]
    assert given_up([make_tenant().pk]) == "0"
