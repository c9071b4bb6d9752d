"""Opaque addresses by which a person opts out with one click.

Each says itself, encrypted, whom it is about: people click on it years later, when the message and
its lead may have been deleted, and imported again.

Source: RFC 8058: the address acts on a POST alone, without cookies or a login.
"""

import json
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from channels.models import Message
from salesflow.accounts.encryption import Undecipherable, decrypt, encrypt

# Keeps these texts apart from all else that is encrypted.
PURPOSE = "unsubscribe"


class Subscription(NamedTuple):
    """What an address opts out of.

    Attributes:
        message_id: of the message that carried it.
    """

    tenant_id: UUID
    message_id: UUID
    channel: str
    address: str


def unsubscribe_url(message: Message) -> str:
    """The address that stands in a message's `List-Unsubscribe`."""
    ids = [message.tenant_id.hex, message.pk.hex]
    token = encrypt(json.dumps([PURPOSE, *ids, message.channel, message.address]).encode())
    path = reverse("channels-public:unsubscribe", args=[token.decode()])
    return f"{settings.BASE_URL}{path}"


def subscription_of(token: str) -> Subscription | None:
    """What an address was made for; None: we have not made it."""
    try:
        purpose, tenant_id, message_id, channel, address = json.loads(decrypt(token.encode()))
        known = Subscription(UUID(tenant_id), UUID(message_id), channel, address)
    except (Undecipherable, ValueError):
        return None
    return known if purpose == PURPOSE else None
