"""A transport with settings of all kinds, and accounts of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import Field, SecretStr, field_validator, model_validator

from channels.models import Account
from channels.services.accounts import connect_account
from channels.transports import Outgoing, Receipt, TransportError, register_transport
from channels.transports.interface import AccountSettings, BaseTransport
from channels.transports.registry import forget_transport

SECRET = "hunter2-that-nobody-may-see"


class Mode(StrEnum):
    """How the service is spoken to."""

    SAFE, FAST = "safe", "fast"


class ScriptedSettings(AccountSettings):
    """One setting of each kind."""

    host: str = Field(title="Host", min_length=2)
    token: SecretStr = Field(title="Token")
    spare: SecretStr = Field(default=SecretStr(""), title="Spare token")
    port: int = Field(default=587, ge=1, le=65535, title="Port")
    mode: Mode = Field(default=Mode.SAFE, title="Mode")
    since: date | None = Field(default=None, title="Since")
    footer: str = Field(default="", max_length=2000, title="Footer")
    is_loud: bool = Field(default=False, title="Loud")

    @field_validator("host")
    @classmethod
    def _no_blanks(cls, host: str) -> str:
        if " " in host:
            raise ValueError("A host has no blanks.")
        return host

    @model_validator(mode="after")
    def _loud_is_fast(self) -> "ScriptedSettings":
        if self.is_loud and self.mode != Mode.FAST:
            raise ValueError("Only what is fast can be loud.")
        return self


class ScriptedService(BaseTransport):
    """A transport that is tried: what it does is scripted, what it was told is kept.

    Attributes:
        trouble: raised at every call.
    """

    name = "scripted"
    label = "Scripted"
    settings: ClassVar[type[AccountSettings]] = ScriptedSettings

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.sent: list[Outgoing] = []
        self.checked: list[str] = []

    def send(self, account: Account, outgoing: Outgoing) -> Receipt:
        """Keep it."""
        self.sent.append(outgoing)
        self._fail()
        return Receipt(vendor_id=f"scripted-{outgoing.message_id}")

    def check(self, account: Account) -> None:
        """Keep that it was asked."""
        self.checked.append(account.name)
        self._fail()

    def check_webhook(self, account: Account, url: str) -> None:
        """Keep where it looked."""
        self.checked.append(url)
        self._fail()

    def _fail(self) -> None:
        if self.trouble:
            raise self.trouble


@contextmanager
def scripted(*channels: str) -> Iterator[ScriptedService]:
    """The transport, registered for the length of a block."""
    service = ScriptedService()
    register_transport(service, *(channels or ("email",)))
    try:
        yield service
    finally:
        forget_transport(service.name)


def make_scripted_account(**fields: Any) -> Account:
    """An account of the scripted transport, the default one of its channel."""
    settings = ScriptedSettings(host="mail.example.com", token=SecretStr(SECRET))
    given = {"channel": "email", "name": "Sales", "address": "sales@example.com", **fields}
    return connect_account(transport="scripted", settings=given.pop("settings", settings), **given)


def refusal(reason: str) -> TransportError:
    """What a vendor says for good."""
    return TransportError(reason, permanent=True)
