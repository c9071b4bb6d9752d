"""The broker goes away and comes back, under the whole of SalesFlow."""

import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.http import Person, Program
from tests.journeys.processes import Redis, SalesFlow
from tests.waiting import promised, wait_until

pytestmark = [
    pytest.mark.journey,
    pytest.mark.redis,
    pytest.mark.skipif(
        not shutil.which("redis-server"), reason="needs Redis: apt-get install redis-server"
    ),
]

# Seconds within which creating a lead has to be answered, broker or no broker.
PROMISED = promised(2.0)
# Seconds within which 95 of 100 leads are answered while the broker is away.
PROMISED_P95 = promised(1.0)
# Seconds after the broker's return within which everything is settled.
PROMISED_RECOVERY = promised(30.0)


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    redis = Redis()
    redis.start()
    yield redis
    redis.stop()


@pytest.fixture(scope="module")
def salesflow(redis: Redis) -> Iterator[SalesFlow]:
    with tempfile.TemporaryDirectory(prefix="salesflow-journey-") as home:
        salesflow = SalesFlow(Path(home), SALESFLOW_BROKER_URL=redis.url)
        salesflow.start()
        yield salesflow
        assert salesflow.stop() == 0


@pytest.fixture(scope="module")
def demo(salesflow: SalesFlow) -> Any:
    return json.loads((salesflow.home / "demo.json").read_text())


def _login(demo: Any, role: str) -> tuple[str, str]:
    [login] = [login for login in demo["logins"] if login["role"] == role]
    return login["email"], login["password"]


def _lead_event(program: Program, name: str) -> Any:
    [lead] = program.get(f"/api/leads?search={name}")["results"]
    events = program.get(f"/api/leads/{lead['id']}/events")["results"]
    [created] = [event for event in events if event["type"] == "lead.created"]
    return created


def test_demo_logins_work(salesflow: SalesFlow, demo: Any) -> None:
    rep, admin = Person(salesflow.address), Person(salesflow.address)
    assert rep.log_in(*_login(demo, "rep")).endswith("/leads")
    admin.log_in(*_login(demo, "admin"))
    assert admin.open("/admin/events/event/")[0].endswith("/admin/events/event/")


def test_lead_is_created_while_the_broker_is_away_and_handled_when_it_is_back(
    salesflow: SalesFlow, redis: Redis, demo: Any
) -> None:
    rep, program = Person(salesflow.address), Program(salesflow.address, demo["api_key"])
    rep.log_in(*_login(demo, "rep"))
    redis.stop()
    for name in ("Outage-One", "Outage-Two"):
        rep.submit("/leads/new", PROMISED, name=name)
        assert _lead_event(program, name)["status"] == "pending"
    redis.start()
    for name in ("Outage-One", "Outage-Two"):
        wait_until(
            lambda: _lead_event(program, name)["status"] == "processed",  # noqa: B023
            f"the event of {name} is processed",
            60,
        )


def _seconds_to_create_a_lead(program: Program, number: int) -> float:
    started = time.monotonic()
    # An answer other than 201 raises or has no id.
    assert program.post("/api/leads", {"name": f"Outage {number}"})["id"]
    return time.monotonic() - started


def test_two_hundred_leads_are_created_while_the_broker_is_away(
    salesflow: SalesFlow, redis: Redis, demo: Any
) -> None:
    program = Program(salesflow.address, demo["api_key"])
    redis.stop()
    waits = [_seconds_to_create_a_lead(program, number) for number in range(200)]
    redis.start()
    assert statistics.quantiles(waits, n=20)[-1] < PROMISED_P95
    wait_until(
        lambda: not program.get("/api/events/status/pending")["results"],
        "all events are settled",
        PROMISED_RECOVERY,
    )
