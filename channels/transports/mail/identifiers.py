"""Names that find their way back to us: Message-IDs, and the addresses that answers go to."""

import base64
import hashlib
import hmac
import re
from uuid import UUID

from django.conf import settings
from django.utils.crypto import salted_hmac

SALT = "channels.transports.mail.reply"
# Names our message where a server on the way has put its own Message-ID in the place of ours.
OWN_HEADER = "X-SalesFlow-Message"
OWN_NAME = re.compile(
    r"\b([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.(\d{1,6})\b"
)
# Letters, digits and signs: what else stands there is broken, and no database takes all of it.
MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,998}>")
# Of the signature, so many bytes: nobody tries out 2^64 addresses by mail.
SIGNED = 8
# Source: RFC 5321, 4.5.3.1.1.
LONGEST_LOCAL_PART = 64


def message_id_of(message_id: UUID, attempt: int, address: str) -> str:
    """The Message-ID of one try to send a message from `address`."""
    return f"<{message_id}.{attempt}@{domain_of(address)}>"


def vendor_id_of(message_id: str) -> str:
    """What a mail is called in our tables: a digest, as a Message-ID may be of any length."""
    return f"mid:{hashlib.sha256(message_id.strip().encode('utf-8', 'replace')).hexdigest()}"


def own_message(text: str) -> tuple[UUID, int] | None:
    """Which message of ours, and which try, a Message-ID or header of ours names."""
    match = OWN_NAME.search(text)
    return (UUID(match[1]), int(match[2])) if match else None


def domain_of(address: str) -> str:
    """The domain of an e-mail address, as it may stand in a header."""
    domain = address.rpartition("@")[2] or "localhost"
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return "localhost"


def reply_address(address: str, conversation_id: UUID) -> str:
    """`sales+<token>@example.com`, by which answers name their conversation.

    Returns:
        Nothing where the local part would get too long.
    """
    local, _at, domain = address.rpartition("@")
    token = base64.b32encode(
        conversation_id.bytes + _signature(conversation_id, settings.SECRET_KEY)
    )
    tagged = f"{local}+{token.decode().rstrip('=').lower()}"
    return f"{tagged}@{domain}" if local and len(tagged) <= LONGEST_LOCAL_PART else ""


def conversation_of(address: str) -> UUID | None:
    """The conversation that an address of ours names; None: it names none, or is forged."""
    local = address.rpartition("@")[0]
    token = local.rpartition("+")[2].upper()
    try:
        named = base64.b32decode(token + "=" * (-len(token) % 8))
    except ValueError:
        return None
    if len(named) != 16 + SIGNED:
        return None
    conversation_id = UUID(bytes=named[:16])
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    signed = any(hmac.compare_digest(named[16:], _signature(conversation_id, key)) for key in keys)
    return conversation_id if signed else None


def _signature(conversation_id: UUID, key: str) -> bytes:
    digest = salted_hmac(SALT, conversation_id.bytes, secret=key, algorithm="sha256").digest()
    return digest[:SIGNED]
