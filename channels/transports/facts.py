"""What vendors tell, in words that are the same for all of them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from channels.models import Automatic, MessageType


@dataclass(frozen=True)
class Sender:
    """Who has written.

    Attributes:
        external_id: as the vendor knows them; an e-mail address in lower case.
        address: an e-mail address, a number in E.164; empty where the vendor hides it.
        name: as they call themselves there.
        aliases: other ids under which the vendor knows them.
        alternatives: other ways to write the address, under which we may know them.
    """

    external_id: str
    address: str = ""
    name: str = ""
    aliases: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True)
class File:
    """What hangs on an incoming message.

    Attributes:
        data: None where it has still to be fetched by `vendor_id`, or was refused for `reason`.
        size: in bytes; 0 where nobody knows it yet.
        content_id: by which a mail's HTML shows it, without angle brackets.
    """

    name: str
    content_type: str
    data: bytes | None = None
    size: int = 0
    content_id: str = ""
    vendor_id: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Booking:
    """That somebody has accepted an invitation to a meeting.

    Attributes:
        external_id: what calendars call the meeting.
        starts_at: without a time zone where it names none that we know.
    """

    external_id: str
    title: str
    starts_at: datetime


@dataclass(frozen=True)
class Incoming:
    """A message that came in.

    Attributes:
        vendor_id: what comes twice under one id is taken in once.
        received_at: when the vendor had it.
        text: what the sender wrote, without what it answers, which is in `quoted`.
        html: as it came, not cleaned.
        automatic: what wrote it, where no person did.
        conversation_id: told by the address it was sent to, whose signature was checked.
        answers: ids of the vendor of messages that it answers, the nearest first.
        returns_at: of an out-of-office message: when the person is back, if it says so.
        booking: the meeting that its writer has accepted with it.
    """

    vendor_id: str
    sender: Sender
    received_at: datetime | None = None
    type: str = MessageType.TEXT
    subject: str = ""
    text: str = ""
    quoted: str = ""
    html: str = ""
    automatic: str = Automatic.NO
    conversation_id: UUID | None = None
    answers: tuple[str, ...] = ()
    references: str = ""
    cc: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    returns_at: datetime | None = None
    booking: Booking | None = None


@dataclass(frozen=True)
class Echo:
    """That somebody of ours has written to a lead without us, such as in the vendor's own app.

    Attributes:
        message: what they wrote; its `sender` is to whom.
    """

    message: Incoming


@dataclass(frozen=True)
class Report:
    """What became of a message of ours.

    Attributes:
        vendor_id: the vendor's id of the message; empty where only `message_id` is known.
        message_id: our own id, where the vendor gives it back.
        attempt: of ours, where the vendor gives it back; 0 where it does not.
        status: a `MessageStatus`.
        reason: why it failed, in words.
        bounced: the address that refuses mail; empty where the failure is not the address's.
        hard: of a bounce: the address does not exist.
        template_status: what the message's template is by this; see `TransportError`.
    """

    status: str
    vendor_id: str = ""
    message_id: UUID | None = None
    attempt: int = 0
    at: datetime | None = None
    reason: str = ""
    bounced: str = ""
    hard: bool = False
    template_status: str = ""


@dataclass(frozen=True)
class OptOut:
    """That somebody told the vendor whether we may write to them.

    Attributes:
        allowed: True where they changed their mind.
        proof: what the vendor said.
    """

    sender: Sender
    source: str
    allowed: bool = False
    at: datetime | None = None
    proof: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reaction:
    """What somebody thinks of a message, said with a sign; it needs no answer.

    Attributes:
        vendor_id: of the message.
        emoji: empty where they took it back.
    """

    sender: Sender
    vendor_id: str
    emoji: str
    at: datetime


@dataclass(frozen=True)
class Move:
    """That somebody is known by another id from now on, such as a new number.

    Attributes:
        previous: the vendor's id of them until then.
        sender: who they are now.
    """

    previous: str
    sender: Sender


@dataclass(frozen=True)
class Approval:
    """What a vendor has decided about a template.

    Attributes:
        status: a `MessageTemplate.VendorStatus`.
    """

    name: str
    language: str
    status: str
    reason: str = ""


@dataclass(frozen=True)
class Trouble:
    """What a vendor tells of the account itself.

    Attributes:
        refuses: it lets nothing go out before somebody looked at it.
    """

    reason: str
    refuses: bool = False


Fact = Incoming | Echo | Report | OptOut | Reaction | Move | Approval | Trouble
