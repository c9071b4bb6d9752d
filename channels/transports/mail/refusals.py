"""What a server's refusal says of the recipient's address.

To take an address for gone silences somebody: that is done where a server says so, and not where it
says nothing, or that it does not like the mail, or us. Sources: RFC 3463, 3; RFC 5321, 4.2.3.
"""

import re
from typing import NamedTuple

# Not within an IP address.
STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")
# "no such mailbox" and "not here", where the server tells no more.
NO_MAILBOX = frozenset({550, 551, 553})
# The sender's address and the sender's domain are what is refused.
OF_SENDER = frozenset({("1", "7"), ("1", "8")})
# No such mailbox, no such domain, and that in Exchange's numbers. Other troubles on the way, such
# as a mail that got too old, pass.
GONE = frozenset({("2", "1"), ("4", "4"), ("4", "310")})
# With a 550 Exchange's "recipient address rejected"; without "no answer from host".
REJECTED = ("4", "1")
GONE_WORDS = re.compile(
    r"not found|no such|no mailbox|unrouteable|does ?n.t exist|does not exist|"
    r"unknown (?:user|recipient|mailbox|address|account|local)|"
    r"(?:user|recipient|mailbox|address|account) (?:is )?unknown|"
    r"nicht gefunden|existiert nicht|introuvable|n'existe pas|no se encontró|no existe",
    re.IGNORECASE,
)
# Words of a refusal that has other reasons, whatever its code.
OTHER_WORDS = re.compile(
    r"spam|virus|content|polic|reputation|block|blacklist|relay|denied|authenticat|sender|"
    r"\bspf\b|dkim|dmarc|too (?:large|big)|size|quota|full|voll\b|try again|later",
    re.IGNORECASE,
)


class Status(NamedTuple):
    """An enhanced status code: "5.1.1" is a permanent failure (5) of an address (1)."""

    kind: str
    subject: str
    detail: str

    @property
    def is_vague(self) -> bool:
        """Whether it says no more than that it failed, or that it is about some address."""
        return self.subject == "0" or (self.subject, self.detail) == ("1", "0")

    @property
    def is_of_recipient(self) -> bool:
        """Whether the address may be the reason: content and policy are about the mail or us."""
        return self.subject not in ("5", "6", "7") and (self.subject, self.detail) not in OF_SENDER


def status_in(text: str) -> Status | None:
    """The first enhanced status code in a text."""
    match = STATUS.search(text)
    return Status(*match.groups()) if match else None


def blames_address(status: Status | None, said: str) -> bool:
    """Whether the address may be the reason of a refusal, for good or for now."""
    if status and not status.is_vague:
        return status.is_of_recipient
    return OTHER_WORDS.search(said) is None


def tells_gone(status: Status | None, code: int, said: str) -> bool:
    """Whether a refusal says that there is no such address.

    Args:
        code: SMTP's; 0 where nobody knows it.
        said: in the server's words, which count where the status is missing or vague.
    """
    if status and status.kind != "5":
        return False
    if status and not status.is_vague:
        where = (status.subject, status.detail)
        is_rejected = where == REJECTED and code in NO_MAILBOX
        return is_rejected or where in GONE or (where[0] == "1" and where not in OF_SENDER)
    is_named = code in NO_MAILBOX or GONE_WORDS.search(said) is not None
    return is_named and blames_address(status, said)
