"""Which spans there are, and what they hang on."""

from collections.abc import Callable

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from events import publish
from events.models import Event
from events.testing import handler_of
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event, make_events
from tests.events.payloads import ThingHappened
from tests.events.switches import Switch

pytestmark = pytest.mark.django_db(transaction=True)

Spans = Callable[[str], list[ReadableSpan]]


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """Spans are kept in memory from here on: a process's provider is set once."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Spans:
    """The finished spans of a name."""
    exporter.clear()
    return lambda name: [span for span in exporter.get_finished_spans() if span.name == name]


def traced_event() -> tuple[Event, int]:
    """An event that was published in a trace of its own, and that trace's id."""
    with trace.get_tracer("tests").start_as_current_span("request") as span:
        return make_event(), span.get_span_context().trace_id


def test_event_outside_of_a_trace_carries_none_and_makes_no_spans(
    tenant: Tenant, spans: Spans, settle_events: Callable[[], int]
) -> None:
    with handler_of("thing.happened", function=lambda event: None, name="quiet"):
        event = make_event()
        settle_events()
    assert event.traceparent == ""
    assert spans("quiet") == spans("publish events") == []


def test_handler_joins_the_trace_of_its_event(
    tenant: Tenant, spans: Spans, settle_events: Callable[[], int]
) -> None:
    with handler_of("thing.happened", function=lambda event: None, name="joins"):
        event, trace_id = traced_event()
        settle_events()
    [published], [handled] = spans("publish events"), spans("joins")
    assert handled.context.trace_id == trace_id
    assert handled.parent and handled.parent.span_id == published.context.span_id
    assert handled.attributes and handled.attributes["messaging.message.id"] == str(event.id)


def test_event_that_a_handler_publishes_belongs_to_the_same_trace(
    tenant: Tenant, spans: Spans, settle_events: Callable[[], int]
) -> None:
    def follow(event: Event) -> None:
        if event.payload["number"] == 0:
            publish(ThingHappened(thing_id=uuid7(), number=1))

    with handler_of("thing.happened", function=follow, name="follow"):
        _, trace_id = traced_event()
        settle_events()
    assert [span.context.trace_id for span in spans("follow")] == [trace_id, trace_id]


def test_batch_of_one_trace_joins_it_and_of_several_links_to_them(
    tenant: Tenant, spans: Spans, settle_events: Callable[[], int]
) -> None:
    with handler_of("thing.happened", function=lambda events: None, name="batch", batch=True):
        with trace.get_tracer("tests").start_as_current_span("import") as imported:
            make_events(3)
        settle_events()
        ids = {traced_event()[1], traced_event()[1]}
        settle_events()
    joined, linked = spans("batch")
    assert joined.context.trace_id == imported.get_span_context().trace_id
    assert linked.context.trace_id not in ids
    assert {link.context.trace_id for link in linked.links} == ids


def test_span_of_a_handler_that_raises_holds_the_error(
    tenant: Tenant, spans: Spans, settle_events: Callable[[], int]
) -> None:
    with handler_of("thing.happened", function=Switch(), name="fails"):
        traced_event()
        settle_events()
    [failed] = spans("fails")
    assert not failed.status.is_ok
    assert failed.status.description == "RuntimeError: the switch is off"


def test_external_handler_joins_the_trace_too(
    tenant: Tenant, spans: Spans, settle_events: Callable[[], int]
) -> None:
    call = Switch()
    call.on = True
    with handler_of("thing.happened", function=call, name="calls", effects="external"):
        _, trace_id = traced_event()
        settle_events()
    assert [span.context.trace_id for span in spans("calls")] == [trace_id]
