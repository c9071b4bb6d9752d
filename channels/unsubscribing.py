"""Opaque addresses by which a person opts out with one click.

Source: RFC 8058: the address acts on a POST alone, without cookies or a login.
"""

from uuid import UUID

from django.conf import settings
from django.core import signing
from django.urls import reverse

from channels.models import Message

SALT = "channels.unsubscribing"


def unsubscribe_url(message: Message) -> str:
    """The address that stands in a message's `List-Unsubscribe`."""
    token = signing.Signer(salt=SALT).sign_object(message.id.hex)
    path = reverse("channels-public:unsubscribe", args=[token])
    return f"{settings.BASE_URL}{path}"


def message_id_of(token: str) -> UUID | None:
    """Which message an address was made for; None: we have not made it."""
    try:
        return UUID(signing.Signer(salt=SALT).unsign_object(token))
    except (signing.BadSignature, ValueError):
        return None
