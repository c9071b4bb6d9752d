"""The real thing: postfix and dovecot as Debian has them. `make mail-servers` runs these."""

from collections.abc import Callable, Iterator

import pytest

from channels.mailboxes import poll_mailbox
from channels.models import (
    Account,
    AddressStanding,
    Automatic,
    Channel,
    Message,
    MessageStatus,
    Pace,
)
from channels.services import send_message
from channels.transports.mail.transport import MailTransport
from leads.models import Lead
from salesflow.accounts.models import Tenant
from tests.channels.factories import make_reachable_lead
from tests.channels.mail.corpus.specimen import mail
from tests.channels.mail.debian import Debian, debian_servers, why_not
from tests.channels.mail.devel import ANN, PASSWORD
from tests.channels.mail.factories import OURS, make_mail_account
from tests.channels.mail.test_round_trip import answer_to, last_mail
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.skipif(bool(why_not()), reason=why_not()),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture(scope="module")
def servers() -> Iterator[Debian]:
    """postfix and dovecot."""
    with debian_servers() as running:
        yield running


@pytest.fixture
def account(tenant: Tenant, servers: Debian) -> Account:
    """Our mailbox there."""
    account = make_mail_account(
        smtp_port=servers.ports.smtp,
        imap_host="127.0.0.1",
        imap_port=servers.ports.imap,
        imap_user=OURS,
        imap_password=PASSWORD,
        plus_addressing=True,
    )
    MailTransport().check(account)
    assert poll_mailbox(account.pk) == 0
    return account


def send(lead: Lead, settle_events: Callable[[], int]) -> Message:
    """Write to a lead, and have it sent."""
    Pace.objects.all().delete()
    message = send_message(lead, channel=Channel.EMAIL, subject="Grüße", body="Käse?\n.\n")
    settle_events()
    message.refresh_from_db()
    assert message.status == MessageStatus.SENT, message.error
    return message


def poll_until(account: Account, count: int) -> None:
    """Poll until so many mails have come in."""
    found = [0]

    def look() -> bool:
        found[0] += poll_mailbox(account.pk)
        return found[0] >= count

    wait_until(look, f"{count} mails have come in")
    assert found[0] == count


def test_mail_arrives_and_its_answer_threads(
    servers: Debian, account: Account, settle_events: Callable[[], int]
) -> None:
    first = send(make_reachable_lead(ANN), settle_events)
    wait_until(lambda: servers.ports.mails(ANN), "the mail has arrived")
    arrived = last_mail(servers.ports)
    assert arrived["Subject"] == "Grüße"
    assert arrived.get_content().split() == ["Käse?", "."]
    servers.ports.post(answer_to(arrived, "Yes, please."))
    poll_until(account, 1)
    settle_events()
    answer = Message.objects.get(direction="inbound")
    assert (answer.in_reply_to, answer.body) == (first, "Yes, please.")


def test_address_alone_leads_to_the_conversation(
    servers: Debian, account: Account, settle_events: Callable[[], int]
) -> None:
    first = send(make_reachable_lead(ANN), settle_events)
    wait_until(lambda: _is_for(servers, first), "the mail has arrived")
    answer = answer_to(last_mail(servers.ports), "Without a thread.")
    del answer["In-Reply-To"], answer["References"]
    servers.ports.post(answer)
    poll_until(account, 1)
    settle_events()
    assert Message.objects.get(direction="inbound").conversation == first.conversation


def _is_for(servers: Debian, message: Message) -> bool:
    return any(str(message.pk).encode() in body for body in servers.ports.mails(ANN))


@pytest.mark.parametrize(
    ("address", "words"),
    [("nobody@example.com", "doesn't exist"), ("ann@elsewhere.example.org", "no such domain")],
)
def test_real_bounce_fails_the_message_and_closes_the_address(
    account: Account, settle_events: Callable[[], int], address: str, words: str
) -> None:
    message = send(make_reachable_lead(address), settle_events)
    poll_until(account, 1)
    settle_events()
    message.refresh_from_db()
    assert (message.status, words in message.error) == (MessageStatus.FAILED, True), message.error
    assert AddressStanding.objects.get(address=address).bounced_at
    bounce = Message.objects.get(direction="inbound")
    assert (bounce.automatic, bounce.in_reply_to) == (Automatic.BOUNCE, message)


def test_bytes_that_are_no_text_stay_as_they_are(servers: Debian, account: Account) -> None:
    body = mail(b"Gr\xfc\xdfe \x80\x81", Subject="Gr\udcfc\udcdfe", Content_Type="text/plain")
    servers.ports.put(body)
    poll_until(account, 1)
    stored = account.inbounds.get()
    assert bytes(stored.body) == body
