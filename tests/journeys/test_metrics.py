"""What Prometheus sees of real processes: counts of all of them, and queues as they are."""

import subprocess
import urllib.request
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Value
from django.db.models.functions import Now
from django.test import Client, override_settings
from prometheus_client.parser import text_string_to_metric_families

from events.models import Event, EventStatus
from events.testing import handler_of
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event
from tests.events.switches import Switch
from tests.factories import make_api_key
from tests.journeys.http import Program
from tests.waiting import wait_until

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]

LEADS = 6
ELSEWHERE = "192.0.2.1"


def sample(page: str, name: str, **labels: str) -> float:
    """The sum of the samples of that name with these labels, 0 where there is none."""
    found = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    return sum(
        each.value for each in found if each.name == name and labels.items() <= each.labels.items()
    )


def page_of(web: str) -> str:
    with urllib.request.urlopen(f"{web}/metrics", timeout=30) as answer:
        return str(answer.read().decode())


@pytest.fixture
def page(client: Client) -> Callable[[], str]:
    """The page as this process gives it."""
    return lambda: client.get("/metrics").content.decode()


def test_every_process_counts_and_none_is_forgotten_when_it_ends(
    tenant: Tenant, web: str, worker: "subprocess.Popen[bytes]"
) -> None:
    before = page_of(web)
    program = Program(web, make_api_key(tenant))
    for number in range(LEADS):
        program.post("/api/leads", {"name": f"Lead {number}"})
    settled = Event.unscoped.filter(type="lead.created", status=EventStatus.PROCESSED)
    wait_until(lambda: settled.count() == LEADS, "all events are settled")

    def more(name: str, **labels: str) -> float:
        return sample(page_of(web), name, **labels) - sample(before, name, **labels)

    created = {"type": "lead.created"}
    assert more("salesflow_events_published_total", **created) == LEADS
    wait_until(
        lambda: more("salesflow_events_settled_total", status="processed", **created) == LEADS,
        "the worker has counted",
    )
    worker.terminate()
    worker.wait(30)
    handled = {"handler": "handle_lead_created", "outcome": "succeeded"}
    assert more("salesflow_handler_deliveries_total", **handled) == LEADS
    assert 1 <= more("salesflow_handler_duration_seconds_count", **handled) <= LEADS
    assert more("salesflow_events_settled_total", status="processed", **created) == LEADS


def test_oldest_event_and_what_is_due_are_read_when_asked(
    tenant: Tenant, page: Callable[[], str]
) -> None:
    make_event()
    Event.unscoped.update(due_at=Now() - Value(timedelta(seconds=120)))
    make_event()
    found = page()
    assert 120 <= sample(found, "salesflow_oldest_pending_seconds", queue="events") < 200
    assert sample(found, "salesflow_pending", queue="events") == 2
    assert sample(found, "salesflow_database_up") == 1


def test_retries_failures_and_breakers_are_shown(
    tenant: Tenant, page: Callable[[], str], settle_events: Callable[[], int]
) -> None:
    with handler_of("thing.happened", function=Switch(), name="calls", effects="external"):
        make_event()
        settle_events()
        found = page()
    assert sample(found, "salesflow_failed_events") == 1
    assert sample(found, "salesflow_breaker_state", breaker="calls", state="closed") == 1
    assert sample(found, "salesflow_breaker_state", breaker="calls", state="open") == 0


def test_counts_are_shown_while_the_database_is_away(
    tenant: Tenant, page: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_event()
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    found = page()
    assert sample(found, "salesflow_database_up") == 0
    assert sample(found, "salesflow_events_published_total", type="thing.happened") >= 1
    assert "salesflow_oldest_pending_seconds" not in found


def test_only_this_machine_or_who_knows_the_token_may_read(
    client: Client,
) -> None:
    known = {"Authorization": "Bearer a-token"}
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", headers=known, REMOTE_ADDR=ELSEWHERE).status_code == 403
    with override_settings(METRICS_TOKEN="a-token"):
        assert client.get("/metrics").status_code == 403
        assert client.get("/metrics", headers=known, REMOTE_ADDR=ELSEWHERE).status_code == 200
