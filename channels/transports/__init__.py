"""What carries messages between the house and the world: one interface, one exception.

A transport is one module with a class, and one registration (docs/channels.md has an example):

    register_transport(PigeonTransport(), Channel.EMAIL)

Its methods are called outside any transaction. It keeps no state: what it has to know of an
account it is given, in the form that its class `settings` declares.
"""

from channels.transports.facts import (
    Approval,
    Echo,
    Fact,
    File,
    Incoming,
    Move,
    OptOut,
    Reaction,
    Report,
    Sender,
    Trouble,
)
from channels.transports.interface import (
    AccountRefused,
    AccountSettings,
    Outgoing,
    Receipt,
    Transport,
    TransportError,
)
from channels.transports.registry import (
    register_transport,
    transport_named,
    transports,
    transports_for,
)

__all__ = [
    "AccountRefused",
    "AccountSettings",
    "Approval",
    "Echo",
    "Fact",
    "File",
    "Incoming",
    "Move",
    "OptOut",
    "Outgoing",
    "Reaction",
    "Receipt",
    "Report",
    "Sender",
    "Transport",
    "TransportError",
    "Trouble",
    "register_transport",
    "transport_named",
    "transports",
    "transports_for",
]
