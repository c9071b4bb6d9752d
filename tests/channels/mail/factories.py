"""Makers of mail accounts, of messages as the transport gets them, and of mails."""

from typing import Any
from uuid import UUID

from channels.models import Account, Channel, MessageType
from channels.services.accounts import connect_account
from channels.transports import Outgoing
from channels.transports.mail import MailSettings

OURS = "sales@acme.example.com"
MESSAGE = UUID("01930000-0000-7000-8000-00000000abcd")
CONVERSATION = UUID("01930000-0000-7000-8000-00000000c0de")


def mail_settings(**fields: Any) -> MailSettings:
    """Settings without encryption, for servers on this machine."""
    given = {"smtp_host": "127.0.0.1", "smtp_security": "none", "imap_security": "none"}
    return MailSettings.model_validate(given | fields)


def make_mail_account(address: str = OURS, **fields: Any) -> Account:
    """A connected mailbox of the current tenant."""
    return connect_account(
        channel=Channel.EMAIL,
        transport="mail",
        name="Sales",
        address=address,
        settings=mail_settings(**fields),
    )


def make_outgoing(**fields: Any) -> Outgoing:
    """A message to Ann."""
    given: dict[str, Any] = {
        "message_id": MESSAGE,
        "channel": Channel.EMAIL,
        "message_type": MessageType.TEXT,
        "address": "ann@example.com",
        "name": "Ann",
        "subject": "Hello",
        "body": "How are you?",
        "conversation_id": CONVERSATION,
    }
    return Outgoing(**given | fields)
