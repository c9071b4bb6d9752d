"""Drafts of messages, and what they are on the way to being some."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError

from channels.models import (
    Account,
    AddressStanding,
    Channel,
    Conversation,
    Message,
    MessageTemplate,
    MessageType,
    Purpose,
)
from channels.transports import File, Transport
from leads.models import Lead
from salesflow.accounts.models import User

# The code of a refusal.
NO_LEAD = "no_lead"


@dataclass(frozen=True)
class MessageDraft:
    """A message that is to be queued.

    Attributes:
        channel: a `Channel`.
        subject: e-mail only.
        to_address: one of the lead's addresses on the channel; by default the primary one.
        account: through which it goes; by default the one through which the lead wrote last, else
            the channel's default one.
        author: the colleague who wrote it.
        purpose: marketing needs a lawful basis and carries a way to opt out.
        message_type: a `MessageType`.
        template: from which the text was made.
        details: what that type needs.
        answers: the message of the conversation that it answers; by default a mail answers the
            last one. An answer without a subject gets that one's.
        is_new_thread: a mail that answers none.
        unless_answered_since: it is withdrawn where the lead has written since then, on any
            channel, in the moment before it is sent.
        not_after: it is withdrawn where it still waits by then.
        tracks: a mail that tells when it is opened, and which links are clicked; never a personal
            one, and only where its one reader has consented (see `channels.tracking.permission`).
        cc: further addresses, e-mail only.
        files: with their data, e-mail only; see `channels.files`.
    """

    lead: Lead
    channel: str
    body: str
    subject: str = ""
    to_address: str = ""
    account: Account | None = None
    author: User | None = None
    purpose: str = Purpose.PERSONAL
    message_type: str = MessageType.TEXT
    template: MessageTemplate | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    answers: Message | None = None
    is_new_thread: bool = False
    unless_answered_since: datetime | None = None
    not_after: datetime | None = None
    tracks: bool = False
    cc: Sequence[str] = ()
    files: Sequence[File] = ()


@dataclass(frozen=True)
class Refusal:
    """That a message was not queued; nothing of it was written.

    Attributes:
        error: by the field of the draft, as `send_message` raises it.
    """

    draft: MessageDraft
    error: ValidationError

    @property
    def code(self) -> str:
        """The first reason's name: such as no_lead, no_address, no_account, no_basis, opted_out,
        bounced, window_closed; "invalid" for anything else."""
        [first, *_others] = self.error.error_dict.values()
        return str(first[0].code or "invalid")


class Letter:
    """A draft on its way to a message: each step finds out a part of it, or refuses it."""

    channel: Channel
    body: str
    subject: str
    lead: Lead
    conversation: Conversation | None
    account: Account
    transport: Transport
    address: str
    standing: AddressStanding | None
    cc: list[str]
    answered: UUID | None
    message: Message

    def __init__(self, draft: MessageDraft) -> None:
        self.draft = draft
        self.error: ValidationError | None = None

    @property
    def outcome(self) -> Message | Refusal:
        """What has become of it."""
        return self.message if self.error is None else Refusal(self.draft, self.error)

    @property
    def place(self) -> tuple[UUID, str]:
        """What tells its conversation."""
        return self.lead.pk, self.channel


def each(letters: Sequence[Letter], check: Callable[[Letter], None]) -> None:
    """Check each letter; what a check raises refuses that letter alone."""
    for letter in letters:
        try:
            check(letter)
        except ValidationError as error:
            letter.error = error


def complaint(name: str, reason: Any, code: str) -> ValidationError:
    """What is wrong with a field of a draft, in words and by a name."""
    return ValidationError({name: ValidationError(reason, code)})
