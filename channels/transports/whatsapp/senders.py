"""Who is meant in a webhook call: by number, by Meta's id where that is hidden, or by both."""

from collections.abc import Mapping
from typing import Any

from channels.transports.facts import Sender
from channels.transports.whatsapp.json_access import objects_in, part_of, text_of
from channels.transports.whatsapp.numbers import address_of, alternatives_of

LONGEST_ID, LONGEST_NAME = 254, 200


class Book:
    """The people that a change names beside its items."""

    def __init__(self, value: Mapping[str, Any]) -> None:
        self._people = list(objects_in(value, "contacts"))

    def sender(self, wa_id: str, user_id: str = "", name: str = "") -> Sender:
        """Somebody, with what the call tells of them elsewhere."""
        person = self._person(wa_id, user_id)
        wa_id = (wa_id or text_of(person, "wa_id"))[:LONGEST_ID]
        user_id = (user_id or text_of(person, "user_id"))[:LONGEST_ID]
        profile = part_of(person, "profile")
        called = name or text_of(profile, "name", LONGEST_NAME)
        ids = [each for each in dict.fromkeys((wa_id, user_id)) if each]
        return Sender(
            external_id=ids[0] if ids else "",
            address=address_of(wa_id),
            name=called or text_of(profile, "username", LONGEST_NAME),
            aliases=tuple(ids[1:]),
            alternatives=alternatives_of(wa_id),
        )

    def only(self) -> Mapping[str, Any]:
        """The one person whom the call names; empty where it names nobody, or several."""
        return self._people[0] if len(self._people) == 1 else {}

    def _person(self, wa_id: str, user_id: str) -> Mapping[str, Any]:
        for person in self._people:
            known = {text_of(person, "wa_id"), text_of(person, "user_id")} - {""}
            if known & {wa_id, user_id}:
                return person
        return {}


def sender_of(item: Mapping[str, Any], book: Book) -> Sender | None:
    """Who has sent an item; None: nobody could say."""
    wa_id = text_of(item, "from", LONGEST_ID) or text_of(item, "wa_id", LONGEST_ID)
    user_id = text_of(item, "from_user_id", LONGEST_ID) or text_of(item, "user_id", LONGEST_ID)
    if not wa_id and not user_id:
        person = book.only()
        wa_id, user_id = text_of(person, "wa_id"), text_of(person, "user_id")
    sender = book.sender(wa_id, user_id)
    return sender if sender.external_id else None
