"""What transports did not foresee, told without the secrets that they know."""

from typing import Self


class TransportBroke(Exception):
    """Stands for an exception of a transport: its kind, and where it was raised.

    Never its words, nor what it was raised from: tracebacks are kept and shown, and a client may
    put a header with a token, or an address with a password, into what it raises.
    """

    @classmethod
    def of(cls, fault: Exception) -> Self:
        """What is raised, and kept, in its place; to be raised `from None`."""
        return cls(type(fault).__name__).with_traceback(fault.__traceback__)
