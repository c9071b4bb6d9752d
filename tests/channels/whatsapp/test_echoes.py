"""What colleagues write in WhatsApp's own app with our number: it stands in the thread."""

import time
from typing import Any

import pytest

from channels.models import Account, Attachment, Conversation, Message
from events.testing import published
from leads.models import Lead
from tests.channels.whatsapp import calls
from tests.channels.whatsapp.factories import ANNAS_NUMBER, hear_from_anna, take_in_call

pytestmark = pytest.mark.usefixtures("tenant")


def echo(item: dict[str, Any], to: str = calls.ANNA) -> bytes:
    """A call that tells what was sent to somebody; Meta names no people beside it."""
    told = {**item, "from": calls.DISPLAY_NUMBER, "to": to}
    value = calls.value(people=[], message_echoes=[told])
    return calls.raw(calls.call(value, field="smb_message_echoes"))


def test_answer_from_the_phone_stands_in_the_thread_and_answers(account: Account) -> None:
    heard = hear_from_anna(account, "Do you ship to Norway?")
    item = calls.text("We do.", context={"id": heard.vendor_id})
    for spaces in (b"", b" "):
        take_in_call(account, echo(item) + spaces)
    [answer] = Message.objects.filter(direction="outbound")
    assert (answer.body, answer.status, answer.address) == ("We do.", "sent", ANNAS_NUMBER)
    assert (answer.conversation, answer.in_reply_to) == (heard.conversation, heard)
    conversation = answer.conversation
    assert (conversation.waiting_since, conversation.unread) == (None, 0)
    [event] = published("message.sent")
    assert event.payload["answer_ms"] is not None
    assert not published("message.queued")


def test_its_reports_find_it(account: Account) -> None:
    hear_from_anna(account)
    item = calls.text("We do.")
    take_in_call(account, echo(item))
    take_in_call(account, calls.statuses_call(calls.status(item["id"], "read")))
    assert Message.objects.get(vendor_id=item["id"]).status == "read"


def test_private_words_make_no_lead(account: Account) -> None:
    take_in_call(account, echo(calls.text("Dinner at eight?"), to="4915100000000"))
    assert not Lead.objects.exists()
    assert not Message.objects.exists()


def test_file_is_fetched_as_any_other(account: Account) -> None:
    hear_from_anna(account)
    image = calls.message("image", {"id": "1003383421387256", "mime_type": "image/jpeg"})
    take_in_call(account, echo(image))
    assert Attachment.objects.get().status == "waiting"


@pytest.mark.parametrize(
    "item",
    [
        calls.message("reaction", {"message_id": "wamid.1", "emoji": "👍"}),
        calls.message("revoke", {"original_message_id": "wamid.1"}),
        {"type": "text", "text": {"body": "no id"}},
    ],
)
def test_what_is_no_message_is_left_out(account: Account, item: dict[str, Any]) -> None:
    hear_from_anna(account)
    take_in_call(account, echo(item))
    assert not Message.objects.filter(direction="outbound").exists()


def test_late_word_of_an_answer_hides_nothing_that_came_in_after_it(account: Account) -> None:
    hear_from_anna(account)
    early = str(int(time.time()) - 60)
    take_in_call(account, echo(calls.text("From my phone", timestamp=early)))
    assert Conversation.objects.get().unread == 1
    late = str(int(time.time()))
    take_in_call(account, echo(calls.text("Once more", timestamp=late)))
    assert Conversation.objects.get().unread == 0
