"""What becomes of facts that come twice, from nowhere, or too late."""

from datetime import timedelta

import pytest
from django.utils import timezone

from channels.models import (
    Account,
    AddressStanding,
    Automatic,
    Inbound,
    Message,
    MessageStatus,
)
from channels.receiving import KEPT, prune_inbounds, store_inbound, take_in_fact
from channels.services import record_status
from channels.services.accounts import default_account
from channels.services.consent import MOST_SOFT_BOUNCES
from channels.transports import Incoming, Report, Sender
from events.models import Event
from leads.models import Lead
from tests.channels.factories import make_message, make_reachable_lead

pytestmark = pytest.mark.usefixtures("tenant")


@pytest.fixture
def mailbox() -> Account:
    found = default_account("email")
    assert found
    return found


def test_full_mailbox_that_is_reported_twice_counts_once(mailbox: Account) -> None:
    message = make_message()
    record_status(message.pk, MessageStatus.SENT)
    full = Report("failed", message_id=message.pk, reason="452 full", bounced=message.address)
    for _time in range(6):
        take_in_fact(mailbox, full)
    standing = AddressStanding.objects.get()
    assert (standing.soft_bounces, standing.bounced_at) == (1, None)


def test_address_that_does_not_exist_is_closed_even_if_its_message_counts_as_delivered(
    mailbox: Account,
) -> None:
    message = make_message()
    record_status(message.pk, MessageStatus.DELIVERED)
    gone = Report("failed", message_id=message.pk, bounced=message.address, hard=True)
    take_in_fact(mailbox, gone)
    assert AddressStanding.objects.get().bounced_at


@pytest.mark.parametrize(
    "sender", [Sender("root@server1", address="root@server1", name="root"), Sender("nobody")]
)
def test_sender_whose_address_is_none_becomes_one_lead_and_not_many(
    mailbox: Account, sender: Sender
) -> None:
    for number in range(3):
        take_in_fact(mailbox, Incoming(f"mid:{number}", sender, text="disk full"))
    assert Lead.objects.count() == 1


def test_delivery_that_could_not_be_read_is_kept_until_its_event_goes(mailbox: Account) -> None:
    unread, read = (store_inbound(mailbox, body) for body in (b"unread", b"read"))
    assert unread
    assert read
    long_ago = timezone.now() - KEPT - timedelta(days=1)
    Inbound.objects.update(received_at=long_ago)
    Event.objects.filter(type="inbound.received").update(
        created_at=long_ago, status="processed", processed_at=long_ago
    )
    failed = Event.objects.filter(payload__inbound_id=str(unread.pk))
    failed.update(status="failed")
    assert prune_inbounds() == 1
    assert [bytes(row.body) for row in Inbound.objects.all()] == [b"unread"]
    failed.delete()
    assert prune_inbounds() == 1


def test_full_mailbox_closes_its_address_only_if_nothing_came_through_in_between(
    mailbox: Account,
) -> None:
    lead = make_reachable_lead()

    def write(*, comes_back: bool) -> AddressStanding | None:
        message = make_message(lead)
        record_status(message.pk, MessageStatus.SENT)
        if comes_back:
            reason, bounced = "452 full", message.address
            full = Report("failed", message_id=message.pk, reason=reason, bounced=bounced)
            take_in_fact(mailbox, full)
        found: AddressStanding | None = AddressStanding.objects.first()
        return found

    for comes_back in (True, True, True, True, False, True):
        standing = write(comes_back=comes_back)
    assert standing
    assert (standing.soft_bounces, standing.bounced_at) == (1, None)
    for _time in range(MOST_SOFT_BOUNCES - 1):
        standing = write(comes_back=True)
    assert standing
    assert standing.bounced_at


@pytest.mark.parametrize(
    ("automatic", "status"),
    [
        (Automatic.NO, MessageStatus.DELIVERED),
        (Automatic.OUT_OF_OFFICE, MessageStatus.DELIVERED),
        (Automatic.BOUNCE, MessageStatus.UNKNOWN),
    ],
)
def test_answer_settles_a_message_of_which_nobody_knew(
    mailbox: Account, automatic: str, status: str
) -> None:
    message = make_message()
    Message.objects.update(status=MessageStatus.UNKNOWN, vendor_id="mid:ours")
    sender = Sender(message.address, address=message.address)
    answer = Incoming("mid:1", sender, text="Yes", answers=("mid:ours",), automatic=automatic)
    take_in_fact(mailbox, answer)
    message.refresh_from_db()
    assert message.status == status
