"""What is kept encrypted: secrets of other services that have to be read again to be used.

Fernet (AES-128-CBC with HMAC-SHA256) under keys that are derived from the settings' SECRET_KEY and
its fallbacks; see docs/operating.md for how a key is replaced.
"""

import base64
import json
from collections.abc import Iterator
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

# Keeps these keys apart from all else that SECRET_KEY signs.
PURPOSE = b"salesflow.accounts.encryption"


class Undecipherable(ImproperlyConfigured):
    """No key at hand opens what is stored."""

    def __init__(self) -> None:
        super().__init__(
            "A stored secret cannot be read with this SALESFLOW_SECRET_KEY: set the key with which"
            " it was stored, or name that in SALESFLOW_SECRET_KEY_FALLBACKS."
        )


class EncryptedJSONField(models.BinaryField[dict[str, Any], dict[str, Any]]):
    """A dictionary that only this application can read; no query can look into it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"default": dict, **kwargs})

    def get_prep_value(self, value: Any) -> bytes:
        """The dictionary as it is stored."""
        return encrypt(json.dumps(value or {}).encode())

    def from_db_value(self, value: Any, *_: Any) -> dict[str, Any]:
        """The dictionary as it was given.

        Raises:
            Undecipherable: it was stored under another key.
        """
        stored: dict[str, Any] = json.loads(decrypt(bytes(value)))
        return stored

    def value_to_string(self, obj: models.Model) -> str:
        """What a fixture may hold: nothing that could be read."""
        return ""


def encrypt(plain: bytes) -> bytes:
    """The text under the present key."""
    return _keys().encrypt(plain)


def decrypt(stored: bytes) -> bytes:
    """The text, whichever of the keys it was stored under.

    Raises:
        Undecipherable: it was none of them.
    """
    try:
        return _keys().decrypt(stored)
    except InvalidToken:
        raise Undecipherable from None


def _keys() -> MultiFernet:
    return MultiFernet(list(_derived()))


def _derived() -> Iterator[Fernet]:
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE)
        yield Fernet(base64.urlsafe_b64encode(kdf.derive(secret.encode())))
