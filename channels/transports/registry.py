"""Which transports there are, and what channels they carry."""

from collections import defaultdict

from channels.transports.interface import Transport, TransportError

_transports: dict[str, Transport] = {}
_channels: dict[str, list[str]] = defaultdict(list)


def register_transport(transport: Transport, *channels: str) -> None:
    """Let accounts of these channels use `transport`; the last registration of a name counts."""
    _transports[transport.name] = transport
    for channel in channels:
        if transport.name not in _channels[str(channel)]:
            _channels[str(channel)].append(transport.name)


def forget_transport(name: str) -> None:
    """Undo a registration."""
    _transports.pop(name, None)
    for names in _channels.values():
        if name in names:
            names.remove(name)


def transport_named(name: str) -> Transport:
    """The transport that an account names.

    Raises:
        TransportError: permanent, when none is registered under that name.
    """
    transport = _transports.get(name)
    if transport is None:
        raise TransportError(f"There is no transport “{name}” any more.", permanent=True)
    return transport


def transports_for(channel: str) -> list[Transport]:
    """The transports that carry a channel, in the order in which they were registered."""
    return [_transports[name] for name in _channels[str(channel)]]


def transports() -> list[Transport]:
    """All transports, in the order in which they were registered."""
    return list(_transports.values())
