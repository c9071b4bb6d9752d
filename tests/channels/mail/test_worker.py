"""Real workers and their scheduler: a mail goes out, and its answer comes in by itself."""

import subprocess

import pytest

from channels.models import Account, Channel, Message, MessageStatus
from channels.services import send_message
from salesflow.accounts.models import Tenant
from tests.channels.factories import make_reachable_lead
from tests.channels.mail.devel import ANN, NOISE, PASSWORD, MailDevel
from tests.channels.mail.factories import OURS, make_mail_account
from tests.channels.mail.test_round_trip import answer_to, last_mail
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.journey,
    pytest.mark.filterwarnings(NOISE),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mailboxes are looked at all the time."""
    monkeypatch.setenv("SALESFLOW_MAIL_POLL_INTERVAL", "0.5")


@pytest.mark.usefixtures("often")
def test_answer_comes_in_by_itself(
    tenant: Tenant, server: MailDevel, worker: "subprocess.Popen[bytes]"
) -> None:
    account = make_mail_account(
        smtp_port=server.smtp,
        imap_host="127.0.0.1",
        imap_port=server.imap,
        imap_user=OURS,
        imap_password=PASSWORD,
    )
    lead = make_reachable_lead(ANN)
    sent = send_message(lead, channel=Channel.EMAIL, subject="Offer", body="Shall we talk?")
    wait_until(lambda: _status(sent) == MessageStatus.SENT, "the mail has gone out", 60)
    wait_until(lambda: Account.objects.get(pk=account.pk).state, "the mailbox was looked at", 60)
    server.post(answer_to(last_mail(server), "Yes."))
    answers = Message.objects.filter(direction="inbound", in_reply_to=sent, lead=lead)
    wait_until(answers.exists, "the answer has come in", 60)
    assert worker.poll() is None


def _status(message: Message) -> str:
    message.refresh_from_db()
    return str(message.status)
