"""Spans of publishing and handling, in the trace of what caused them.

An event carries the W3C trace context of the span that published it, so its handlers join that
trace in whatever process and however much later they run. Outside of a trace nothing is done and
the column stays empty. Nothing here asks whether traces are exported: see `salesflow/tracing.py`.

Source: W3C Trace Context, https://www.w3.org/TR/trace-context/; OpenTelemetry's semantic
conventions for messaging spans (a batch of several traces links to them).
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from events.models import Event

P = ParamSpec("P")
R = TypeVar("R")

# OpenTelemetry's own default for the links of a span.
MOST_LINKS = 128
NOTHING: AbstractContextManager[Any] = nullcontext()

_tracer = trace.get_tracer("salesflow.events")
_propagator = TraceContextTextMapPropagator()


def in_trace() -> bool:
    """Whether what runs now belongs to a trace."""
    return trace.get_current_span().get_span_context().is_valid


def traceparent() -> str:
    """The trace context to write on an event; empty outside of a trace."""
    if not in_trace():
        return ""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier["traceparent"]


def in_publish_span(publish: Callable[P, R]) -> Callable[P, R]:
    """Give each call of the decorated function a span, if it is part of a trace."""

    @wraps(publish)
    def publish_in_span(*args: P.args, **kwargs: P.kwargs) -> R:
        if not in_trace():
            return publish(*args, **kwargs)
        with _tracer.start_as_current_span("publish events", kind=SpanKind.PRODUCER):
            return publish(*args, **kwargs)

    return publish_in_span


def handling(handler: str, events: Sequence[Event]) -> AbstractContextManager[Any]:
    """A span for one call of a handler, in the trace of its events.

    It records what the handler raises. Events of several traces are linked to, since a span has
    one parent only.
    """
    carried = {event.traceparent for event in events if event.traceparent}
    if not carried:
        return NOTHING
    contexts = [_context(value) for value in sorted(carried)[:MOST_LINKS]]
    alone = len(contexts) == 1
    return _tracer.start_as_current_span(
        handler,
        context=contexts[0] if alone else Context(),
        kind=SpanKind.CONSUMER,
        links=[] if alone else _links(contexts),
        attributes=_attributes(handler, events),
    )


def _context(carried: str) -> Context:
    return _propagator.extract({"traceparent": carried}, Context())


def _links(contexts: Iterable[Context]) -> list[Link]:
    return [Link(trace.get_current_span(context).get_span_context()) for context in contexts]


def _attributes(handler: str, events: Sequence[Event]) -> dict[str, str | int]:
    first = events[0]
    shared: dict[str, str | int] = {
        "messaging.system": "salesflow",
        "messaging.operation.name": "handle",
        "messaging.destination.name": first.type,
        "salesflow.handler": handler,
        "salesflow.tenant": str(first.tenant_id),
    }
    if len(events) > 1:
        return shared | {"messaging.batch.message_count": len(events)}
    alone = {"messaging.message.id": str(first.id), "salesflow.request_id": first.request_id}
    return shared | alone
