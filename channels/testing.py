"""For tests of code that sends messages."""

from collections.abc import Iterator
from contextlib import contextmanager

from channels.models import Account
from channels.transports import Transport, register_transport
from channels.transports.registry import forget_transport


@contextmanager
def carried_by(transport: Transport, channel: str) -> Iterator[None]:
    """Let `transport` carry the tenant's accounts on `channel` for the length of a block."""
    register_transport(transport, channel)
    accounts = Account.objects.filter(channel=channel)
    usual = dict(accounts.values_list("pk", "transport"))
    accounts.update(transport=transport.name)
    try:
        yield
    finally:
        for pk, name in usual.items():
            Account.objects.filter(pk=pk).update(transport=name)
        forget_transport(transport.name)
