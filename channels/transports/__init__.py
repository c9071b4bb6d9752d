"""What carries messages out of the house: one interface, one exception.

A transport is one module with a class that has a `name` and a `send`, and one registration
(see `channels.apps`):

    class Pigeon:
        name = "pigeon"

        def send(self, outgoing: Outgoing) -> Receipt:
            ...

    register_transport(Pigeon(), Channel.EMAIL)

`send` is called outside any transaction, by one worker at a time for one message.
"""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from django.utils.functional import Promise

__all__ = [
    "Outgoing",
    "Receipt",
    "Transport",
    "TransportError",
    "register_transport",
    "transport_for",
]


@dataclass(frozen=True)
class Outgoing:
    """A message as a transport sees it.

    Attributes:
        message_id: the same at every try; what a vendor takes as idempotency key or gives back
            with its status reports.
        address: the recipient's e-mail address in lower case, or phone number in E.164.
        attempt: 1 at the first try.
    """

    message_id: UUID
    channel: str
    message_type: str
    address: str
    subject: str
    body: str
    attempt: int = 1


@dataclass(frozen=True)
class Receipt:
    """A vendor's word that it has taken a message over.

    Attributes:
        vendor_id: what the vendor calls the message.
    """

    vendor_id: str


class TransportError(Exception):
    """A message was not taken over, or nobody knows whether it was.

    Anything else that a transport raises counts as `unknown`: an error that its author did not
    foresee tells nothing about how far the message came.

    Args:
        reason: the vendor's reason in words, for the rep; of `gettext_lazy`, if it is a
            translation, so that the failure is the same one in all languages.
        permanent: trying again cannot help.
        retry_after: seconds after which the vendor wants the next try; None leaves it to us.
        unknown: the message may have arrived (a timeout after it was handed over), so it is
            never sent again by itself.
    """

    def __init__(
        self,
        reason: str | Promise,
        *,
        permanent: bool = False,
        retry_after: float | None = None,
        unknown: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.retry_after = retry_after
        self.unknown = unknown


class Transport(Protocol):
    """Sends messages of the channels it is registered for."""

    name: str

    def send(self, outgoing: Outgoing) -> Receipt:
        """Hand one message to the vendor.

        Raises:
            TransportError: see there.
        """
        ...


_transports: dict[str, Transport] = {}


def register_transport(transport: Transport, *channels: str) -> None:
    """Let `transport` carry the messages of these channels; the last registration counts."""
    for channel in channels:
        _transports[str(channel)] = transport


def transport_for(channel: str) -> Transport:
    """The transport of a channel.

    Raises:
        TransportError: permanent, when none is registered.
    """
    transport = _transports.get(str(channel))
    if transport is None:
        raise TransportError(f"No transport carries the channel “{channel}”.", permanent=True)
    return transport
