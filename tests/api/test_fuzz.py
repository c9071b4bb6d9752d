"""Whatever is sent to the API, it answers as its OpenAPI document says, and never with a 500."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from channels.sequences.documents import Document, MessageStep, Variant
from channels.sequences.enrolling import enrol_leads
from channels.sequences.publishing import publish_version
from channels.sequences.versions import create_sequence
from channels.services import send_message
from events import registry
from events.models import Event
from events.replays import start_replay
from leads.services import add_task, create_lead
from salesflow.accounts.models import Tenant
from tests.api.clients import ApiClient
from tests.autopilot.rows import ids_about
from tests.autopilot.stage import set_rule
from tests.channels.factories import make_inbound_message
from tests.channels.template_factories import make_template
from tests.events.factories import make_failure

MAIL = Document(steps=(MessageStep(variants=(Variant(subject="Hi", body="How are you?"),)),))

pytestmark = pytest.mark.django_db

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture
def application(db: None) -> Iterator[Any]:
    """The real application, which keeps the test's connection."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield get_wsgi_application()
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def known(tenant: Tenant) -> dict[str, str]:
    """Ids that lead somewhere."""
    lead = create_lead(name="Ada", emails=["ada@example.com"])
    message = send_message(lead, channel="email", body="Hi")
    sequence = create_sequence("Welcome", document=MAIL)
    publish_version(sequence)
    sequence.refresh_from_db()
    [enrolment] = enrol_leads([lead], sequence, source="api").enrolled
    autopilot = ids_about(make_inbound_message(lead))
    set_rule("approve")
    return {
        "lead_id": str(lead.id),
        "message_id": str(message.id),
        "conversation_id": str(message.conversation_id),
        "template_id": str(make_template().pk),
        "task_id": str(add_task(lead, title="Call").pk),
        "sequence_id": str(sequence.pk),
        "enrolment_id": str(enrolment.pk),
        **{name: str(autopilot[name]) for name in ("draft_id", "run_id", "suggestion_id")},
        "event_id": str(Event.objects.earliest("position").id),
        "replay_id": str(start_replay(Event.objects.all(), reason="x").id),
        "fingerprint": str(make_failure().fingerprint),
        "name": registry.all_handlers()[0].name,
    }


def test_answer_is_as_documented(application: Any, api: ApiClient, known: dict[str, str]) -> None:
    document = schemathesis.openapi.from_wsgi("/api/schema", application)
    for found in document.get_all_operations():
        try_out(found.ok(), api, known)  # type: ignore[union-attr]


def try_out(operation: Any, api: ApiClient, known: dict[str, str]) -> None:
    """Send an operation what fits its description, and look at every answer."""

    @settings(
        max_examples=30,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        for name in case.path_parameters or {}:
            case.path_parameters[name] = known[name]
        with transaction.atomic():
            case.call_and_validate(headers=api.headers, checks=CHECKS)
            transaction.set_rollback(True)

    send()
