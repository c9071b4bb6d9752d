"""A worker is killed with SIGKILL at every step of sending: no message goes out twice."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from channels.models import Channel, Message, MessageStatus
from channels.services import record_status, send_message
from channels.services.accounts import connect_account
from channels.transports import register_transport
from channels.transports.registry import forget_transport
from events import replay_event
from events.models import Event, EventStatus
from salesflow.accounts.models import Tenant
from tests.channels.factories import make_reachable_lead
from tests.outside import carrier
from tests.outside.service import Service
from tests.outside.workers import at_work
from tests.waiting import wait_until

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]

# Seconds: workers start first, perhaps on a busy machine.
PATIENCE = 90.0


@pytest.fixture
def service() -> Iterator[Service]:
    with Service().serving() as service:
        yield service


@pytest.fixture(autouse=True)
def mortal() -> Iterator[None]:
    """Known here as it is to the workers."""
    register_transport(carrier.MortalTransport(), Channel.EMAIL)
    yield
    forget_transport(carrier.MortalTransport.name)


@pytest.fixture(autouse=True)
def workers(service_environment: dict[str, str]) -> Iterator[None]:
    with at_work(service_environment):
        yield


def send(service: Service, dies: str) -> Message:
    """A message through an account whose first worker is killed at that step."""
    account = connect_account(
        channel="email",
        transport="mortal",
        name=dies,
        settings=carrier.MortalSettings(url=service.address, dies=dies),
    )
    return send_message(make_reachable_lead(), channel="email", body="Hi", account=account)


def is_settled(message: Message) -> bool:
    events = Event.objects.filter(type="message.queued", payload__message_id=str(message.pk))
    return not events.filter(status=EventStatus.PENDING).exists()


def wait_for(message: Message) -> Message:
    wait_until(lambda: is_settled(message), "the message is settled", PATIENCE)
    message.refresh_from_db()
    return message


def was_killed(message: Message) -> bool:
    return (Path(os.environ["SALESFLOW_HOME"]) / f"died-{message.account_id}").exists()


def test_message_of_a_worker_that_is_killed_before_the_note_goes_out_once(
    tenant: Tenant, service: Service
) -> None:
    message = wait_for(send(service, carrier.BEFORE_THE_NOTE))
    assert was_killed(message)
    assert message.status == MessageStatus.SENT
    assert service.calls == {str(message.pk): 1}


def test_message_of_a_worker_that_is_killed_later_is_unknown_and_never_sent_again(
    tenant: Tenant, service: Service
) -> None:
    steps = {
        carrier.BEFORE_THE_CALL: 0,
        carrier.DURING_THE_CALL: 1,
        carrier.AFTER_THE_ANSWER: 1,
        carrier.BEFORE_THE_STATUS: 1,
    }
    sent = {step: send(service, step) for step in steps}
    for step, message in sent.items():
        wait_for(message)
        assert was_killed(message), step
        assert (message.status, message.sending_since) == (MessageStatus.UNKNOWN, None), step
        assert message.error, step
        assert message.vendor_id == f"mortal-{message.pk}", step
    for message in sent.values():
        queued = Event.objects.get(type="message.queued", payload__message_id=str(message.pk))
        replay_event(queued.pk, reason="send it again", include_external=True)
        wait_until(partial(_is_failed_again, queued), "the replay has run", PATIENCE)
    assert {step: service.calls[str(message.pk)] for step, message in sent.items()} == steps
    late = sent[carrier.AFTER_THE_ANSWER]
    assert record_status(late.pk, MessageStatus.DELIVERED).status == MessageStatus.DELIVERED


def _is_failed_again(event: Event) -> bool:
    delivery = event.deliveries.get(handler="deliver_message")
    return delivery.status == "failed" and delivery.replay_id is not None
