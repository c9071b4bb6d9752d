"""For tests of code that sends messages."""

from collections.abc import Iterator
from contextlib import contextmanager

from channels.transports import Transport, register_transport, transport_for


@contextmanager
def carried_by(transport: Transport, channel: str) -> Iterator[None]:
    """Let `transport` carry the messages of `channel` for the length of a block."""
    usual = transport_for(channel)
    register_transport(transport, channel)
    try:
        yield
    finally:
        register_transport(usual, channel)
