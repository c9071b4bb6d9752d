"""The sandbox's documented rule."""

import pytest

from channels.models import Account, Channel
from channels.transports import Outgoing, TransportError
from channels.transports.sandbox import BUSY_SECONDS, BUSY_TRIES, SandboxTransport
from salesflow.accounts.ids import uuid7


def send(address: str, attempt: int = 1) -> str:
    channel = Channel.EMAIL if "@" in address else Channel.WHATSAPP
    outgoing = Outgoing(uuid7(), channel, "text", address, "", "Hello", attempt)
    return SandboxTransport().send(Account(channel=channel), outgoing).vendor_id


@pytest.mark.parametrize(
    "address", ["bob@bounce.example.com", "a.bounce@example.com", "+12025550101"]
)
def test_others_are_reached(address: str) -> None:
    assert send(address).startswith("sandbox-")


@pytest.mark.parametrize(
    ("address", "permanent", "retry_after", "unknown"),
    [
        ("bounce@example.com", True, None, False),
        ("+442079460000", True, None, False),
        ("busy.bob@example.com", False, BUSY_SECONDS, False),
        ("+442079460001", False, BUSY_SECONDS, False),
        ("down@example.com", False, None, False),
        ("+442079460002", False, None, False),
        ("lost@example.com", False, None, True),
        ("+442079460003", False, None, True),
    ],
)
def test_trouble_is_as_documented(
    address: str, permanent: bool, retry_after: float | None, unknown: bool
) -> None:
    with pytest.raises(TransportError) as trouble:
        send(address)
    error = trouble.value
    assert (error.permanent, error.retry_after, error.unknown) == (permanent, retry_after, unknown)
    assert error.reason


def test_busy_recipient_takes_the_third_try() -> None:
    assert send("busy@example.com", attempt=BUSY_TRIES + 1)
