"""What people tell vendors about being written to: late, twice, in any order, as strangers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from channels.models import Account, Automatic, ConsentRecord, Identity
from channels.receiving import take_in_fact
from channels.services import send_message
from channels.services.accounts import default_account
from channels.services.consent import opt_in, opt_out, standing_of
from channels.transports import Incoming, Move, OptOut, Sender
from events.models import Event
from leads.models import Lead
from tests.channels.factories import make_reachable_lead

NUMBER, NEW_NUMBER = "+4930901820", "+4930901821"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNA = Sender("4930901820", address=NUMBER, alternatives=("+49309018200",))

pytestmark = pytest.mark.usefixtures("tenant")


@pytest.fixture
def account() -> Account:
    found = default_account("whatsapp")
    assert found
    return found


@pytest.fixture
def anna() -> Lead:
    return make_reachable_lead(phone=NUMBER)


def told(minutes: float, *, allowed: bool = False, sender: Sender = ANNA) -> OptOut:
    at = AT + timedelta(minutes=minutes)
    return OptOut(sender, source="whatsapp_preference", allowed=allowed, at=at)


def is_out(address: str = NUMBER) -> bool:
    standing = standing_of("whatsapp", address)
    return bool(standing and standing.opted_out_at)


def may_be_written_to(lead: Lead) -> bool:
    try:
        send_message(lead, channel="whatsapp", body="Hello")
    except ValidationError:
        return False
    return True


def test_stranger_who_opts_out_is_not_written_to_once_they_are_a_lead(account: Account) -> None:
    take_in_fact(account, told(0))
    record = ConsentRecord.objects.filter(address=NUMBER).get()
    assert (record.lead, record.said_at) == (None, AT)
    assert not Lead.objects.exists()
    assert not Event.objects.filter(type="contact.opted_out").exists()
    assert not may_be_written_to(make_reachable_lead(phone=NUMBER))
    # Nor if we know them by the other form of their number.
    assert not may_be_written_to(make_reachable_lead(phone="+49309018200"))


def test_stranger_who_hides_their_number_opts_out_by_their_id(account: Account) -> None:
    hidden = Sender("DE.1349")
    take_in_fact(account, told(0, sender=hidden))
    lead = make_reachable_lead()
    Identity.objects.create(account=account, external_id="DE.1349", lead=lead)
    assert not may_be_written_to(lead)


def test_nobody_closes_strangers_mailboxes_with_a_mail() -> None:
    mailbox = default_account("email")
    assert mailbox
    sender = Sender("bob@example.com", address="bob@example.com")
    take_in_fact(mailbox, OptOut(sender, source="complaint", at=AT))
    assert not ConsentRecord.objects.exists()


def test_who_changed_their_mind_stays_so_when_the_old_word_comes_again(
    account: Account, anna: Lead
) -> None:
    take_in_fact(account, told(0))
    take_in_fact(account, told(5, allowed=True))
    # A replay of both, and of one that came late.
    for late in (told(0), told(5, allowed=True), told(3)):
        take_in_fact(account, late)
    assert not is_out()
    assert ConsentRecord.objects.count() == 3
    assert Event.objects.filter(type="contact.opted_out").count() == 1
    assert Event.objects.filter(type="contact.opted_in").count() == 1


def test_late_word_of_consent_does_not_undo_a_later_opt_out(account: Account, anna: Lead) -> None:
    for fact in (told(0), told(9), told(5, allowed=True)):
        take_in_fact(account, fact)
    assert is_out()
    assert not Event.objects.filter(type="contact.opted_in").exists()


def test_opt_out_without_a_time_always_counts(anna: Lead) -> None:
    given: dict[str, Any] = {"channel": "whatsapp", "address": NUMBER}
    opt_in(anna, basis="consent", source="import", at=datetime(2999, 1, 1, tzinfo=UTC), **given)
    opt_out(anna, source="unsubscribe_link", **given)
    assert is_out()


def test_who_says_stop_once_more_is_not_answered_any_more(account: Account, anna: Lead) -> None:
    def hear(words: str, minutes: float) -> None:
        at = AT + timedelta(minutes=minutes)
        take_in_fact(account, Incoming(f"wamid.{minutes}", ANNA, received_at=at, text=words))

    hear("STOP", 0)
    assert not may_be_written_to(anna)
    hear("Who are you?", 5)
    assert may_be_written_to(anna)
    hear("Stop!", 9)
    assert not may_be_written_to(anna)
    assert Event.objects.filter(type="contact.opted_out").count() == 1


def test_opt_out_follows_to_the_new_number(account: Account, anna: Lead) -> None:
    Identity.objects.create(account=account, external_id=ANNA.external_id, lead=anna)
    opt_out(anna, channel="whatsapp", address=NUMBER, source="keyword", at=AT)
    moved = Move(ANNA.external_id, Sender("4930901821", address=NEW_NUMBER))
    take_in_fact(account, moved)
    anna = Lead.objects.get(pk=anna.pk)
    assert anna.phones[0] == NEW_NUMBER
    assert not may_be_written_to(anna)
    given: dict[str, Any] = {"channel": "whatsapp", "address": NEW_NUMBER}
    opt_in(anna, basis="consent", source="manual", **given)
    # A replay of the move does not take that back.
    take_in_fact(account, moved)
    assert may_be_written_to(anna)


def test_programs_opt_nobody_out() -> None:
    mailbox, lead = default_account("email"), make_reachable_lead()
    assert mailbox
    sender = Sender(lead.emails[0], address=lead.emails[0])
    automatic = Incoming("mid:1", sender, text="STOP", automatic=Automatic.AUTO_REPLY)
    take_in_fact(mailbox, automatic)
    assert standing_of("email", sender.address) is None
    take_in_fact(mailbox, Incoming("mid:2", sender, text="STOP"))
    assert standing_of("email", sender.address)
