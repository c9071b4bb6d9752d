"""Conversations as the inbox's tests need them."""

from datetime import datetime
from typing import Any

from channels.models import Account, Channel, Conversation, Message, MessageTemplate
from channels.services import receive_message
from channels.services.accounts import default_account
from channels.services.templates import save_template
from channels.testing import carried_by
from channels.transports import Receipt
from channels.transports.interface import BaseTransport
from leads.models import Lead
from tests.channels.factories import make_inbound_message, make_reachable_lead


class WindowedTransport(BaseTransport):
    """Takes everything over, but free text only for a day after the lead has written."""

    name = "windowed"
    label = "Windowed"
    window_hours: int | None = 24

    def send(self, account: Account, outgoing: Any) -> Receipt:
        """Take the message over."""
        return Receipt(vendor_id=f"windowed-{outgoing.message_id}")


def with_window() -> Any:
    """A block in which WhatsApp knows its 24 hours."""
    return carried_by(WindowedTransport(), Channel.WHATSAPP)


def make_conversation(lead: Lead | None = None, **fields: Any) -> Conversation:
    """A conversation that began with a mail of the lead; the fields are the message's."""
    return make_inbound_message(lead or make_reachable_lead(), **fields).conversation


def make_whatsapp(body: str = "Hi", received_at: datetime | None = None, **fields: Any) -> Message:
    """What a lead wrote on WhatsApp."""
    lead = fields.pop("lead", None) or make_reachable_lead(phone="+4930901820", **fields)
    return receive_message(
        lead,
        channel=Channel.WHATSAPP,
        address=lead.phones[0],
        body=body,
        received_at=received_at,
        account=default_account(Channel.WHATSAPP),
    )


def make_template(**fields: Any) -> MessageTemplate:
    """A canned reply, or what the fields say."""
    given = {"name": "Hello", "language": "en", "body": "Hello {{ first_name }}", **fields}
    return save_template(MessageTemplate(), **given)
