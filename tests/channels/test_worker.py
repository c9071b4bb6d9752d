"""A message on its way through a real Celery worker."""

import subprocess

import pytest

from channels.models import Message, MessageStatus
from salesflow.accounts.models import Tenant
from tests.channels.factories import make_message, make_reachable_lead
from tests.waiting import wait_until


@pytest.mark.usefixtures("transactional_db")
def test_worker_sends_retries_and_fails_messages(
    tenant: Tenant, worker: "subprocess.Popen[bytes]"
) -> None:
    good = make_message()
    busy = make_message(make_reachable_lead("busy@example.com"))
    bad = make_message(make_reachable_lead(phone="+442079460000"), channel="whatsapp")

    def statuses() -> list[str]:
        rows = Message.objects.in_bulk([good.id, busy.id, bad.id])
        return [rows[row.id].status for row in (good, busy, bad)]

    expected = [MessageStatus.SENT, MessageStatus.SENT, MessageStatus.FAILED]
    wait_until(lambda: statuses() == expected, "the messages are settled", seconds=60)
