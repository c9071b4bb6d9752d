"""Traces leave the house where the variables of OpenTelemetry name an exporter, else nothing runs.

`OTEL_EXPORTER_OTLP_ENDPOINT` is enough; all others that OpenTelemetry's SDK knows work too.

Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import os
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
OTLP = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
# Probes and scrapes would bury what people do.
UNTRACED = "healthz,readyz,metrics,static/"

log = structlog.get_logger(__name__)


def exporter_names() -> list[str]:
    """The exporters that the environment asks for, as their packages call them."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return []
    by_endpoint = "otlp" if any(os.environ.get(name) for name in ENDPOINTS) else "none"
    wanted = os.environ.get("OTEL_TRACES_EXPORTER") or by_endpoint
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf"
    names = [name.strip() for name in wanted.split(",")]
    return [
        OTLP.get(protocol, protocol) if name == "otlp" else name
        for name in names
        if name not in ("", "none")
    ]


def missing() -> list[str]:
    """Which of them are not installed."""
    if not exporter_names() or find_spec("opentelemetry.sdk") is None:
        return exporter_names()
    installed = {found.name for found in entry_points(group="opentelemetry_traces_exporter")}
    return [name for name in exporter_names() if name not in installed]


def configure() -> None:
    """Trace requests and handlers, if the environment asks for it and the packages are there."""
    if not exporter_names() or missing():  # a system check tells what is missing
        return
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # A process that ends does not wait long for a collector that is away.
    os.environ.setdefault("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
    if "service.name=" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        os.environ.setdefault("OTEL_SERVICE_NAME", "salesflow")
    provider = TracerProvider()
    for exporter in exporter_names():
        [found] = entry_points(group="opentelemetry_traces_exporter", name=exporter)
        # Its thread begins anew in the processes that gunicorn and Celery fork.
        provider.add_span_processor(BatchSpanProcessor(found.load()()))
    trace.set_tracer_provider(provider)
    _trace_requests()


def _trace_requests() -> None:
    if find_spec("opentelemetry.instrumentation.django") is None:
        return
    from opentelemetry.instrumentation.django import DjangoInstrumentor

    excluded = os.environ.get("OTEL_PYTHON_DJANGO_EXCLUDED_URLS", UNTRACED)
    DjangoInstrumentor().instrument(excluded_urls=excluded, response_hook=_describe)


def _describe(span: Any, request: HttpRequest, _response: HttpResponse) -> None:
    """Say on a request's span what its log lines and its events say."""
    span.set_attribute("salesflow.request_id", getattr(request, "request_id", ""))
    if tenant := getattr(request, "tenant", None):
        span.set_attribute("salesflow.tenant", str(tenant.id))


def flush() -> None:
    """Send what has not been sent yet, before this process ends."""
    from opentelemetry import trace

    provider: Any = trace.get_tracer_provider()
    if hasattr(provider, "force_flush"):
        provider.force_flush()
