"""Makers of WhatsApp accounts, of leads who have written, and of what goes out to them."""

from typing import Any
from uuid import uuid4

from django.test import Client
from django.urls import reverse

from channels.models import Account, Message
from channels.receiving import store_inbound, take_in
from channels.services.accounts import connect_account
from channels.transports import Outgoing
from channels.transports.whatsapp import WhatsAppSettings
from leads.models import Lead
from leads.services import create_lead
from tests.channels.whatsapp import calls
from tests.channels.whatsapp.emulator import TOKEN

VERIFY = "words of ours".replace(" ", "-")
ANNAS_NUMBER = f"+{calls.ANNA}"


def make_settings(**given: Any) -> WhatsAppSettings:
    """What the emulator knows of its number."""
    known = {
        "phone_number_id": calls.NUMBER_ID,
        "business_account_id": calls.BUSINESS_ID,
        "access_token": TOKEN,
        "app_secret": calls.SECRET,
        "verify_token": VERIFY,
    }
    return WhatsAppSettings(**{**known, **given})


def make_account(address: str = "+15550783881", **given: Any) -> Account:
    """A number of the current tenant's at WhatsApp."""
    return connect_account(
        channel="whatsapp",
        transport="whatsapp",
        name="Sales",
        address=address,
        settings=make_settings(**given),
    )


def make_anna(**fields: Any) -> Lead:
    """A lead with the number from which calls.text() comes."""
    return create_lead(name="Anna Ito", phones=[ANNAS_NUMBER], **fields)


def make_outgoing(**given: Any) -> Outgoing:
    """A text to Anna."""
    fields: dict[str, Any] = {
        "message_id": uuid4(),
        "channel": "whatsapp",
        "message_type": "text",
        "address": ANNAS_NUMBER,
        "subject": "",
        "body": "Hi",
    }
    return Outgoing(**{**fields, **given})


def take_in_call(account: Account, body: bytes) -> None:
    """Have a call taken in as the handler does."""
    inbound = store_inbound(account, body)
    assert inbound
    take_in(inbound.pk)


def hear_from_anna(account: Account, words: str = "Hello") -> Message:
    """A message of Anna's, which opens the window."""
    item = calls.text(words)
    take_in_call(account, calls.messages_call(item))
    found: Message = Message.objects.get(vendor_id=item["id"])
    return found


def webhook_of(account: Account) -> str:
    """The path that Meta calls."""
    return reverse("channels-public:whatsapp-webhook", args=[account.pk])


def post_call(account: Account, body: bytes, signature: str | None = None) -> Any:
    """The webhook's answer to a call."""
    headers = {"X-Hub-Signature-256": calls.signature(body) if signature is None else signature}
    return Client().post(
        webhook_of(account), body, content_type="application/json", headers=headers
    )
