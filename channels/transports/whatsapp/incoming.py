"""One message of a webhook call, whatever its kind."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from channels.models import MessageType
from channels.transports.facts import File, Incoming, Sender
from channels.transports.whatsapp.json_access import at_of, objects_in, part_of, plain, text_of

Item = Mapping[str, Any]
# What a reader finds: the type, the text, and what more there is to keep.
Content = tuple[str, str, dict[str, Any]]
MEDIA = ("image", "video", "audio", "document", "sticker")
# Of an answered form, an order, or the advertisement that somebody came from, so much is kept.
LONGEST_JSON = 20_000
LONGEST_ID = 255
DEGREES = 180


def incoming_of(item: Item, sender: Sender) -> Incoming:
    """The message; what we cannot show is kept as one that has to be looked at on a phone.

    One that was edited comes in anew, as an answer to what it was: what people read stays.
    """
    edit = part_of(item, "edit") if text_of(item, "type") == "edit" else {}
    content = part_of(edit, "message") or item
    type_, text, details = READERS.get(text_of(content, "type"), _unsupported)(content)
    answered = text_of(part_of(content, "context"), "id", LONGEST_ID)
    if edited := text_of(edit, "original_message_id", LONGEST_ID):
        details["edits"] = answered = edited
    return Incoming(
        vendor_id=text_of(item, "id", LONGEST_ID),
        sender=sender,
        received_at=at_of(item),
        type=type_,
        text=text,
        answers=(answered,) if answered else (),
        files=tuple(_files(content)),
        details={**details, **_origin(content)},
    )


def _origin(item: Item) -> dict[str, Any]:
    """That a message was passed on, or from which advertisement its sender came."""
    context, referral = part_of(item, "context"), part_of(item, "referral")
    details: dict[str, Any] = {"referral": _kept(referral)} if referral else {}
    if context.get("forwarded") or context.get("frequently_forwarded"):
        details["forwarded"] = True
    return details


def _text(item: Item) -> Content:
    return MessageType.TEXT, text_of(part_of(item, "text"), "body"), {}


def _button(item: Item) -> Content:
    """A button of a template."""
    button = part_of(item, "button")
    return MessageType.REPLY, text_of(button, "text"), {"choice": text_of(button, "payload")}


def _interactive(item: Item) -> Content:
    told = part_of(item, "interactive")
    chosen = part_of(told, "button_reply") or part_of(told, "list_reply")
    if chosen:
        details = {"choice": text_of(chosen, "id")}
        if description := text_of(chosen, "description"):
            details["description"] = description
        return MessageType.REPLY, text_of(chosen, "title"), details
    if form := part_of(told, "nfm_reply"):
        answers = text_of(form, "response_json", LONGEST_JSON)
        return MessageType.REPLY, text_of(form, "body"), {"form": _parsed(answers)}
    return _unsupported(item)


def _media(item: Item) -> Content:
    kind = text_of(item, "type")
    medium = part_of(item, kind)
    details: dict[str, Any] = {"kind": kind}
    if medium.get("voice"):
        details["voice"] = True
    return MessageType.MEDIA, text_of(medium, "caption"), details


def _location(item: Item) -> Content:
    place = part_of(item, "location")
    numbers = {
        name: value
        for name in ("latitude", "longitude")
        if isinstance(value := place.get(name), int | float) and -DEGREES <= value <= DEGREES
    }
    words = {name: text for name in ("name", "address", "url") if (text := text_of(place, name))}
    where = ", ".join(f"{value:.6f}" for value in numbers.values())
    text = ", ".join(filter(None, (words.get("name"), words.get("address")))) or where
    return MessageType.LOCATION, text, {**numbers, **words}


def _contacts(item: Item) -> Content:
    """Business cards, one a line: the name, numbers and addresses."""
    cards = list(objects_in(item, "contacts"))
    lines = "\n".join(filter(None, map(_card, cards)))
    return MessageType.CONTACTS, lines, {"contacts": [_kept(card) for card in cards]}


def _card(card: Item) -> str:
    name = text_of(part_of(card, "name"), "formatted_name")
    numbers = [text_of(each, "phone") for each in objects_in(card, "phones")]
    addresses = [text_of(each, "email") for each in objects_in(card, "emails")]
    return ", ".join(filter(None, (name, *numbers, *addresses)))


def _unsupported(item: Item) -> Content:
    """What WhatsApp does not pass on, or came up with after this was written."""
    said = [text_of(error, "title") for error in objects_in(item, "errors")]
    details: dict[str, Any] = {"kind": text_of(item, "type", 50)}
    if said:
        details["said"] = said[0]
    return MessageType.UNSUPPORTED, "", details


def _files(item: Item) -> list[File]:
    kind = text_of(item, "type")
    medium = part_of(item, kind) if kind in MEDIA else {}
    vendor_id = text_of(medium, "id", LONGEST_ID)
    if not vendor_id:
        return []
    content_type = text_of(medium, "mime_type", 127).partition(";")[0].strip()
    name = text_of(medium, "filename", 255) or f"{kind}-{vendor_id[-8:]}"
    return [File(name=name, content_type=content_type, vendor_id=vendor_id)]


def _kept(told: object) -> Any:
    """A value as the vendor wrote it, unless it is a flood."""
    kept = plain(told)
    return kept if len(json.dumps(kept)) <= LONGEST_JSON else {}


def _parsed(written: str) -> Any:
    try:
        return _kept(json.loads(written))
    except (ValueError, RecursionError):
        return {}


READERS: Mapping[str, Callable[[Item], Content]] = {
    "text": _text,
    "button": _button,
    "interactive": _interactive,
    "location": _location,
    "contacts": _contacts,
    **dict.fromkeys(MEDIA, _media),
}
