"""Webhook calls as Meta writes them. Source: Cloud API, "Webhooks", payload examples.

They are built apart from the code that reads them: the signature too is computed here.
"""

import hashlib
import hmac
import json
import time
from itertools import count
from typing import Any

NUMBER_ID, BUSINESS_ID = "106540352242922", "102290129340398"
DISPLAY_NUMBER = "15550783881"
SECRET = "0123456789abcdef0123456789abcdef"
ANNA, ANNAS_ID = "4915112345678", "DE.13491208655302741918"

Payload = dict[str, Any]
_numbers = count(1)


def wamid() -> str:
    """An id that no other message has."""
    return f"wamid.HBgLTest{next(_numbers):08d}"


def person(wa_id: str = ANNA, user_id: str = ANNAS_ID, name: str = "Anna Ito") -> Payload:
    """Somebody; without a number, who hides it; without a user id, as in older calls."""
    given = {"wa_id": wa_id, "user_id": user_id}
    return {"profile": {"name": name}} | {key: value for key, value in given.items() if value}


def message(kind: str, content: Any = None, *, wa_id: str = ANNA, **more: Any) -> Payload:
    """An item of `messages`."""
    item = {"from": wa_id, "id": wamid(), "timestamp": str(int(time.time())), "type": kind}
    return item | ({kind: content} if content is not None else {}) | more


def text(body: str, **more: Any) -> Payload:
    """A text message."""
    return message("text", {"body": body}, **more)


def status(vendor_id: str, name: str, *, at: int | None = None, **more: Any) -> Payload:
    """An item of `statuses`."""
    told = {"id": vendor_id, "status": name, "timestamp": str(at or int(time.time()))}
    return told | {"recipient_id": ANNA} | more


def failure(code: int, details: str = "It did not work.") -> Payload:
    """An item of `errors`."""
    said = f"(#{code}) Something"
    return {"code": code, "title": said, "message": said, "error_data": {"details": details}}


def value(number_id: str = NUMBER_ID, people: list[Payload] | None = None, **lists: Any) -> Payload:
    """What a change holds."""
    return {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": DISPLAY_NUMBER, "phone_number_id": number_id},
        "contacts": [person()] if people is None else people,
        **lists,
    }


def call(*values: Payload, field: str = "messages") -> Payload:
    """A call with one change for each value."""
    changes = [{"field": field, "value": each} for each in values]
    entry = {"id": BUSINESS_ID, "time": int(time.time()), "changes": changes}
    return {"object": "whatsapp_business_account", "entry": [entry]}


def messages_call(*items: Payload, **more: Any) -> bytes:
    """A call with messages."""
    return raw(call(value(messages=list(items), **more)))


def statuses_call(*items: Payload, **more: Any) -> bytes:
    """A call with statuses."""
    return raw(call(value(statuses=list(items), **more)))


def raw(payload: Any) -> bytes:
    """The bytes that are signed and sent."""
    return json.dumps(payload, separators=(",", ":")).encode()


def signature(body: bytes, secret: str = SECRET) -> str:
    """The header with which Meta signs a call."""
    digest = hmac.new(bytes(secret, "ascii"), body, hashlib.sha256)
    return "sha256=" + digest.hexdigest()
