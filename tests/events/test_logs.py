"""What a handler logs says on whose behalf it ran: the lines on-call searches by."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from events.context import event_context
from events.models import Event
from events.testing import handler_of
from leads.services import add_note, create_lead
from salesflow import logs
from salesflow.accounts.models import Tenant
from salesflow.supervisor import ROOT_IS_FINE
from tests.events.factories import make_event, make_events
from tests.events.switches import Switch
from tests.factories import make_user
from tests.thirdparty.handlers import breakdown
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

Lines = Callable[[str], list[dict[str, Any]]]
ours, theirs = structlog.get_logger("ours"), logging.getLogger("theirs")


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The lines with a message, as they are printed in the format `json`."""
    root, printed = logging.getLogger(), io.StringIO()
    before = root.handlers[:]
    logs.configure("INFO", "json")
    [handler] = [found for found in root.handlers if found not in before]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(printed)

    def find(message: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in printed.getvalue().splitlines()]
        return [line for line in found if line["event"] == message]

    yield find
    logs.configure("INFO", "console")
    root.handlers[:] = before


def test_lines_of_a_handler_name_request_event_tenant_and_handler(
    tenant: Tenant, lines: Lines, settle_events: Callable[[], int]
) -> None:
    def speak(event: Event) -> None:
        ours.info("from us", answer=42)
        theirs.info("from %s", "a library")

    with handler_of("thing.happened", function=speak), event_context(request_id="r-1"):
        event = make_event()
    with handler_of("thing.happened", function=speak):
        settle_events()
    bound = {
        "request_id": "r-1",
        "event_id": str(event.id),
        "tenant": "acme",
        "handler": "speak",
    }
    [said], [printed] = lines("from us"), lines("from a library")
    assert said.items() >= bound.items()
    assert printed.items() >= bound.items()
    assert said["answer"] == 42


def test_lines_of_a_batch_handler_name_its_events(
    tenant: Tenant, lines: Lines, settle_events: Callable[[], int]
) -> None:
    with handler_of(
        "thing.happened", function=lambda _: ours.info("from us"), name="speak", batch=True
    ):
        with event_context(request_id="r-2"):
            events = make_events(3)
        settle_events()
    [line] = lines("from us")
    assert line["event_id"] == f"{events[0].id}…{events[2].id}"
    assert (line["events"], line["request_id"]) == (3, "r-2")
    assert (line["tenant"], line["handler"]) == ("acme", "speak")


@pytest.mark.parametrize("effects", ["database", "external"])
def test_line_about_a_failure_names_them_too(
    tenant: Tenant, lines: Lines, settle_events: Callable[[], int], effects: str
) -> None:
    with handler_of("thing.happened", function=Switch(), name="switch", effects=effects):
        event = make_event()
        settle_events()
    [line] = lines("handler_failed")
    assert line["error"] == "RuntimeError: the switch is off"
    assert (line["event_id"], line["tenant"]) == (str(event.id), "acme")
    assert (line["handler"], line["level"]) == ("switch", "warning")


@pytest.mark.journey
def test_lines_of_a_worker_are_json_with_the_same_names(
    tenant: Tenant, service_environment: dict[str, str], tmp_path: Path
) -> None:
    lead = create_lead(name="Erika Mustermann")
    with event_context(request_id="r-3"):
        add_note(lead, "Called.", author=make_user(tenant))
    breakdown().write_text("the printer is out of paper")
    try:
        printed = _settled_by_worker(service_environment, tmp_path / "log")
    finally:
        breakdown().unlink()
    event = Event.objects.get(type="note.added")
    bound = {"request_id": "r-3", "event_id": str(event.id), "tenant": "acme"}
    for message in ("greeting", "handler_failed"):
        [line] = [line for line in printed if line["event"] == message]
        assert line.items() >= {**bound, "handler": "greet_for_note"}.items()


def _settled_by_worker(environment: dict[str, str], log: Path) -> list[dict[str, Any]]:
    """What a real worker prints until everything is settled."""
    command = [sys.executable, "-m", "celery", "--quiet", "-A", "salesflow", "worker", "--beat"]
    options = ["--queues=events,sweeps", "--concurrency=1", f"--schedule={log}.schedule"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, *options],
            env=environment | {"SALESFLOW_LOG_FORMAT": "json", "PYTHONWARNINGS": ROOT_IS_FINE},
            stderr=out,
        )
        try:
            settled = Event.unscoped.exclude(status="pending").filter(type="note.added").exists
            wait_until(settled, "the worker settled the note", 60)
        finally:
            process.terminate()
            process.wait(30)
    return [json.loads(line) for line in log.read_text().splitlines()]
