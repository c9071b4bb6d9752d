"""What every transport offers, and the one exception that it raises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from pydantic import BaseModel, ConfigDict

from channels.models import Account, Purpose
from channels.transports.facts import Fact, File


class AccountSettings(BaseModel):
    """What a transport has to know of an account; a subclass names it.

    Fields of the type `SecretStr` are kept encrypted and never shown again. Titles and descriptions
    are what the form of the settings page says.
    """

    model_config = ConfigDict(extra="forbid", validate_default=True)


@dataclass(frozen=True)
class Outgoing:
    """A message as a transport sees it.

    Attributes:
        message_id: the same at every try; what a vendor takes as idempotency key or gives back
            with its status reports.
        conversation_id: in which it is; answers find their way back by it.
        message_type: a `MessageType`.
        address: the recipient's e-mail address in lower case, phone number in E.164, or the
            vendor's id of them where the number is hidden.
        details: what the type needs, such as a template's name and variables.
        answers: the vendor's id of the message that it answers.
        references: of the thread it is in: Message-IDs, the root first.
        unsubscribe_url: acts on a POST (RFC 8058); empty for personal messages.
        pixel_url: of an image that tells that it was opened; empty where nobody asked for that.
        links: for links of the text, the addresses that tell that they were followed, and lead
            there.
        files: to be sent along, with their data; none where the transport carries no files.
        attempt: 1 at the first try.
    """

    message_id: UUID
    channel: str
    message_type: str
    address: str
    subject: str
    body: str
    attempt: int = 1
    conversation_id: UUID | None = None
    purpose: str = Purpose.PERSONAL
    name: str = ""
    cc: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    answers: str = ""
    references: str = ""
    unsubscribe_url: str = ""
    pixel_url: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    files: tuple[File, ...] = ()


@dataclass(frozen=True)
class Receipt:
    """A vendor's word that it has taken a message over.

    Attributes:
        vendor_id: what the vendor calls the message.
        external_id: what it calls the recipient; empty where it does not say.
        references: of the thread that the message is in now; see `Outgoing.references`.
    """

    vendor_id: str
    external_id: str = ""
    references: str = ""


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
        opted_out: the recipient has told the vendor that we may not write to them.
        bounced: the recipient's address does not exist.
        template_status: what the vendor says the message's template is, as a
            `MessageTemplate.VendorStatus`; empty where it says nothing of it.
        at_fault: whether it speaks against the account's server: enough of these open its circuit.
    """

    def __init__(
        self,
        reason: str | Promise,
        *,
        permanent: bool = False,
        retry_after: float | None = None,
        unknown: bool = False,
        opted_out: bool = False,
        bounced: bool = False,
        template_status: str = "",
        at_fault: bool | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.retry_after = retry_after
        self.unknown = unknown
        self.opted_out = opted_out
        self.bounced = bounced
        self.template_status = template_status
        self.at_fault = not permanent if at_fault is None else at_fault


class AccountRefused(TransportError):
    """The vendor refuses the account itself: nothing goes out before somebody looked at it."""

    def __init__(self, reason: str | Promise) -> None:
        super().__init__(reason, at_fault=False)


@dataclass(frozen=True)
class Limits:
    """How fast an account may send.

    Attributes:
        interval: seconds between two messages of the account.
        pair_interval: seconds between two messages to one recipient.
        burst: messages to one recipient that may go at once before that counts.
    """

    interval: float = 0.0
    pair_interval: float = 0.0
    burst: int = 1


class Transport(Protocol):
    """Sends messages through accounts, and reads what they receive.

    Attributes:
        name: kept with accounts and messages, for ever.
        label: as people call it.
        settings: what it has to know of an account.
        limits: how fast it may be used.
        is_assisted: a person carries the messages and confirms that; `send` is never called.
        carries_files: `send` sends `Outgoing.files` along.
        window_hours: after that long without a word from the lead only templates may go.
        description: for whom it is, in a sentence.
        webhook_route: name of the address that the vendor calls, which takes the account's id;
            empty where it calls none.
    """

    name: str
    settings: ClassVar[type[AccountSettings]]
    limits: Limits
    is_assisted: bool
    carries_files: bool
    window_hours: int | None
    webhook_route: str

    @property
    def label(self) -> str | Promise: ...

    @property
    def description(self) -> str | Promise: ...

    def send(self, account: Account, outgoing: Outgoing) -> Receipt:
        """Hand one message to the vendor.

        Raises:
            TransportError: see there.
        """
        ...

    def foretell_id(self, account: Account, message_id: UUID, attempt: int) -> str:
        """The `Receipt.vendor_id` of a call to come; empty where only the vendor knows it."""
        ...

    def foretell_references(self, account: Account, outgoing: Outgoing) -> str:
        """The `Receipt.references` of a call to come; empty where there are none."""
        ...

    def check(self, account: Account) -> None:
        """See whether the account can be used, without sending anything.

        Raises:
            TransportError: it cannot, in words.
        """
        ...

    def check_webhook(self, account: Account, url: str) -> None:
        """See whether `url`, which the vendor calls, answers as the vendor expects.

        Raises:
            TransportError: it does not, in words.
        """
        ...

    def read(self, account: Account, body: bytes) -> Iterable[Fact]:
        """What something that the vendor handed over says; junk says nothing.

        Raises:
            Exception: it cannot be read; the delivery waits for a version that can.
        """
        ...

    def remembered(self, state: Mapping[str, Any], changed: Set[str]) -> dict[str, Any]:
        """What of `Account.state` still holds after somebody has changed these settings."""
        ...

    def fetch_file(self, account: Account, vendor_id: str) -> File:
        """A file that came without its data; see `channels.transports.facts.File`.

        Returns:
            The file with its data, or without and with the reason for which it is refused.

        Raises:
            TransportError: it cannot be had now, or, if permanent, never.
        """
        ...


class BaseTransport:
    """What most transports have in common."""

    settings: ClassVar[type[AccountSettings]] = AccountSettings
    limits = Limits()
    is_assisted = False
    carries_files = False
    window_hours: int | None = None
    description: str | Promise = ""
    webhook_route = ""

    def foretell_id(self, account: Account, message_id: UUID, attempt: int) -> str:
        """Only the vendor knows it."""
        return ""

    def foretell_references(self, account: Account, outgoing: Outgoing) -> str:
        """Messages are in no thread of their own."""
        return ""

    def check(self, account: Account) -> None:
        """Nothing to see."""

    def check_webhook(self, account: Account, url: str) -> None:
        """Nobody calls."""

    def read(self, account: Account, body: bytes) -> Iterable[Fact]:
        """Nothing comes in."""
        return ()

    def remembered(self, state: Mapping[str, Any], changed: Set[str]) -> dict[str, Any]:
        """All of it."""
        return dict(state)

    def fetch_file(self, account: Account, vendor_id: str) -> File:
        """Files come with their messages."""
        raise TransportError(_("The file cannot be fetched."), permanent=True)
