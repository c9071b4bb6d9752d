"""What webhook calls say: pure, whatever is in them."""

import json
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.transports import (
    Approval,
    Fact,
    Incoming,
    Move,
    OptOut,
    Reaction,
    Report,
    Trouble,
)
from channels.transports.whatsapp.numbers import address_of, alternatives_of
from channels.transports.whatsapp.reading import read_call
from tests.channels.whatsapp import calls
from tests.channels.whatsapp.calls import ANNA, ANNAS_ID, NUMBER_ID, call, message, raw, value


def facts_of(body: bytes) -> list[Fact]:
    return list(read_call(body, NUMBER_ID))


def incoming_of(item: dict[str, Any], **more: Any) -> Incoming:
    [fact] = facts_of(calls.messages_call(item, **more))
    assert isinstance(fact, Incoming)
    return fact


def test_text_is_read_with_its_sender() -> None:
    item = calls.text("Hello", timestamp="1731617831")
    incoming = incoming_of(item)
    assert (incoming.vendor_id, incoming.type, incoming.text) == (item["id"], "text", "Hello")
    assert incoming.received_at == datetime(2024, 11, 14, 20, 57, 11, tzinfo=UTC)
    sender = incoming.sender
    assert (sender.external_id, sender.address, sender.name) == (ANNA, f"+{ANNA}", "Anna Ito")
    assert sender.aliases == (ANNAS_ID,)


def test_sender_without_a_number_is_known_by_metas_id() -> None:
    item = {**calls.text("Hello"), "from": ""}
    hidden = {"profile": {"name": "Anna", "username": "anna.ito"}, "user_id": ANNAS_ID}
    sender = incoming_of(item, people=[hidden]).sender
    assert (sender.external_id, sender.address, sender.name) == (ANNAS_ID, "", "Anna")
    named = {**item, "from_user_id": ANNAS_ID}
    others = [calls.person("4915100000000", "DE.2", "Bob"), hidden]
    assert incoming_of(named, people=others).sender.name == "Anna"


def test_older_calls_name_nobody_beside_the_message() -> None:
    sender = incoming_of(calls.text("Hello"), people=[]).sender
    assert (sender.external_id, sender.aliases, sender.name) == (ANNA, (), "")


def test_each_item_of_each_change_of_each_entry_is_read() -> None:
    first = call(
        value(messages=[calls.text("1"), calls.text("2")]), value(messages=[calls.text("3")])
    )
    second = call(value(messages=[calls.text("4")], statuses=[calls.status("w", "read")]))
    both = {**first, "entry": first["entry"] + second["entry"]}
    found = facts_of(raw(both))
    assert [fact.text for fact in found if isinstance(fact, Incoming)] == ["1", "2", "3", "4"]
    assert [fact.status for fact in found if isinstance(fact, Report)] == ["read"]


def test_what_is_about_another_number_is_left_out() -> None:
    other = value(number_id="4711", messages=[calls.text("theirs")])
    own = value(messages=[calls.text("ours")])
    assert [fact.text for fact in facts_of(raw(call(other, own)))] == ["ours"]  # type: ignore[union-attr]


def test_answer_names_the_message_before_it() -> None:
    context = {"from": calls.DISPLAY_NUMBER, "id": "wamid.ours"}
    assert incoming_of(calls.text("Yes", context=context)).answers == ("wamid.ours",)
    forwarded = incoming_of(calls.text("Look", context={"frequently_forwarded": True}))
    assert (forwarded.answers, forwarded.details) == ((), {"forwarded": True})


@pytest.mark.parametrize(
    ("item", "text", "choice"),
    [
        (message("button", {"payload": "pay", "text": "Pay now"}), "Pay now", "pay"),
        (
            message(
                "interactive",
                {"type": "button_reply", "button_reply": {"id": "y", "title": "Yes"}},
            ),
            "Yes",
            "y",
        ),
        (
            message(
                "interactive",
                {
                    "type": "list_reply",
                    "list_reply": {"id": "3", "title": "Three", "description": "d"},
                },
            ),
            "Three",
            "3",
        ),
    ],
)
def test_choice_is_read_with_its_id(item: dict[str, Any], text: str, choice: str) -> None:
    incoming = incoming_of(item)
    assert (incoming.type, incoming.text) == ("reply", text)
    assert incoming.details["choice"] == choice


def test_answered_form_keeps_its_answers() -> None:
    reply = {"name": "flow", "body": "Sent", "response_json": '{"size": 12, "note": "a\\u0000b"}'}
    incoming = incoming_of(message("interactive", {"type": "nfm_reply", "nfm_reply": reply}))
    assert (incoming.type, incoming.text) == ("reply", "Sent")
    assert incoming.details["form"] == {"size": 12, "note": "ab"}


@pytest.mark.parametrize("kind", ["image", "video", "audio", "document", "sticker"])
def test_file_waits_to_be_fetched(kind: str) -> None:
    medium = {"id": "1003383421387256", "mime_type": "audio/ogg; codecs=opus", "sha256": "ab"}
    incoming = incoming_of(message(kind, {**medium, "caption": "Look", "filename": "a.ogg"}))
    assert (incoming.type, incoming.text, incoming.details["kind"]) == ("media", "Look", kind)
    [file] = incoming.files
    assert (file.name, file.content_type, file.data) == ("a.ogg", "audio/ogg", None)
    assert file.vendor_id == "1003383421387256"


def test_place_is_read() -> None:
    place = {"latitude": 52.52, "longitude": 13.405, "name": "Office", "address": "Alexanderplatz"}
    incoming = incoming_of(message("location", place))
    assert (incoming.type, incoming.text) == ("location", "Office, Alexanderplatz")
    assert incoming.details["latitude"] == 52.52
    bare = incoming_of(message("location", {"latitude": 52.52, "longitude": 13.405}))
    assert bare.text == "52.520000, 13.405000"


def test_business_cards_are_read() -> None:
    card = {
        "name": {"formatted_name": "Bob Ray", "first_name": "Bob"},
        "phones": [{"phone": "+49 30 1", "wa_id": "49301"}],
        "emails": [{"email": "bob@example.com"}],
    }
    incoming = incoming_of(message("contacts", [card, {"name": {"formatted_name": "Eve"}}]))
    assert (incoming.type, incoming.text) == ("contacts", "Bob Ray, +49 30 1, bob@example.com\nEve")
    assert incoming.details["contacts"][0]["phones"][0]["wa_id"] == "49301"


@pytest.mark.parametrize("kind", ["unsupported", "order", "unknown", "hologram", ""])
def test_what_we_do_not_know_is_kept_as_that(kind: str) -> None:
    item = message(kind, errors=[calls.failure(131051)])
    incoming = incoming_of(item)
    assert (incoming.vendor_id, incoming.type, incoming.text) == (item["id"], "unsupported", "")
    assert incoming.details == {"kind": kind, "said": "(#131051) Something"}


def test_edited_message_comes_in_as_an_answer_to_what_it_was() -> None:
    inner = {"type": "text", "text": {"body": "At ten"}}
    edit = {"original_message_id": "wamid.first", "message": inner}
    incoming = incoming_of(message("edit", edit))
    assert (incoming.type, incoming.text) == ("text", "At ten")
    assert (incoming.answers, incoming.details) == (("wamid.first",), {"edits": "wamid.first"})


def test_advertisement_that_somebody_came_from_is_kept() -> None:
    referral = {"source_type": "ad", "source_id": "4711", "headline": "Half price"}
    assert incoming_of(calls.text("Hi", referral=referral)).details == {"referral": referral}
    flood = {"headline": "x" * 30_000}
    assert incoming_of(calls.text("Hi", referral=flood)).details == {"referral": {}}


def test_reaction_is_no_message() -> None:
    item = message("reaction", {"message_id": "wamid.ours", "emoji": "👍"})
    [fact] = facts_of(calls.messages_call(item))
    assert isinstance(fact, Reaction)
    assert (fact.vendor_id, fact.emoji, fact.sender.external_id) == ("wamid.ours", "👍", ANNA)
    [gone] = facts_of(calls.messages_call(message("reaction", {"message_id": "wamid.ours"})))
    assert isinstance(gone, Reaction)
    assert gone.emoji == ""


def test_new_number_is_a_move() -> None:
    told = {"type": "user_changed_number", "wa_id": "4915199999999", "body": "changed"}
    [fact] = facts_of(calls.messages_call(message("system", told)))
    assert isinstance(fact, Move)
    assert (fact.previous, fact.sender.external_id) == (ANNA, "4915199999999")
    assert fact.sender.address == "+4915199999999"
    assert facts_of(calls.messages_call(message("system", {"type": "identity_changed"}))) == []


def test_status_names_our_message_and_the_try() -> None:
    ours = "0197a2f0-0000-7000-8000-000000000001"
    item = calls.status("wamid.1", "played", at=1731617831, biz_opaque_callback_data=f"{ours}.3")
    [fact] = facts_of(calls.statuses_call(item))
    assert isinstance(fact, Report)
    assert (fact.vendor_id, fact.status) == ("wamid.1", "read")
    assert (fact.message_id, fact.attempt) == (UUID(ours), 3)
    assert fact.at == datetime(2024, 11, 14, 20, 57, 11, tzinfo=UTC)


@pytest.mark.parametrize("tracker", ["", "somebody else's", "1.2.3", "0197a2f0.x"])
def test_tracker_of_another_system_is_none_of_ours(tracker: str) -> None:
    [fact] = facts_of(
        calls.statuses_call(calls.status("w", "sent", biz_opaque_callback_data=tracker))
    )
    assert isinstance(fact, Report)
    assert (fact.message_id, fact.attempt) == (None, 0)


def test_failure_tells_its_reason_in_words() -> None:
    item = calls.status(
        "wamid.1", "failed", errors=[calls.failure(131026, "Message undeliverable.")]
    )
    [fact] = facts_of(calls.statuses_call(item))
    assert isinstance(fact, Report)
    expected = "The number cannot be reached on WhatsApp. WhatsApp: Message undeliverable. (131026)"
    assert (fact.status, fact.reason) == ("failed", expected)


def test_failure_may_speak_of_the_person_or_the_account() -> None:
    item = calls.status("wamid.1", "failed", errors=[calls.failure(131050)])
    _report, opt_out = facts_of(calls.statuses_call(item))
    assert isinstance(opt_out, OptOut)
    assert (opt_out.sender.external_id, opt_out.allowed, opt_out.source) == (ANNA, False, "vendor")
    item = calls.status("wamid.1", "failed", errors=[calls.failure(131042)])
    _report, trouble = facts_of(calls.statuses_call(item))
    assert isinstance(trouble, Trouble)
    assert trouble.refuses


def test_trouble_of_long_ago_stops_nothing() -> None:
    """A replay, or a call that Meta has repeated for days, speaks of what may be mended by now."""
    long_ago = int(time.time()) - 2 * 3600
    for code in (131042, 132015):
        item = calls.status("wamid.1", "failed", at=long_ago, errors=[calls.failure(code)])
        [report] = facts_of(calls.statuses_call(item))
        assert isinstance(report, Report)
        assert (report.status, report.template_status) == ("failed", "")


def test_failure_may_speak_of_the_template() -> None:
    item = calls.status("wamid.1", "failed", errors=[calls.failure(132015)])
    [report] = facts_of(calls.statuses_call(item))
    assert isinstance(report, Report)
    assert report.template_status == "paused"


def test_names_that_are_too_long_for_a_column_are_cut() -> None:
    long = "w" * 400
    told = {"type": "user_changed_user_id", "user_id": long}
    moved = calls.messages_call(message("system", told, wa_id=long), people=[])
    status = calls.status(long, "failed", recipient_id=long, errors=[calls.failure(131050)])
    [move] = facts_of(moved)
    report, opt_out = facts_of(calls.statuses_call(status))
    assert isinstance(move, Move)
    assert isinstance(report, Report)
    assert isinstance(opt_out, OptOut)
    assert max(map(len, (move.sender.external_id, opt_out.sender.external_id))) <= 254
    assert len(report.vendor_id) <= 255


def test_errors_beside_messages_are_the_accounts() -> None:
    [fact] = facts_of(raw(call(value(errors=[calls.failure(130429)]))))
    assert isinstance(fact, Trouble)
    assert not fact.refuses
    assert "130429" in fact.reason


@pytest.mark.parametrize(("given", "allowed"), [("stop", False), ("resume", True)])
def test_preference_is_an_opt_out_with_its_proof(given: str, allowed: bool) -> None:
    item = {
        "wa_id": ANNA,
        "detail": "User requested to stop marketing messages",
        "category": "marketing_messages",
        "value": given,
        "timestamp": 1731617831,
    }
    [fact] = facts_of(raw(call(value(user_preferences=[item]), field="user_preferences")))
    assert isinstance(fact, OptOut)
    assert (fact.allowed, fact.source) == (allowed, "whatsapp_preference")
    assert fact.sender.address == f"+{ANNA}"
    assert fact.at == datetime(2024, 11, 14, 20, 57, 11, tzinfo=UTC)
    assert fact.proof == {
        "category": "marketing_messages",
        "value": given,
        "detail": "User requested to stop marketing messages",
        "timestamp": "1731617831",
    }


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("APPROVED", "approved"),
        ("REJECTED", "rejected"),
        ("PAUSED", "paused"),
        ("PENDING", "pending"),
    ],
)
def test_decision_about_a_template_is_read(event: str, status: str) -> None:
    told = {
        "event": event,
        "message_template_id": 12,
        "message_template_name": "order",
        "message_template_language": "de",
        "reason": "NONE",
    }
    field = "message_template_status_update"
    assert facts_of(raw(call(told, field=field))) == [Approval("order", "de", status)]
    assert facts_of(raw(call({**told, "event": "FLAGGED"}, field=field))) == []


def test_broken_item_takes_no_other_with_it() -> None:
    good = calls.text("good")
    broken: list[Any] = [None, 7, "x", [], {}, {"id": "w"}, {"from": ANNA}, {"type": "text"}]
    found = facts_of(raw(call(value(messages=[*broken, good, *broken], people=[]))))
    assert [fact.text for fact in found if isinstance(fact, Incoming)] == ["good"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"7",
        b'{"entry": {}}',
        b'{"entry": [7, {"changes": 1}]}',
        b'{"entry": [{"changes": [{"value": {"messages": {"a": 1}}}]}]}',
        b"[" * 100_000,
    ],
)
def test_junk_says_nothing(body: bytes) -> None:
    assert facts_of(body) == []


def test_what_no_database_keeps_is_left_out() -> None:
    body = calls.messages_call(calls.text("MARK"), people=[calls.person(name="A\x00nna\ud800")])
    [fact] = facts_of(body.replace(b"MARK", rb"a\u0000b\udfff"))
    assert isinstance(fact, Incoming)
    assert (fact.text, fact.sender.name) == ("ab", "Anna")
    place = message("location", {"latitude": float("nan"), "longitude": 1e300, "name": "Here"})
    assert incoming_of(place).details == {"name": "Here"}


NAMES = ["id", "from", "type", "text", "body", "context", "errors", "code", "timestamp", "image"]
NAMES += ["interactive", "nfm_reply", "response_json", "contacts", "location", "status", "system"]
NAMES += ["wa_id", "user_id", "reaction", "value", "name", "phones", "referral", "error_data"]
NAMES += ["button_reply", "latitude", "metadata", "profile", "emoji"]
scraps = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
    ),
    max_leaves=12,
)


# Other tests may leave this one little of the machine.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["messages", "statuses", "errors", "user_preferences", "contacts"]),
    st.lists(scraps, max_size=3),
    st.sampled_from(["text", "interactive", "location", "contacts", "image", "system", "reaction"]),
)
def test_nothing_that_json_can_hold_breaks_the_reader(
    name: str, items: list[Any], kind: str
) -> None:
    framed = [{"id": "w", "from": ANNA, "type": kind, kind: item} for item in items]
    for each in (items, framed):
        body = raw(call({**value(), name: each}))
        for fact in facts_of(body):
            if isinstance(fact, Incoming):
                json.dumps(fact.details, allow_nan=False).encode()
                assert "\x00" not in fact.text + fact.vendor_id + fact.sender.name


@pytest.mark.parametrize(
    ("wa_id", "address", "alternatives"),
    [
        ("5511987654321", "+5511987654321", ("+551187654321",)),
        ("551187654321", "+551187654321", ("+5511987654321",)),
        # A fixed line has no form with a nine.
        ("551132654321", "+551132654321", ()),
        ("5215512345678", "+525512345678", ("+5215512345678",)),
        ("525512345678", "+525512345678", ("+5215512345678",)),
        ("5491112345678", "+5491112345678", ("+541112345678",)),
        ("541112345678", "+541112345678", ("+5491112345678",)),
        ("4915112345678", "+4915112345678", ()),
        ("US.13491208655302741918", "", ()),
        ("", "", ()),
    ],
)
def test_numbers_are_known_in_both_of_their_forms(
    wa_id: str, address: str, alternatives: tuple[str, ...]
) -> None:
    assert (address_of(wa_id), alternatives_of(wa_id)) == (address, alternatives)
