"""What is posted to Meta, and what follows from what it answers."""

import socket
from uuid import UUID

import httpx
import pytest
from pytest_django import Settings

from channels.models import Account
from channels.transports import AccountRefused, TransportError
from channels.transports.whatsapp import WhatsAppTransport
from channels.transports.whatsapp.client import LONGEST_ANSWER, GraphClient
from channels.transports.whatsapp.content import body_of
from channels.transports.whatsapp.errors import LONG_WAIT, MEANINGS, PAIR_PAUSE, Meaning
from tests.channels.whatsapp.calls import NUMBER_ID
from tests.channels.whatsapp.emulator import TOKEN, Emulator
from tests.channels.whatsapp.factories import make_account, make_outgoing

pytestmark = pytest.mark.usefixtures("tenant")
transport = WhatsAppTransport()
REFUSED = {100, *range(132000, 132020), 131008, 131009, 131021, 131026, 131030, 131047, 131051}
REFUSED |= {131052, 131053, 131062, 132999, 135000, 137000}
OF_THE_ACCOUNT = {0, 3, 10, 33, 190, 200, 230, 299, 368, 130497, 131005, 131031, 131037, 131042}
OF_THE_ACCOUNT |= {131045, 133010}
OUR_ID = UUID("0197a2f0-0000-7000-8000-000000000001")
ORDER = {"name": "order", "language": "de"}


def error_of_sending(account: Account, **given: object) -> TransportError:
    with pytest.raises(TransportError) as caught:
        transport.send(account, make_outgoing(**given))
    return caught.value


def test_text_is_posted_as_meta_wants_it(emulator: Emulator, account: Account) -> None:
    receipt = transport.send(account, make_outgoing(message_id=OUR_ID, attempt=2, body="Hi Anna"))
    assert emulator.sent[receipt.vendor_id] == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "4915112345678",
        "biz_opaque_callback_data": f"{OUR_ID}.2",
        "type": "text",
        "text": {"body": "Hi Anna", "preview_url": False},
    }
    assert receipt.external_id == "4915112345678"


def test_who_hides_their_number_is_written_to_by_metas_id(
    emulator: Emulator, account: Account
) -> None:
    receipt = transport.send(account, make_outgoing(address="DE.1349120865530274"))
    posted = emulator.sent[receipt.vendor_id]
    assert posted["recipient"] == "DE.1349120865530274"
    assert "to" not in posted
    assert receipt.external_id == "DE.1349120865530274"


def test_template_carries_its_variables(emulator: Emulator, account: Account) -> None:
    details = {"name": "order", "language": "de", "variables": ["Anna"]}
    receipt = transport.send(account, make_outgoing(message_type="template", details=details))
    assert emulator.sent[receipt.vendor_id]["template"] == {
        "name": "order",
        "language": {"code": "de"},
        "components": [{"type": "body", "parameters": [{"type": "text", "text": "Anna"}]}],
    }


def test_template_may_have_named_variables_a_header_and_buttons(
    emulator: Emulator, account: Account
) -> None:
    details = {
        "name": "order",
        "language": "de",
        "variables": {"name": "Anna"},
        "header": {"kind": "image", "link": "https://example.com/a.png"},
        "buttons": [
            {"kind": "quick_reply", "payload": "pay"},
            {"kind": "url", "text": "abc"},
        ],
    }
    receipt = transport.send(account, make_outgoing(message_type="template", details=details))
    header, body, first, second = emulator.sent[receipt.vendor_id]["template"]["components"]
    image = {"type": "image", "image": {"link": "https://example.com/a.png"}}
    assert header == {"type": "header", "parameters": [image]}
    assert body["parameters"] == [{"type": "text", "parameter_name": "name", "text": "Anna"}]
    assert first["parameters"] == [{"type": "payload", "payload": "pay"}]
    assert (second["sub_type"], second["index"]) == ("url", "1")


def test_file_goes_as_a_link_with_its_caption(emulator: Emulator, account: Account) -> None:
    details = {"kind": "document", "link": "https://example.com/a.pdf", "filename": "Offer.pdf"}
    outgoing = make_outgoing(message_type="media", body="Our offer", details=details)
    receipt = transport.send(account, outgoing)
    assert emulator.sent[receipt.vendor_id]["document"] == {
        "link": "https://example.com/a.pdf",
        "caption": "Our offer",
        "filename": "Offer.pdf",
    }


def test_buttons_are_reply_buttons(emulator: Emulator, account: Account) -> None:
    buttons = [{"id": "y", "title": "Yes"}, {"title": "No"}]
    details = {"buttons": buttons, "header": "Head", "footer": "Foot"}
    outgoing = make_outgoing(message_type="interactive", body="Shall we?", details=details)
    receipt = transport.send(account, outgoing)
    assert emulator.sent[receipt.vendor_id]["interactive"] == {
        "type": "button",
        "header": {"type": "text", "text": "Head"},
        "body": {"text": "Shall we?"},
        "footer": {"text": "Foot"},
        "action": {
            "buttons": [
                {"type": "reply", "reply": {"id": "y", "title": "Yes"}},
                {"type": "reply", "reply": {"id": "No", "title": "No"}},
            ]
        },
    }


@pytest.mark.parametrize(
    "given",
    [
        {"message_type": "reaction"},
        {"message_type": "template", "details": {"name": "order"}},
        {"message_type": "media", "details": {"kind": "audio", "link": "https://example.com/a"}},
        {"message_type": "media", "details": {"kind": "image", "link": "http://example.com/a"}},
        {
            "message_type": "media",
            "body": "x" * 1025,
            "details": {"kind": "image", "link": "https://example.com/a"},
        },
        {"message_type": "interactive", "details": {"buttons": []}},
        {"message_type": "interactive", "details": {"buttons": ["Yes"]}},
        {"message_type": "interactive", "details": {"buttons": 7}},
        {"message_type": "template", "details": {**ORDER, "header": "Hello"}},
        {"message_type": "template", "details": {**ORDER, "variables": 7}},
        {"message_type": "template", "details": {**ORDER, "buttons": [{"kind": "url"}]}},
        {
            "message_type": "interactive",
            "details": {"buttons": [{"title": str(i)} for i in "1234"]},
        },
        {"message_type": "interactive", "details": {"buttons": [{"title": "x" * 21}]}},
        {"message_type": "interactive", "details": {"buttons": [{"title": "a"}, {"title": "a"}]}},
        {
            "message_type": "interactive",
            "body": "x" * 1025,
            "details": {"buttons": [{"title": "a"}]},
        },
    ],
)
def test_what_meta_would_refuse_is_refused_here(
    emulator: Emulator, account: Account, given: dict[str, object]
) -> None:
    assert error_of_sending(account, **given).permanent
    assert emulator.calls == []


@pytest.mark.parametrize("code", sorted(MEANINGS[Meaning.BACK_OFF]))
def test_busy_server_is_tried_again(emulator: Emulator, account: Account, code: int) -> None:
    emulator.refuse(code)
    error = error_of_sending(account)
    assert (error.permanent, error.unknown, error.retry_after) == (False, False, None)
    assert error.at_fault
    assert not isinstance(error, AccountRefused)


def test_only_the_pair_is_slowed_down(emulator: Emulator, account: Account) -> None:
    emulator.refuse(131056, 429)
    error = error_of_sending(account)
    assert (error.retry_after, error.permanent, error.at_fault) == (PAIR_PAUSE, False, False)


@pytest.mark.parametrize("code", [130472, 131048, 131049, 131064])
def test_what_meta_holds_back_waits_for_hours(
    emulator: Emulator, account: Account, code: int
) -> None:
    emulator.refuse(code)
    error = error_of_sending(account)
    assert (error.retry_after, error.permanent, error.at_fault) == (LONG_WAIT, False, False)


@pytest.mark.parametrize("code", sorted(REFUSED))
def test_refusal_of_a_message_is_for_good(emulator: Emulator, account: Account, code: int) -> None:
    emulator.refuse(code, details="More than 24 hours have passed.")
    error = error_of_sending(account)
    assert (error.permanent, error.opted_out, error.at_fault) == (True, False, False)
    assert "More than 24 hours have passed." in str(error.reason)
    assert str(code) in str(error.reason)


def test_who_wants_no_marketing_is_opted_out(emulator: Emulator, account: Account) -> None:
    emulator.refuse(131050)
    error = error_of_sending(account)
    assert (error.permanent, error.opted_out) == (True, True)


@pytest.mark.parametrize("code", sorted(OF_THE_ACCOUNT))
def test_refusal_of_the_account_stops_it(emulator: Emulator, account: Account, code: int) -> None:
    # Some of these come with a status that would otherwise mean something else.
    emulator.refuse(code, 500)
    assert isinstance(error_of_sending(account), AccountRefused)


@pytest.mark.parametrize(
    ("status", "permanent"), [(500, False), (503, False), (429, False), (400, True), (403, True)]
)
def test_unknown_code_is_judged_by_its_status(
    emulator: Emulator, account: Account, status: int, permanent: bool
) -> None:
    emulator.refuse(987654, status)
    error = error_of_sending(account)
    assert (error.permanent, error.unknown) == (permanent, False)


def test_wait_that_meta_asks_for_is_kept(emulator: Emulator, account: Account) -> None:
    emulator.refuse(130429, 429, retry_after="17")
    assert error_of_sending(account).retry_after == 17


def test_nobody_reached_is_tried_again(settings: Settings, account: Account) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings.WHATSAPP_API_URL = f"http://127.0.0.1:{closed.getsockname()[1]}/v26.0"
        error = error_of_sending(account)
    assert (error.permanent, error.unknown) == (False, False)
    assert "cannot be reached" in str(error.reason)


@pytest.mark.parametrize("trouble", ["cut", "cut_answer"])
def test_connection_that_breaks_later_leaves_it_unknown(
    emulator: Emulator, account: Account, trouble: str
) -> None:
    getattr(emulator, trouble)()
    error = error_of_sending(account)
    assert len(emulator.sent) == 1, "Meta has taken it"
    assert error.unknown
    assert not error.permanent


def test_silence_leaves_it_unknown(emulator: Emulator) -> None:
    emulator.hang()
    hasty = GraphClient(TOKEN, timeout=httpx.Timeout(0.3))
    with pytest.raises(TransportError) as caught:
        hasty.post_message(NUMBER_ID, body_of(make_outgoing()))
    assert caught.value.unknown
    assert len(emulator.sent) == 1


def test_answer_that_trickles_is_given_up(emulator: Emulator) -> None:
    emulator.trickle()
    hasty = GraphClient(TOKEN, deadline=0.3)
    with pytest.raises(TransportError) as caught:
        hasty.post_message(NUMBER_ID, body_of(make_outgoing()))
    assert caught.value.unknown


@pytest.mark.parametrize(
    ("status", "body", "unknown"),
    [
        (502, b"<html>Bad gateway</html>", True),
        (504, b"", True),
        (408, b"", True),
        (200, b"<html>Welcome to the hotel's network</html>", True),
        (200, b"{}", True),
        (200, b'{"messages": [{"id": ""}]}', True),
        (403, b"<html>Your proxy says no</html>", False),
        (302, b"", False),
        (429, b"slow down", False),
    ],
)
def test_answer_of_somebody_between_is_not_metas(
    emulator: Emulator, account: Account, status: int, body: bytes, unknown: bool
) -> None:
    emulator.say(status, body)
    error = error_of_sending(account)
    assert (error.unknown, error.permanent) == (unknown, False)


def test_flood_of_an_answer_is_not_read_to_its_end(emulator: Emulator, account: Account) -> None:
    emulator.say(200, b" " * (LONGEST_ANSWER + 1), "application/json")
    assert error_of_sending(account).unknown


def test_wrong_token_stops_the_account(emulator: Emulator, tenant: object) -> None:
    error = error_of_sending(make_account(access_token="EAAold"))
    assert isinstance(error, AccountRefused)
    assert "EAAold" not in str(error.reason)


def test_number_that_is_not_there_stops_the_account(emulator: Emulator, tenant: object) -> None:
    """By its code alone it would be a parameter of each message that is wrong."""
    assert isinstance(error_of_sending(make_account(phone_number_id="99999")), AccountRefused)


@pytest.mark.parametrize(("code", "status"), [(132015, "paused"), (132016, "rejected")])
def test_refusal_tells_what_became_of_the_template(
    emulator: Emulator, account: Account, code: int, status: str
) -> None:
    emulator.refuse(code)
    assert error_of_sending(account).template_status == status


def test_check_sees_what_is_wrong(emulator: Emulator, account: Account) -> None:
    transport.check(account)
    for wrong in (
        {"access_token": "EAAold"},
        {"app_secret": "another"},
        {"phone_number_id": "99999"},
    ):
        with pytest.raises(TransportError):
            transport.check(make_account(address="", **wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        {"phone_number_id": "+1 555 0783881"},
        {"phone_number_id": ""},
        {"phone_number_id": "../me"},
        {"access_token": ""},
        {"access_token": "two words"},
        {"access_token": "a\nHost: b"},
        {"app_secret": "schlüssel"},
    ],
)
def test_settings_that_cannot_be_right_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        make_account(**wrong)
