"""What `send_message` writes, and what it refuses."""

import pytest
from django.core.exceptions import ValidationError
from pytest_django import DjangoAssertNumQueries

from channels.models import Channel, Conversation, Message, MessageStatus
from channels.services import send_message
from channels.services.accounts import default_account
from channels.services.queueing.addressing import MOST_COPIES
from events.models import Event
from leads.models import Lead
from salesflow.accounts.context import tenant_context
from tests.channels.factories import make_inbound_message, make_message, make_reachable_lead
from tests.factories import make_tenant, make_user

pytestmark = pytest.mark.usefixtures("tenant")


def test_message_is_queued_with_its_event(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    lead = make_reachable_lead("ada@example.com")
    with django_assert_max_num_queries(18):
        message = send_message(lead, channel="email", body=" Hello ", subject=" Offer ")
    kept = Message.objects.get()
    assert (kept.status, kept.address, kept.body, kept.subject) == (
        MessageStatus.QUEUED,
        "ada@example.com",
        "Hello",
        "Offer",
    )
    event = Event.objects.get(type="message.queued")
    assert event.payload["message_id"] == str(message.id)
    assert (event.subject_id, event.occurred_at) == (lead.id, kept.created_at)


def test_messages_on_one_channel_share_a_conversation() -> None:
    lead = make_reachable_lead(phone="+12025550101")
    first, second = make_message(lead), make_inbound_message(lead)
    other = make_message(lead, channel="whatsapp")
    assert first.conversation_id == second.conversation_id != other.conversation_id


def test_author_is_kept() -> None:
    author = make_user()
    message = make_message(author=author)
    assert Event.objects.get(type="message.queued").payload["author_id"] == author.pk
    assert message.author == author


def test_message_goes_to_the_address_that_was_asked_for() -> None:
    lead = make_reachable_lead()
    second = make_reachable_lead("other@example.com").contact_points.get()
    second.lead, second.is_primary = lead, False
    second.save()
    assert make_message(lead, to_address="other@example.com").address == "other@example.com"


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("channel", {"channel": "pigeon"}),
        ("channel", {"channel": "whatsapp"}),
        ("body", {"body": "  \n "}),
        ("body", {"body": "null \x00 character"}),
        ("body", {"body": "x" * 100_001}),
        ("subject", {"subject": "Hi\nBcc: all@example.com"}),
        ("subject", {"subject": "x" * 201}),
        ("to_address", {"to_address": "stranger@example.com"}),
    ],
)
def test_bad_input_names_its_field_and_writes_nothing(field: str, given: dict[str, str]) -> None:
    lead = make_reachable_lead()
    with pytest.raises(ValidationError) as refusal:
        make_message(lead, **given)
    assert list(refusal.value.message_dict) == [field]
    assert not Message.objects.exists()
    assert not Conversation.objects.exists()
    assert not Event.objects.filter(type="message.queued").exists()


@pytest.mark.parametrize("given", [{"subject": "Hi"}, {"body": "x" * 4097}])
def test_whatsapp_has_no_subject_and_shorter_texts(given: dict[str, str]) -> None:
    lead = make_reachable_lead(phone="+12025550101")
    with pytest.raises(ValidationError) as refusal:
        make_message(lead, channel=Channel.WHATSAPP, **given)
    assert list(refusal.value.message_dict) == list(given)


def test_lead_of_another_tenant_is_not_found() -> None:
    with tenant_context(make_tenant()):
        lead = make_reachable_lead()
    with pytest.raises(Lead.DoesNotExist):
        send_message(lead, channel="email", body="Hello")


def test_nobody_gets_a_mail_twice() -> None:
    lead = make_reachable_lead("ada@example.com")
    copies = ["Bob@example.com", "ada@example.com", "bob@example.com "]
    assert make_message(lead, cc=copies).cc == ["bob@example.com"]


def test_copies_are_for_some_and_not_for_all() -> None:
    with pytest.raises(ValidationError) as refusal:
        make_message(cc=[f"{number}@example.com" for number in range(MOST_COPIES + 1)])
    assert list(refusal.value.message_dict) == ["cc"]


def test_account_of_another_tenant_carries_nothing() -> None:
    with tenant_context(make_tenant()):
        theirs = default_account(Channel.EMAIL)
    own = default_account(Channel.EMAIL)
    assert theirs != own
    assert make_message(account=theirs).account == own
