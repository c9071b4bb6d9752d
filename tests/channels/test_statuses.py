"""The order of a message's life, whatever the order of the reports."""

from itertools import permutations

import pytest

from channels.models import Message, MessageStatus
from channels.services import record_status
from events.models import Event
from tests.channels.factories import make_message

S = MessageStatus

pytestmark = pytest.mark.usefixtures("tenant")


def types() -> set[str]:
    return set(Event.objects.values_list("type", flat=True)) - {"lead.created"}


@pytest.mark.parametrize("order", list(permutations([S.SENT, S.DELIVERED, S.READ])))
def test_reports_in_any_order_end_the_same(order: tuple[str, ...]) -> None:
    message = make_message()
    for status in order:
        record_status(message.id, status)
    kept = Message.objects.get()
    assert kept.status == S.READ
    assert all([kept.sent_at, kept.delivered_at, kept.read_at, kept.latency_ms is not None])
    assert types() == {"message.queued", "message.sent", "message.delivered", "message.read"}


@pytest.mark.parametrize("status", [S.SENT, S.DELIVERED, S.READ, S.FAILED])
def test_second_report_changes_nothing(status: str) -> None:
    message = make_message()
    first = record_status(message.id, status, reason="why")
    events = Event.objects.count()
    second = record_status(message.id, status, reason="why else")
    assert (second.status, second.error) == (first.status, first.error)
    assert Event.objects.count() == events


@pytest.mark.parametrize("arrived", [S.DELIVERED, S.READ])
def test_message_that_arrived_does_not_fail(arrived: str) -> None:
    message = make_message()
    record_status(message.id, arrived)
    assert record_status(message.id, S.FAILED, reason="late").status == arrived
    assert "message.failed" not in types()


def test_failed_message_keeps_its_reason() -> None:
    message = make_message()
    record_status(message.id, S.SENT)
    record_status(message.id, S.FAILED, reason="mailbox full")
    kept = record_status(message.id, S.DELIVERED)
    assert (kept.status, kept.error, kept.delivered_at) == (S.FAILED, "mailbox full", None)
