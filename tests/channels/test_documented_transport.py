"""The transport in docs/channels.md works as it stands there, and can be connected and tried."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from channels.account_forms import AccountForm
from channels.models import Account, Channel, Message
from channels.receiving import store_inbound
from channels.services.accounts import connect_account
from channels.transports import transport_named
from channels.transports.registry import forget_transport
from tests.channels.factories import make_message

PAGE = Path(__file__).parents[2] / "docs" / "channels.md"
pytestmark = pytest.mark.usefixtures("transactional_db", "tenant")


class Pigeons:
    """The service that the page writes to."""

    def __init__(self) -> None:
        self.released: list[dict[str, Any]] = []
        self.trouble = ""

    def release(self, loft: str, whistle: str, **flight: Any) -> SimpleNamespace:
        self.released.append({"loft": loft, "whistle": whistle, **flight})
        troubles = ("loft_is_closed", "no_such_roof", "storm")
        told = {name: name == self.trouble for name in troubles}
        return SimpleNamespace(ring=f"ring-{len(self.released)}", **told)

    def count(self, loft: str) -> int:
        return 3


@pytest.fixture
def pigeons() -> Iterator[Pigeons]:
    """The page's transport, registered, and the service that it calls."""
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    service = Pigeons()
    exec(compile(code, str(PAGE), "exec"), {"pigeons": service})
    yield service
    forget_transport("pigeon")


@pytest.fixture
def account(pigeons: Pigeons) -> Account:
    """An account that was connected through the form."""
    data = {"name": "Loft", "address": "loft@example.com", "loft": "Roof 1", "whistle": "tuut"}
    transport = transport_named("pigeon")
    form = AccountForm({**data, "is_default": "on"}, channel=Channel.EMAIL, transport=transport)
    assert form.is_valid(), form.errors
    return connect_account(channel="email", transport="pigeon", **form.given)


def test_it_sends(pigeons: Pigeons, account: Account, settle_events: Callable[[], int]) -> None:
    message = make_message(body="Coo")
    settle_events()
    [flight] = pigeons.released
    assert (flight["loft"], flight["whistle"], flight["text"]) == ("Roof 1", "tuut", "Coo")
    assert flight["key"] == f"{message.pk}.1"
    message.refresh_from_db()
    assert (message.status, message.vendor_id, message.transport) == ("sent", "ring-1", "pigeon")


@pytest.mark.parametrize(
    ("trouble", "status", "is_stopped"),
    [("no_such_roof", "failed", False), ("loft_is_closed", "queued", True)],
)
def test_it_refuses(
    pigeons: Pigeons,
    account: Account,
    settle_events: Callable[[], int],
    trouble: str,
    status: str,
    is_stopped: bool,
) -> None:
    pigeons.trouble = trouble
    message = make_message()
    settle_events()
    message.refresh_from_db()
    account.refresh_from_db()
    assert (message.status, bool(account.stopped_at)) == (status, is_stopped)


def test_it_receives(account: Account, settle_events: Callable[[], int]) -> None:
    store_inbound(account, b"ring-7|ada@example.com|Coo | coo")
    settle_events()
    message = Message.objects.get()
    assert (message.body, message.vendor_id, message.lead.emails) == (
        "Coo | coo",
        "ring-7",
        ["ada@example.com"],
    )
