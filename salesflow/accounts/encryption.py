"""What is kept encrypted: secrets of other services that have to be read again to be used.

Fernet (AES-128-CBC with HMAC-SHA256) under keys that are derived from the settings' SECRET_KEY and
its fallbacks; see docs/operating.md for how a key is replaced.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models, transaction

# Keeps these keys apart from all else that SECRET_KEY signs.
PURPOSE = b"salesflow.accounts.encryption"


class Undecipherable(ImproperlyConfigured):
    """No key at hand opens what is stored."""

    def __init__(self) -> None:
        super().__init__(
            "A stored secret cannot be read with this SALESFLOW_SECRET_KEY: set the key with which"
            " it was stored, or name that in SALESFLOW_SECRET_KEY_FALLBACKS."
        )


class Sealed(Mapping[str, Any]):
    """A dictionary that is read when it is asked for, and never shown.

    So a row whose secrets are under a lost key is still a row: only what needs them notices.

    Raises:
        Undecipherable: at the first look into it.
    """

    def __init__(self, stored: bytes) -> None:
        self.stored = stored

    @cached_property
    def _opened(self) -> dict[str, Any]:
        opened: dict[str, Any] = json.loads(decrypt(self.stored))
        return opened

    def __getitem__(self, name: str) -> Any:
        return self._opened[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._opened)

    def __len__(self) -> int:
        return len(self._opened)

    def __repr__(self) -> str:
        return "••••"

    def __getstate__(self) -> dict[str, Any]:
        return {"stored": self.stored}


class EncryptedJSONField(models.BinaryField[Mapping[str, Any], Mapping[str, Any]]):
    """A dictionary that only this application can read; no query can look into it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"default": dict, **kwargs})

    def get_prep_value(self, value: Any) -> bytes:
        """The dictionary as it is stored; one that nobody changed as it was."""
        if isinstance(value, Sealed):
            return value.stored
        return encrypt(json.dumps(value or {}).encode())

    def from_db_value(self, value: Any, *_: Any) -> Sealed | None:
        """The dictionary as it was given; None of a row that a join has not found."""
        return None if value is None else Sealed(bytes(value))

    def value_to_string(self, obj: models.Model) -> str:
        """What a fixture may hold: nothing that could be read."""
        return ""


def encrypt_anew() -> int:
    """Put all that is stored under the present key; returns how many rows there were.

    Raises:
        Undecipherable: a row is under none of the keys; nothing was changed.
    """
    with transaction.atomic():
        return sum(_encrypt_rows(model, field) for model, field in _encrypted_fields())


def _encrypted_fields() -> Iterator[tuple[type[models.Model], str]]:
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedJSONField):
                yield model, field.name


def _encrypt_rows(model: type[models.Model], field: str) -> int:
    rows = model._base_manager.select_for_update().only("pk", field)
    number = 0
    for row in rows.iterator():
        model._base_manager.filter(pk=row.pk).update(**{field: dict(getattr(row, field))})
        number += 1
    return number


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
