"""What becomes of webhook calls: messages, statuses, and what people and Meta want."""

import itertools
import time
from datetime import timedelta
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from channels.models import (
    Account,
    AddressStanding,
    ConsentRecord,
    Conversation,
    Identity,
    Message,
    MessageTemplate,
)
from channels.services import send_message
from events.models import Event
from leads.models import Lead
from leads.services import create_lead
from salesflow.accounts.context import tenant_context
from tests.channels.whatsapp import calls
from tests.channels.whatsapp.factories import (
    ANNAS_NUMBER,
    hear_from_anna,
    make_account,
    make_anna,
    take_in_call,
)
from tests.factories import make_tenant

pytestmark = pytest.mark.usefixtures("tenant")


def answer_anna(account: Account) -> Message:
    lead = hear_from_anna(account).lead
    return send_message(lead, channel="whatsapp", body="Hi Anna")


def tell(account: Account, message: Message, name: str, **more: object) -> None:
    tracker = f"{message.pk}.{message.attempts}"
    item = calls.status(f"wamid.{message.pk}", name, biz_opaque_callback_data=tracker, **more)  # type: ignore[arg-type]
    take_in_call(account, calls.statuses_call(item))


def test_stranger_becomes_a_lead_who_can_be_answered(account: Account) -> None:
    message = hear_from_anna(account, "Do you ship to Norway?")
    lead = message.lead
    assert (lead.name, lead.phones, lead.source) == ("Anna Ito", [ANNAS_NUMBER], "whatsapp")
    assert (message.body, message.account, message.address) == (
        "Do you ship to Norway?",
        account,
        ANNAS_NUMBER,
    )
    assert message.conversation.unread == 1
    assert send_message(lead, channel="whatsapp", body="Yes").address == ANNAS_NUMBER


def test_known_number_is_the_lead(account: Account) -> None:
    anna = make_anna()
    assert hear_from_anna(account).lead == anna
    assert Lead.objects.count() == 1


def test_same_message_in_another_call_comes_in_once(account: Account) -> None:
    item = calls.text("Hello")
    take_in_call(account, calls.messages_call(item))
    take_in_call(account, calls.messages_call(item, calls.text("And")))
    assert sorted(Message.objects.values_list("body", flat=True)) == ["And", "Hello"]
    assert Event.objects.filter(type="message.received").count() == 2


@pytest.mark.parametrize(
    ("known", "writes_from"),
    [
        ("+551187654321", "5511987654321"),
        ("+5511987654321", "551187654321"),
        ("+525512345678", "5215512345678"),
        ("+5491112345678", "541112345678"),
    ],
)
def test_number_written_otherwise_is_the_same_person(
    account: Account, known: str, writes_from: str
) -> None:
    lead = create_lead(name="Ana", phones=[known])
    item = calls.text("STOP", wa_id=writes_from)
    take_in_call(account, calls.messages_call(item, people=[calls.person(writes_from)]))
    message = Message.objects.get()
    assert (message.lead, message.address) == (lead, lead.phones[0])
    # What they said holds for the number that we would write to.
    assert AddressStanding.objects.get(address=lead.phones[0]).opted_out_at


def test_who_hides_their_number_later_stays_the_same_lead(account: Account) -> None:
    anna = hear_from_anna(account).lead
    hidden = calls.person(wa_id="")
    take_in_call(account, calls.messages_call({**calls.text("Stop"), "from": ""}, people=[hidden]))
    last = Message.objects.latest("id")
    assert (last.lead, last.address) == (anna, ANNAS_NUMBER)
    assert AddressStanding.objects.get(address=ANNAS_NUMBER).opted_out_at


def test_stranger_without_a_number_can_be_answered(account: Account) -> None:
    item = {**calls.text("Hello"), "from": ""}
    take_in_call(account, calls.messages_call(item, people=[calls.person(wa_id="")]))
    lead = Lead.objects.get()
    assert (lead.name, lead.phones) == ("Anna Ito", [])
    answer = send_message(lead, channel="whatsapp", body="Hi")
    assert answer.address == calls.ANNAS_ID
    take_in_call(
        account,
        calls.messages_call({**calls.text("Again"), "from": ""}, people=[calls.person(wa_id="")]),
    )
    assert Lead.objects.count() == 1


def test_other_tenants_people_are_others(account: Account) -> None:
    hear_from_anna(account)
    with tenant_context(make_tenant()):
        theirs = make_account()
        assert hear_from_anna(theirs).lead.phones == [ANNAS_NUMBER]
        assert Lead.objects.count() == 1
        assert Identity.objects.filter(account=account).count() == 0


@pytest.mark.parametrize("order", list(itertools.permutations(["sent", "delivered", "read"])))
def test_statuses_in_any_order_end_in_the_same(account: Account, order: tuple[str, ...]) -> None:
    message = answer_anna(account)
    for name in (*order, *order):
        tell(account, message, name, at=int(time.time()) - 100, pricing={"n": str(time.time_ns())})
    message.refresh_from_db()
    assert message.status == "read"
    assert message.sent_at
    assert message.delivered_at
    assert message.read_at
    kinds = Event.objects.filter(type__startswith="message.", payload__message_id=str(message.pk))
    assert sorted(kinds.values_list("type", flat=True)) == [
        "message.delivered",
        "message.queued",
        "message.read",
        "message.sent",
    ]


def test_failure_after_delivery_changes_nothing(account: Account) -> None:
    message = answer_anna(account)
    tell(account, message, "delivered")
    tell(account, message, "failed", errors=[calls.failure(131026)])
    message.refresh_from_db()
    assert (message.status, message.error) == ("delivered", "")


def test_failure_keeps_its_reason_whatever_comes_later(account: Account) -> None:
    message = answer_anna(account)
    tell(account, message, "failed", errors=[calls.failure(131049, "Healthy ecosystem.")])
    tell(account, message, "sent")
    message.refresh_from_db()
    assert message.status == "failed"
    assert "Healthy ecosystem." in message.error


def test_report_that_overtakes_the_answer_finds_its_message(account: Account) -> None:
    message = answer_anna(account)
    assert message.vendor_id == ""
    tell(account, message, "delivered")
    message.refresh_from_db()
    assert (message.status, message.vendor_id) == ("delivered", f"wamid.{message.pk}")


def test_report_of_an_earlier_try_is_not_about_the_last_one(account: Account) -> None:
    message = answer_anna(account)
    message.attempts = 1
    Message.objects.filter(pk=message.pk).update(attempts=2)
    tell(account, message, "failed", errors=[calls.failure(131026)])
    message.refresh_from_db()
    assert message.status == "queued"


def test_report_of_another_tenants_message_changes_nothing(account: Account) -> None:
    message = answer_anna(account)
    with tenant_context(make_tenant()):
        tell(make_account(), message, "read")
    message.refresh_from_db()
    assert message.status == "queued"


def test_report_about_nothing_changes_nothing(account: Account) -> None:
    nobody = Message(pk=UUID(int=7))
    tell(account, nobody, "read")
    assert not Message.objects.exists()


def test_reaction_stands_on_its_message_and_is_taken_back(account: Account) -> None:
    heard = hear_from_anna(account)
    Conversation.objects.update(unread=0)
    now = int(time.time())
    for emoji, at in (("❤️", now + 5), ("👍", now)):
        content = {"message_id": heard.vendor_id, "emoji": emoji}
        item = calls.message("reaction", content, timestamp=str(at))
        take_in_call(account, calls.messages_call(item))
    heard.refresh_from_db()
    assert heard.details["reactions"][calls.ANNA]["emoji"] == "❤️"
    gone = calls.message("reaction", {"message_id": heard.vendor_id}, timestamp=str(now + 9))
    take_in_call(account, calls.messages_call(gone))
    heard.refresh_from_db()
    assert heard.details["reactions"][calls.ANNA]["emoji"] == ""
    assert Message.objects.count() == 1
    assert Conversation.objects.get().unread == 0


def test_new_number_leads_to_the_same_lead(account: Account) -> None:
    anna = hear_from_anna(account).lead
    told = {"type": "user_changed_number", "wa_id": "4915199999999"}
    take_in_call(account, calls.messages_call(calls.message("system", told)))
    assert Lead.objects.get(pk=anna.pk).phones == ["+4915199999999", ANNAS_NUMBER]
    item = calls.text("My new number", wa_id="4915199999999")
    take_in_call(account, calls.messages_call(item, people=[]))
    assert Message.objects.latest("id").lead == anna
    answer = send_message(Lead.objects.get(), channel="whatsapp", body="Noted")
    assert answer.address == "+4915199999999"


def test_new_number_that_another_lead_has_is_left_to_people(account: Account) -> None:
    anna = hear_from_anna(account).lead
    create_lead(name="Bob", phones=["+4915199999999"])
    told = {"type": "user_changed_number", "wa_id": "4915199999999"}
    take_in_call(account, calls.messages_call(calls.message("system", told)))
    assert Lead.objects.get(pk=anna.pk).phones == [ANNAS_NUMBER]


def preference(name: str, at: int) -> bytes:
    item = {"wa_id": calls.ANNA, "category": "marketing_messages", "value": name, "timestamp": at}
    value = calls.value(user_preferences=[item])
    return calls.raw(calls.call(value, field="user_preferences"))


def test_preference_is_recorded_with_its_proof_and_heeded(account: Account) -> None:
    anna = hear_from_anna(account).lead
    later = int(time.time()) + 1
    take_in_call(account, preference("stop", later))
    record = ConsentRecord.objects.get()
    assert (record.source, record.decision) == ("whatsapp_preference", "withdrawn")
    assert record.proof["value"] == "stop"
    with pytest.raises(ValidationError) as caught:
        send_message(anna, channel="whatsapp", body="Offer", purpose="marketing")
    assert "to_address" in caught.value.error_dict
    take_in_call(account, preference("resume", later + 10))
    assert AddressStanding.objects.get().opted_out_at is None


def test_older_resume_that_comes_late_does_not_undo_a_stop(account: Account) -> None:
    hear_from_anna(account)
    now = int(time.time())
    take_in_call(account, preference("stop", now))
    take_in_call(account, preference("resume", now - 60))
    assert AddressStanding.objects.get().opted_out_at


def test_preference_of_somebody_unknown_makes_no_lead(account: Account) -> None:
    take_in_call(account, preference("stop", int(time.time())))
    assert not Lead.objects.exists()


def test_decision_about_a_template_is_noted(account: Account) -> None:
    row = MessageTemplate(
        name="Order", channel="whatsapp", language="de", body="Hallo", vendor_name="order",
        vendor_language="de", vendor_status="pending",
    )  # fmt: skip
    row.save()
    told = {
        "event": "APPROVED",
        "message_template_name": "order",
        "message_template_language": "de",
    }
    field = "message_template_status_update"
    take_in_call(account, calls.raw(calls.call(told, field=field)))
    row.refresh_from_db()
    assert row.vendor_status == "approved"


def test_trouble_with_the_account_stops_it(account: Account) -> None:
    body = calls.raw(calls.call(calls.value(errors=[calls.failure(131031, "Account locked.")])))
    take_in_call(account, body)
    account.refresh_from_db()
    assert account.stopped_at
    assert "Account locked." in account.stopped_reason
    assert Event.objects.filter(type="account.stopped").count() == 1


def test_window_opens_with_a_message_and_closes_after_a_day(account: Account) -> None:
    anna = make_anna()
    with pytest.raises(ValidationError) as caught:
        send_message(anna, channel="whatsapp", body="Hello?")
    assert "body" in caught.value.error_dict
    hear_from_anna(account)
    assert send_message(anna, channel="whatsapp", body="Hello!")
    day_ago = timezone.now() - timedelta(hours=24, seconds=1)
    Message.objects.filter(direction="inbound").update(created_at=day_ago)
    with pytest.raises(ValidationError):
        send_message(anna, channel="whatsapp", body="Hello again")
