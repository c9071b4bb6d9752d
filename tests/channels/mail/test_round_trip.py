"""There and back through a real server: a lead is written to, answers, and is answered."""

import email
import re
from collections.abc import Callable
from datetime import timedelta
from email import policy
from email.message import EmailMessage
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from time_machine import travel

from channels.mailboxes import poll_mailbox
from channels.models import (
    Account,
    Channel,
    Conversation,
    Message,
    MessageStatus,
    Pace,
    Purpose,
    TrackingHit,
)
from channels.services import send_message
from channels.services.consent import opt_in
from channels.services.outcomes import settle_unknown
from channels.tracking.hits import SETTLED, judge_hits
from channels.transports.mail.identifiers import message_id_of
from channels.transports.mail.transport import MailTransport
from events.models import Event
from leads.models import Lead
from salesflow.accounts.models import Tenant
from tests.channels.factories import make_reachable_lead
from tests.channels.mail.devel import ANN, NOISE, PASSWORD, MailDevel
from tests.channels.mail.factories import OURS, make_mail_account
from tests.channels.mail.servers import Script, smtp_server

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


def send(lead: Lead, body: str, settle_events: Callable[[], int], **options: Any) -> Message:
    """Write to a lead, and have it sent."""
    Pace.objects.all().delete()
    message = send_message(lead, channel=Channel.EMAIL, subject="Offer", body=body, **options)
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
def test_thread_goes_on_after_a_mail_of_which_nobody_heard_whether_it_was_taken(
    server: MailDevel, account: Account, settle_events: Callable[[], int]
) -> None:
    lead, known = make_reachable_lead(ANN, name="Ann Archer"), account.settings
    with smtp_server(Script(data="drop")) as port:
        Account.objects.filter(pk=account.pk).update(settings=known | {"smtp_port": port})
        first = send_message(lead, channel=Channel.EMAIL, subject="Offer", body="Shall we talk?")
        settle_events()
    Account.objects.filter(pk=account.pk).update(settings=known)
    settle_unknown(first, arrived=True)
    send(lead, "At ten?", settle_events)
    assert last_mail(server)["In-Reply-To"] == message_id_of(first.pk, 1, account.address)


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


@pytest.mark.django_db(transaction=True)
def test_only_a_campaign_that_asks_for_it_tells_what_was_opened_and_followed(
    server: MailDevel, account: Account, settle_events: Callable[[], int]
) -> None:
    lead, link = make_reachable_lead(ANN, name="Ann Archer"), "https://example.com/offer?a=1"
    opt_in(lead, channel="email", address=ANN, basis="consent", source="manual")
    body, ours = f"Look: {link}.", f"{settings.BASE_URL}/t/"
    for told in ({"purpose": Purpose.MARKETING}, {"tracks": True}):
        send(lead, body, settle_events, **told)
        plain = last_mail(server)
        assert not plain.is_multipart()
        assert ours not in plain.get_content()
    message = send(lead, body, settle_events, purpose=Purpose.MARKETING, tracks=True)
    text, html = (part.get_content() for part in last_mail(server).iter_parts())
    # The plain text, and what stands below it, lead where they say.
    assert link in text
    assert ours not in text
    clicks = re.findall(rf'<a href="{ours}c/([^"]+)">{re.escape(link)}</a>', html)
    opens = re.findall(rf'<img src="{ours}o/([^"]+)\.gif"', html)
    assert (len(clicks), len(opens), html.count(ours)) == (1, 1, 2)
    ann = Client(headers={"User-Agent": "Mozilla/5.0 Firefox/140.0"})
    with travel(timezone.now() + timedelta(minutes=5)):
        assert ann.get(f"/t/o/{opens[0]}.gif").headers["Content-Type"] == "image/gif"
        assert ann.get(f"/t/c/{clicks[0]}").headers["Location"] == link
    TrackingHit.objects.update(at=timezone.now() - SETTLED - timedelta(seconds=1))
    assert judge_hits() == 2
    told_of = {row.pk for row in Message.objects.exclude(opened_at=None, clicked_at=None)}
    assert told_of == {message.pk}
    types = Event.objects.filter(type__in=["message.opened", "message.clicked"])
    assert types.count() == 2


def test_check_logs_in_at_both_servers_and_sends_nothing(
    server: MailDevel, account: Account
) -> None:
    MailTransport().check(account)
    assert server.mails(OURS) == []
