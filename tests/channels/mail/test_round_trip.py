"""There and back through a real server: a lead is written to, answers, and is answered."""

import email
from collections.abc import Callable
from email import policy
from email.message import EmailMessage

import pytest

from channels.mailboxes import poll_mailbox
from channels.models import Account, Channel, Conversation, Message, MessageStatus, Pace
from channels.services import send_message
from channels.transports.mail.transport import MailTransport
from leads.models import Lead
from salesflow.accounts.models import Tenant
from tests.channels.factories import make_reachable_lead
from tests.channels.mail.devel import ANN, NOISE, PASSWORD, MailDevel
from tests.channels.mail.factories import OURS, make_mail_account

pytestmark = [pytest.mark.usefixtures("tenant"), pytest.mark.filterwarnings(NOISE)]


@pytest.fixture
def account(tenant: Tenant, server: MailDevel) -> Account:
    """Our mailbox, which has been read before."""
    account = make_mail_account(
        smtp_port=server.smtp,
        imap_host="127.0.0.1",
        imap_port=server.imap,
        imap_user=OURS,
        imap_password=PASSWORD,
        plus_addressing=True,
    )
    assert poll_mailbox(account.pk) == 0
    return account


def last_mail(server: MailDevel, address: str = ANN) -> EmailMessage:
    """The last mail in somebody's mailbox."""
    body = server.mails(address)[-1]
    return email.message_from_bytes(body, policy=policy.default)


def answer_to(mail: EmailMessage, text: str, *, to: str = "") -> EmailMessage:
    """What Ann's mail program makes of her answer."""
    answer = EmailMessage()
    answer["From"] = f"Ann Archer <{ANN}>"
    answer["To"] = to or str(mail["Reply-To"] or mail["From"])
    answer["Subject"] = f"Re: {mail['Subject']}"
    answer["Message-ID"] = f"<{abs(hash(text))}@mail.example.com>"
    answer["In-Reply-To"] = mail["Message-ID"]
    answer["References"] = f"{mail['References'] or ''} {mail['Message-ID']}".strip()
    quoted = "\n".join(f"> {line}" for line in mail.get_content().splitlines())
    answer.set_content(f"{text}\n\nOn Mon, 12 May 2025 at 10:00, Sales wrote:\n{quoted}\n")
    return answer


def send(lead: Lead, body: str, settle_events: Callable[[], int]) -> Message:
    """Write to a lead, and have it sent."""
    Pace.objects.all().delete()
    message = send_message(lead, channel=Channel.EMAIL, subject="Offer", body=body)
    settle_events()
    message.refresh_from_db()
    assert message.status == MessageStatus.SENT, message.error
    return message


@pytest.mark.django_db(transaction=True)
def test_thread_goes_on_over_three_mails(
    server: MailDevel, account: Account, settle_events: Callable[[], int]
) -> None:
    lead = make_reachable_lead(ANN, name="Ann Archer")
    first = send(lead, "Grüße. Shall we talk?", settle_events)
    mail = last_mail(server)
    assert str(mail["To"]) == f"Ann Archer <{ANN}>"
    assert mail.get_content().strip() == "Grüße. Shall we talk?"
    server.post(answer_to(mail, "Yes, tomorrow. Käse?"))
    assert poll_mailbox(account.pk) == 1
    settle_events()
    answer = Message.objects.get(direction="inbound")
    assert (answer.lead, answer.conversation, answer.in_reply_to) == (
        lead,
        first.conversation,
        first,
    )
    assert (answer.body, "Shall we talk?" in answer.quoted) == ("Yes, tomorrow. Käse?", True)
    assert Conversation.objects.get().unread == 1
    send(lead, "At ten?", settle_events)
    last = last_mail(server)
    assert last["In-Reply-To"] == f"<{abs(hash('Yes, tomorrow. Käse?'))}@mail.example.com>"
    assert str(last["References"]).split()[0] == mail["Message-ID"]
    assert len(str(last["References"]).split()) == 2


@pytest.mark.django_db(transaction=True)
def test_answer_finds_its_conversation_without_a_thread(
    server: MailDevel, account: Account, settle_events: Callable[[], int]
) -> None:
    lead = make_reachable_lead(ANN, name="Ann Archer")
    first = send(lead, "Hi", settle_events)
    answer = answer_to(last_mail(server), "From my other address")
    for name in ("In-Reply-To", "References", "Message-ID", "From"):
        del answer[name]
    answer["From"] = "ann.private@example.org"
    server.post(answer)
    assert poll_mailbox(account.pk) == 1
    settle_events()
    told = Message.objects.get(direction="inbound")
    assert (told.conversation, told.address) == (first.conversation, "ann.private@example.org")
    assert Lead.objects.count() == 1


def test_check_logs_in_at_both_servers_and_sends_nothing(
    server: MailDevel, account: Account
) -> None:
    MailTransport().check(account)
    assert server.mails(OURS) == []
