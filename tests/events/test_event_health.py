"""What on-call asks first: does the engine keep up, and if not, what is it?"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Value
from django.db.models.functions import Now
from django.utils import timezone

from events.health import Limit, parse_limit
from events.models import Breaker, Event, JournalEntry
from events.publishing import Draft, event_of
from events.retry import RetryPolicy
from events.settling import settle_due
from events.testing import handler_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import first_uuid7_of, uuid7
from salesflow.accounts.models import Tenant
from salesflow.home import PROJECT
from tests.events.factories import make_event, make_events
from tests.events.payloads import ThingHappened
from tests.events.switches import Switch
from tests.factories import make_tenant

pytestmark = pytest.mark.django_db(transaction=True)

Health = Callable[..., str]


@pytest.fixture
def health(capsys: pytest.CaptureFixture[str]) -> Health:
    """Runs the command; what it prints when all is well."""

    def run(*options: str) -> str:
        capsys.readouterr()
        call_command("event_health", *options)
        return capsys.readouterr().out

    return run


@pytest.fixture
def unhealthy(capsys: pytest.CaptureFixture[str]) -> Health:
    """Runs the command; what it prints and how it fails when something is wrong."""

    def run(*options: str) -> str:
        capsys.readouterr()
        with pytest.raises(CommandError, match="Unhealthy") as failure:
            call_command("event_health", *options)
        return f"{capsys.readouterr().out}{failure.value}"

    return run


@pytest.fixture
def switch() -> Iterator[Switch]:
    switch = Switch()
    policy = RetryPolicy(max_attempts=3)
    with handler_of("thing.happened", function=switch, name="switch", retry=policy):
        yield switch


@pytest.fixture
def calls() -> Iterator[Switch]:
    calls = Switch()
    declared: dict[str, Any] = {"effects": "external", "retry": RetryPolicy(max_attempts=8)}
    with handler_of("thing.happened", function=calls, name="calls", **declared):
        yield calls


@pytest.fixture
def other_tenant_event(tenant: Tenant) -> Event:
    with tenant_context(make_tenant("umbrella")):
        return make_event()


def make_late(event: Event, seconds: float) -> None:
    """Have the event due for so long."""
    due = Now() - Value(timedelta(seconds=seconds))
    Event.unscoped.filter(id=event.id).update(due_at=due)


def test_nothing_to_do_is_healthy(tenant: Tenant, health: Health) -> None:
    assert "0 events" in health()


def test_event_that_has_just_been_published_is_healthy(tenant: Tenant, health: Health) -> None:
    make_event()
    assert "1 events" in health()


def test_event_that_waited_too_long_is_named_with_its_tenant(
    tenant: Tenant, unhealthy: Health
) -> None:
    event = make_event()
    make_late(event, 400)
    make_late(make_event(), 200)
    found = unhealthy()
    assert re.search(r"events: the oldest has been due for 4\d\d s, more than 60 s; 2 are", found)
    assert f"thing.happened {event.id} of acme" in found
    assert "Unhealthy: events." in found


def test_event_that_waits_for_its_retry_is_healthy(tenant: Tenant, health: Health) -> None:
    make_late(make_event(), -400)
    assert "0 events" in health()


def test_oldest_event_is_found_among_all_tenants(
    tenant: Tenant, other_tenant_event: Event, unhealthy: Health
) -> None:
    make_event()
    make_late(other_tenant_event, 90)
    assert f"{other_tenant_event.id} of umbrella" in unhealthy()


def test_worker_that_holds_a_batch_is_named(tenant: Tenant, unhealthy: Health) -> None:
    event = make_event()
    make_late(event, 400)
    JournalEntry.objects.create(
        token=1,
        event_ids=[event.id],
        handler="greet_for_note",
        worker="host:4711",
        server_started_at=Now(),
    )
    assert "Worker host:4711 has been in handler greet_for_note" in unhealthy()


def test_handler_that_fails_is_named_with_its_error(
    tenant: Tenant, switch: Switch, settle_events: Callable[[], int], unhealthy: Health
) -> None:
    make_event()
    settle_events()
    found = unhealthy()
    assert "switch fails for 1 of 1 events of the last 15 minutes, more than 10 %." in found
    assert "The latest error: RuntimeError: the switch is off" in found
    assert "Unhealthy: switch." in found


def test_handler_that_fails_less_than_its_limit_is_healthy(
    tenant: Tenant,
    switch: Switch,
    settle_events: Callable[[], int],
    health: Health,
    unhealthy: Health,
) -> None:
    make_event()
    settle_events()
    switch.on = True
    make_events(9)
    settle_events()
    assert "1 events failed" in health()
    assert "1 of 10 events" in unhealthy("--max-failure-rate", "switch=0.05")
    health("--max-failure-rate", "0.05", "--max-failure-rate", "switch=0.5")


def test_failures_of_older_events_do_not_count(
    tenant: Tenant, switch: Switch, settle_events: Callable[[], int], health: Health
) -> None:
    make_event()
    settle_events()
    health("--window", "0s")


def make_event_by_clock(off: timedelta) -> Event:
    """An event of a publisher whose clock is so much off."""
    event = event_of(Draft(ThingHappened(thing_id=uuid7())))
    event.id = first_uuid7_of(timezone.now(), off)
    event.save(force_insert=True)
    return event


@pytest.mark.parametrize("hours", [-20, 20])
def test_failure_counts_when_it_was_recorded_whatever_its_publishers_clock_says(
    tenant: Tenant,
    switch: Switch,
    settle_events: Callable[[], int],
    unhealthy: Health,
    hours: int,
) -> None:
    make_event_by_clock(timedelta(hours=hours))
    settle_events()
    assert "switch fails for 1 of 1 events of the last 15 minutes" in unhealthy()


def test_success_counts_when_it_was_recorded_whatever_its_publishers_clock_says(
    tenant: Tenant, switch: Switch, settle_events: Callable[[], int], unhealthy: Health
) -> None:
    make_event()
    settle_events()
    switch.on = True
    make_event_by_clock(timedelta(hours=-20))
    settle_events()
    assert "switch fails for 1 of 2 events" in unhealthy()


def test_failures_recorded_earlier_do_not_count_whatever_their_publishers_clock_says(
    tenant: Tenant, switch: Switch, settle_events: Callable[[], int], health: Health
) -> None:
    event = make_event_by_clock(timedelta(hours=2))
    settle_events()
    earlier = Now() - Value(timedelta(hours=1))
    Event.unscoped.filter(id=event.id).update(created_at=earlier)
    assert "1 events failed" in health()


def test_window_may_be_wider_than_the_log_is_old(
    tenant: Tenant, switch: Switch, settle_events: Callable[[], int], unhealthy: Health
) -> None:
    make_event()
    settle_events()
    assert "switch fails for 1 of 1 events" in unhealthy("--window", "999999d")


def test_single_failure_proves_nothing(
    tenant: Tenant, settle_events: Callable[[], int], health: Health
) -> None:
    once = Switch()
    with handler_of("thing.happened", function=once, name="once"):
        make_event()
        settle_events()
    assert "1 events failed" in health()


def test_external_delivery_that_waited_too_long_is_named_with_its_circuit(
    tenant: Tenant, calls: Switch, unhealthy: Health
) -> None:
    make_event()
    settle_due()
    Breaker.objects.create(key="calls", state="open")
    found = unhealthy("--max-wait", "external=0")
    assert re.search(r"calls: the oldest has been due for \d+ s, more than 0 s; 1 are due", found)
    assert "Its circuit broke at 20" in found


def test_json_has_figures_and_problems(
    tenant: Tenant, switch: Switch, settle_events: Callable[[], int], unhealthy: Health
) -> None:
    make_event()
    settle_events()
    make_late(make_event(), 400)
    text, _, end = unhealthy("--json").rpartition("}")
    found = json.loads(text + "}")
    assert end.strip() == "Unhealthy: events, switch."
    assert not found["healthy"]
    assert [problem["name"] for problem in found["problems"]] == ["events", "switch"]
    assert found["problems"][1]["value"] == 1.0
    assert found["queues"]["events"]["due"] == 1
    assert found["queues"]["events"]["oldest_seconds"] >= 400
    assert found["failed_events"] == 1


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--max-wait=soon", "--max-wait: “soon” is no number from 0 on."),
        ("--max-wait=sweeps=3", "--max-wait: there is no “sweeps”."),
        ("--max-failure-rate=2", "--max-failure-rate: “2” is no number from 0 to 1."),
        ("--max-failure-rate=greet=0.1", "--max-failure-rate: there is no “greet”."),
        ("--window=long", "“long” is no time span"),
    ],
)
def test_wrong_option_is_named(option: str, message: str) -> None:
    with pytest.raises(CommandError) as failure:
        call_command("event_health", option)
    assert message in str(failure.value)


def test_number_for_all_replaces_exceptions_and_a_name_adds_one() -> None:
    base = Limit(60, {"external": 300})
    assert parse_limit(["10"], ["events", "external"], base=base) == Limit(10)
    assert parse_limit(["events=5"], ["events", "external"], base=base) == Limit(
        60, {"external": 300, "events": 5}
    )


def test_database_that_is_away_is_one_line_and_status_1(
    service_environment: dict[str, str],
) -> None:
    nobody = "postgresql://salesflow@127.0.0.1:1/salesflow"
    ended = subprocess.run(
        [sys.executable, "manage.py", "event_health"],
        env=service_environment | {"SALESFLOW_DATABASE_URL": nobody},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "The database: connection" in ended.stderr
    assert "Traceback" not in ended.stderr
