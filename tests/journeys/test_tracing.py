"""A trace from a request in a web server to a handler in a worker, as a collector sees it."""

import subprocess
from collections.abc import Iterator

import pytest

from salesflow.accounts.models import Tenant
from tests.factories import make_api_key
from tests.journeys.collector import Collector, running_collector
from tests.journeys.http import Program
from tests.waiting import wait_until

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with running_collector() as collector:
        yield collector


@pytest.fixture
def service_environment(
    service_environment: dict[str, str], collector: Collector
) -> dict[str, str]:
    """Have the real processes send their spans to the collector, soon."""
    wanted = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    return service_environment | wanted


def test_handler_in_a_worker_joins_the_trace_of_the_request(
    tenant: Tenant,
    web: str,
    worker: "subprocess.Popen[bytes]",
    collector: Collector,
) -> None:
    Program(web, make_api_key(tenant)).post(
        "/api/leads", {"name": "Erika Mustermann"}, traceparent=f"00-{TRACE}-{CALLER}-01"
    )
    wait_until(lambda: collector.named("handle_lead_created"), "the handler's span came")
    wait_until(lambda: collector.named("publish events"), "the publisher's span came")
    [handled] = collector.named("handle_lead_created")
    [published] = collector.named("publish events")
    [asked] = [span for span in collector.spans if span.span_id == published.parent_span_id]
    assert handled.trace_id == published.trace_id == asked.trace_id == bytes.fromhex(TRACE)
    assert asked.parent_span_id == bytes.fromhex(CALLER)
    assert handled.parent_span_id == published.span_id
