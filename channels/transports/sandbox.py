"""The transport of demos and tests: what it takes over is delivered on this machine, to nobody.

It refuses by a rule that everybody can use on purpose:

| local part of the e-mail address | phone number ends in | what happens                        |
|----------------------------------|----------------------|-------------------------------------|
| starts with `bounce`             | 0000                 | refused for good                    |
| starts with `busy`               | 0001                 | refused twice, taken over after that |
| starts with `down`               | 0002                 | refused at every try                |
| starts with `lost`               | 0003                 | nobody knows whether it arrived     |
| any other                        | any other            | taken over at once                  |
"""

from collections.abc import Callable

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels.models import Account
from channels.transports.interface import BaseTransport, Outgoing, Receipt, TransportError

# How often a busy recipient refuses, and after how many seconds it may be tried again.
BUSY_TRIES = 2
BUSY_SECONDS = 2.0


class SandboxTransport(BaseTransport):
    """See the module."""

    name = "sandbox"
    label = _("Sandbox")
    description = _("To try things out: it takes messages over and delivers them to nobody.")
    carries_files = True

    def send(self, account: Account, outgoing: Outgoing) -> Receipt:
        """Take the message over, unless the rule says otherwise."""
        for prefix, ending, trouble in RULE:
            if _matches(outgoing.address, prefix, ending) and (error := trouble(outgoing)):
                raise error
        return Receipt(vendor_id=f"sandbox-{outgoing.message_id}")


def _matches(address: str, prefix: str, ending: str) -> bool:
    return address.startswith(prefix) if "@" in address else address.endswith(ending)


def _bounce(outgoing: Outgoing) -> TransportError:
    reason = (
        _("The mailbox {address} does not exist.")
        if "@" in outgoing.address
        else _("The number {address} cannot be reached on this channel.")
    )
    return TransportError(format_lazy(reason, address=outgoing.address), permanent=True)


def _busy(outgoing: Outgoing) -> TransportError | None:
    if outgoing.attempt > BUSY_TRIES:
        return None
    return TransportError(_("The recipient's server is busy."), retry_after=BUSY_SECONDS)


def _down(_outgoing: Outgoing) -> TransportError:
    return TransportError(_("The recipient's server does not answer."))


def _lost(_outgoing: Outgoing) -> TransportError:
    return TransportError(
        _("The connection broke while the message was handed over."), unknown=True, at_fault=False
    )


# Prefix of an e-mail address's local part, last digits of a phone number, what comes of it.
RULE: list[tuple[str, str, Callable[[Outgoing], TransportError | None]]] = [
    ("bounce", "0000", _bounce),
    ("busy", "0001", _busy),
    ("down", "0002", _down),
    ("lost", "0003", _lost),
]
