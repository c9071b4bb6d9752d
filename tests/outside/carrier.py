"""A transport that calls the service, and whose process is killed where a test wants it to be."""

import os
import signal
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings

from channels.models import Account
from channels.transports import AccountSettings, Outgoing, Receipt
from channels.transports.interface import BaseTransport

BEFORE_THE_NOTE = "before the call is noted"
BEFORE_THE_CALL = "before the call"
DURING_THE_CALL = "during the call"
AFTER_THE_ANSWER = "after the answer"
BEFORE_THE_STATUS = "before the status is written"


class MortalSettings(AccountSettings):
    """Which service is called, and where the process is killed, once."""

    url: str
    dies: str = ""


class MortalTransport(BaseTransport):
    """See the module."""

    name = "mortal"
    label = "Mortal"
    settings: ClassVar[type[AccountSettings]] = MortalSettings

    def foretell_id(self, account: Account, message_id: UUID, attempt: int) -> str:
        """What it will be called: said in the transaction that notes the call."""
        die_once(account, BEFORE_THE_NOTE)
        return f"mortal-{message_id}"

    def send(self, account: Account, outgoing: Outgoing) -> Receipt:
        """Call the service, if it lives that long."""
        die_once(account, BEFORE_THE_CALL)
        connection = HTTPConnection(urlsplit(account.settings["url"]).netloc, timeout=30)
        connection.request("GET", "/", headers={"Idempotency-Key": str(outgoing.message_id)})
        die_once(account, DURING_THE_CALL)
        connection.getresponse().read()
        connection.close()
        die_once(account, AFTER_THE_ANSWER)
        return MortalReceipt(account, f"mortal-{outgoing.message_id}")


class MortalReceipt(Receipt):
    """Kills whoever writes it down."""

    def __init__(self, account: Account, vendor_id: str) -> None:
        super().__init__(vendor_id)
        object.__setattr__(self, "account", account)

    def __getattribute__(self, name: str) -> Any:
        if name == "vendor_id":
            die_once(object.__getattribute__(self, "account"), BEFORE_THE_STATUS)
        return object.__getattribute__(self, name)


def die_once(account: Account, step: str) -> None:
    """Kill this process, if the account says so and it is the first one."""
    if account.settings["dies"] != step:
        return
    try:
        (Path(settings.HOME) / f"died-{account.pk}").touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
