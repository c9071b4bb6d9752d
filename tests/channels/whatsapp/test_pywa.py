"""The emulator and the calls of these tests, held against pywa: a client that others wrote.

What pywa sends the emulator takes, what the emulator refuses pywa understands, and what these tests
call a webhook call pywa reads as we do.
"""

import logging
from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest
from pywa.client import WhatsApp
from pywa.errors import WhatsAppError
from pywa.types.callback import Button
from pywa.types.templates import BodyText, TemplateLanguage

from channels.models import Account
from channels.transports import Incoming, Reaction, Report
from channels.transports.whatsapp import WhatsAppTransport
from channels.transports.whatsapp.reading import read_call
from tests.channels.whatsapp import calls
from tests.channels.whatsapp.calls import ANNA, ANNAS_ID, NUMBER_ID
from tests.channels.whatsapp.emulator import TOKEN, Emulator, File
from tests.channels.whatsapp.errors_of_meta import HELD_BACK, OF_A_MESSAGE, OF_THE_ACCOUNT, PASSING
from tests.channels.whatsapp.factories import make_outgoing

transport = WhatsAppTransport()


@pytest.fixture
def pywa(emulator: Emulator) -> Iterator[WhatsApp]:
    """pywa, which takes the emulator for Meta."""
    with httpx.Client(timeout=5) as session:
        client = WhatsApp(
            phone_id=NUMBER_ID,
            token=TOKEN,
            session=session,
            app_secret=calls.SECRET,
            filter_updates=False,
            skip_duplicate_updates=False,
        )
        session.base_url = emulator.url
        yield client


@pytest.fixture
def heard(pywa: Any, caplog: pytest.LogCaptureFixture) -> Iterator[list[Any]]:
    """What pywa's handlers are given; whatever it cannot read fails the test."""
    found: list[Any] = []

    def keep(_client: WhatsApp, update: Any) -> None:
        found.append(update)

    for listen in (
        pywa.on_message,
        pywa.on_message_status,
        pywa.on_callback_button,
        pywa.on_callback_selection,
        pywa.on_user_marketing_preferences,
        pywa.on_template_status_update,
        pywa.on_phone_number_change,
    ):
        listen(keep)
    with caplog.at_level(logging.ERROR, "pywa"):
        yield found
    assert [line for line in caplog.records if line.levelno >= logging.ERROR] == []


def told_to(pywa: WhatsApp, body: bytes) -> None:
    assert pywa.webhook_update_validator(body, calls.signature(body)) is None
    assert pywa.webhook_update_handler(body) == ("ok", 200)


# --- What is sent ---------------------------------------------------------------------------------


def same_posted(emulator: Emulator) -> None:
    """Both have posted the same, but for the cases that Meta does not tell apart."""
    theirs, ours = map(plain, emulator.posted)
    assert ours == theirs


def plain(message: Any) -> Any:
    """A message without what may differ: the case of types, and what is empty."""
    if isinstance(message, dict):
        kept = {key: plain(each) for key, each in message.items() if each not in (None, [], "")}
        return {
            key: each.lower()
            if key in ("type", "sub_type")
            else str(each)
            if key == "index"
            else each
            for key, each in kept.items()
        }
    return [plain(each) for each in message] if isinstance(message, list) else message


def test_text_is_what_pywa_sends(emulator: Emulator, pywa: WhatsApp, account: Account) -> None:
    outgoing = make_outgoing(answers="wamid.theirs", body="Hi Anna")
    sent = pywa.send_message(
        ANNA, "Hi Anna", reply_to_message_id="wamid.theirs", tracker=f"{outgoing.message_id}.1"
    )
    receipt = transport.send(account, outgoing)
    assert list(emulator.sent) == [sent.id, receipt.vendor_id]
    same_posted(emulator)


def test_hidden_number_is_named_as_pywa_does(
    emulator: Emulator, pywa: WhatsApp, account: Account
) -> None:
    outgoing = make_outgoing(address=ANNAS_ID)
    pywa.send_message(ANNAS_ID, "Hi", tracker=f"{outgoing.message_id}.1")
    transport.send(account, outgoing)
    same_posted(emulator)


def test_buttons_are_what_pywa_sends(emulator: Emulator, pywa: WhatsApp, account: Account) -> None:
    buttons = [{"id": "y", "title": "Yes"}, {"id": "n", "title": "No"}]
    details = {"buttons": buttons, "header": "Head", "footer": "Foot"}
    outgoing = make_outgoing(message_type="interactive", body="Shall we?", details=details)
    pywa.send_message(
        ANNA,
        "Shall we?",
        header="Head",
        footer="Foot",
        buttons=[Button("Yes", callback_data="y"), Button("No", callback_data="n")],
        tracker=f"{outgoing.message_id}.1",
    )
    transport.send(account, outgoing)
    same_posted(emulator)


@pytest.mark.parametrize("kind", ["image", "video", "document"])
def test_file_is_what_pywa_sends(
    emulator: Emulator, pywa: WhatsApp, account: Account, kind: str
) -> None:
    link = "https://example.com/offer.bin"
    details = {"kind": kind, "link": link, "filename": "Offer.bin"}
    outgoing = make_outgoing(message_type="media", body="Our offer", details=details)
    more = {"filename": "Offer.bin"} if kind == "document" else {}
    send = getattr(pywa, f"send_{kind}")
    send(ANNA, link, caption="Our offer", tracker=f"{outgoing.message_id}.1", **more)
    transport.send(account, outgoing)
    same_posted(emulator)


def test_template_is_what_pywa_sends(emulator: Emulator, pywa: WhatsApp, account: Account) -> None:
    details = {"name": "order", "language": "de", "variables": ["Anna"]}
    outgoing = make_outgoing(message_type="template", details=details)
    pywa.send_template(
        ANNA,
        "order",
        TemplateLanguage.GERMAN,
        [cast(Any, BodyText).params("Anna")],
        tracker=f"{outgoing.message_id}.1",
    )
    transport.send(account, outgoing)
    same_posted(emulator)


def test_emulator_takes_what_pywa_reads_and_says(emulator: Emulator, pywa: WhatsApp) -> None:
    emulator.files["77"] = File(b"picture")
    url = pywa.get_media_url("77")
    assert (url.mime_type, url.file_size) == ("image/jpeg", 7)
    assert pywa.get_media_bytes(url.url) == b"picture"
    assert pywa.mark_message_as_read("wamid.theirs")


@pytest.mark.parametrize("code", [*PASSING, *HELD_BACK, *OF_A_MESSAGE, *OF_THE_ACCOUNT, 131050])
def test_pywa_understands_the_emulators_errors(
    emulator: Emulator, pywa: WhatsApp, code: int
) -> None:
    emulator.refuse(code, details="In Meta's words.")
    with pytest.raises(WhatsAppError) as caught:
        pywa.send_message(ANNA, "Hi")
    assert (caught.value.code, caught.value.details) == (code, "In Meta's words.")


def test_emulator_refuses_what_meta_refuses(emulator: Emulator, pywa: WhatsApp) -> None:
    with pytest.raises(WhatsAppError) as caught:
        pywa.send_template(ANNA, "nonesuch", TemplateLanguage.GERMAN, [])
    assert caught.value.code == 132001
    with pytest.raises(WhatsAppError) as caught:
        pywa.send_message(ANNA, "x" * 4097)
    assert caught.value.code == 131009
    with pytest.raises(WhatsAppError) as caught:
        pywa.send_message(
            ANNA, "Which?", buttons=[Button(str(each), str(each)) for each in range(4)]
        )
    assert caught.value.code == 131009
    assert emulator.sent == {}


# --- What is received -----------------------------------------------------------------------------


def test_signature_is_one_that_pywa_takes(pywa: WhatsApp) -> None:
    body = calls.messages_call(calls.text("Hello"))
    assert pywa.webhook_update_validator(body, calls.signature(body)) is None
    wrong = pywa.webhook_update_validator(body, calls.signature(body, "another secret"))
    assert wrong == ("Forbidden", 403)


ITEMS = {
    "text": calls.text("Hello", context={"from": calls.DISPLAY_NUMBER, "id": "wamid.ours"}),
    "image": calls.message(
        "image", {"id": "77", "mime_type": "image/jpeg", "sha256": "ab", "caption": "Look"}
    ),
    "document": calls.message(
        "document",
        {"id": "78", "mime_type": "application/pdf", "sha256": "ab", "filename": "a.pdf"},
    ),
    "audio": calls.message(
        "audio", {"id": "79", "mime_type": "audio/ogg; codecs=opus", "sha256": "ab", "voice": True}
    ),
    "location": calls.message("location", {"latitude": 52.52, "longitude": 13.405, "name": "Here"}),
    "contacts": calls.message(
        "contacts", [{"name": {"formatted_name": "Bob Ray", "first_name": "Bob"}}]
    ),
    "reaction": calls.message("reaction", {"message_id": "wamid.ours", "emoji": "👍"}),
    "unsupported": calls.message("unsupported", errors=[calls.failure(131051)]),
}


@pytest.mark.parametrize("kind", ITEMS)
def test_pywa_reads_messages_as_we_do(pywa: WhatsApp, heard: list[Any], kind: str) -> None:
    body = calls.messages_call(ITEMS[kind])
    told_to(pywa, body)
    [theirs] = heard
    [ours] = read_call(body, NUMBER_ID)
    assert isinstance(ours, Incoming | Reaction)
    assert theirs.from_user.wa_id == ours.sender.external_id
    assert (theirs.from_user.bsuid,) == ours.sender.aliases
    assert theirs.from_user.name == ours.sender.name
    if isinstance(ours, Reaction):
        assert (theirs.reaction.message_id, theirs.reaction.emoji) == (ours.vendor_id, ours.emoji)
        return
    assert (theirs.id, theirs.timestamp) == (ours.vendor_id, ours.received_at)
    if kind == "text":
        assert (theirs.text, theirs.reply_to_message.id) == (ours.text, *ours.answers)
    elif kind == "location":
        assert theirs.location.latitude == ours.details["latitude"]
    elif kind == "contacts":
        assert theirs.contacts[0].name.formatted_name == ours.text
    elif ours.files:
        medium = getattr(theirs, kind)
        assert (medium.id, medium.mime_type.partition(";")[0]) == (
            ours.files[0].vendor_id,
            ours.files[0].content_type,
        )
        assert (theirs.caption or "") == ours.text
    else:
        assert theirs.error.code == 131051


@pytest.mark.parametrize(
    ("item", "data"),
    [
        (calls.message("button", {"payload": "pay", "text": "Pay now"}), "pay"),
        (
            calls.message(
                "interactive", {"type": "button_reply", "button_reply": {"id": "y", "title": "Yes"}}
            ),
            "y",
        ),
        (
            calls.message(
                "interactive", {"type": "list_reply", "list_reply": {"id": "3", "title": "Three"}}
            ),
            "3",
        ),
    ],
)
def test_pywa_reads_choices_as_we_do(
    pywa: WhatsApp, heard: list[Any], item: dict[str, Any], data: str
) -> None:
    answered = {**item, "context": {"from": calls.DISPLAY_NUMBER, "id": "wamid.ours"}}
    body = calls.messages_call(answered)
    told_to(pywa, body)
    [theirs] = heard
    [ours] = read_call(body, NUMBER_ID)
    assert isinstance(ours, Incoming)
    assert theirs.data == ours.details["choice"] == data
    assert theirs.title == ours.text


@pytest.mark.parametrize("name", ["sent", "delivered", "read", "failed"])
def test_pywa_reads_statuses_as_we_do(pywa: WhatsApp, heard: list[Any], name: str) -> None:
    tracker = "0197a2f0-0000-7000-8000-000000000001.2"
    errors: dict[str, Any] = {}
    if name == "failed":
        errors = {"errors": [calls.failure(131026, "Undeliverable.")]}
    item = calls.status("wamid.1", name, biz_opaque_callback_data=tracker, **errors)
    body = calls.statuses_call(item)
    told_to(pywa, body)
    [theirs] = heard
    [ours] = read_call(body, NUMBER_ID)
    assert isinstance(ours, Report)
    assert (theirs.id, theirs.status, theirs.timestamp) == (ours.vendor_id, ours.status, ours.at)
    assert theirs.tracker == f"{ours.message_id}.{ours.attempt}"
    assert (theirs.error is not None) == bool(ours.reason)
    if theirs.error:
        assert (theirs.error.code, theirs.error.details) == (131026, "Undeliverable.")


def test_pywa_reads_preferences_templates_and_moves(pywa: WhatsApp, heard: list[Any]) -> None:
    item = {
        "wa_id": ANNA,
        "user_id": ANNAS_ID,
        "detail": "User requested to stop marketing messages",
        "category": "marketing_messages",
        "value": "stop",
        "timestamp": 1731617831,
    }
    value = calls.value(user_preferences=[item])
    told_to(pywa, calls.raw(calls.call(value, field="user_preferences")))
    decision = {
        "event": "APPROVED",
        "message_template_id": 12,
        "message_template_name": "order",
        "message_template_language": "de",
        "message_template_category": "MARKETING",
        "reason": "NONE",
    }
    field = "message_template_status_update"
    told_to(pywa, calls.raw(calls.call(decision, field=field)))
    told = {"type": "user_changed_number", "wa_id": "4915199999999", "body": "changed"}
    told_to(pywa, calls.messages_call(calls.message("system", told)))
    preference, approval, move = heard
    assert not preference
    assert (approval.template_name, approval.new_status) == ("order", "APPROVED")
    assert (move.old_wa_id, move.new_wa_id) == (ANNA, "4915199999999")
