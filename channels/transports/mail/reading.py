"""What a mail says, as facts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from channels.models import Automatic, MessageStatus
from channels.transports.facts import Fact, File, Incoming, OptOut, Report, Sender
from channels.transports.mail.absences import return_of
from channels.transports.mail.bounces import LONGEST_REASON, Failure, ServerReport, report_in
from channels.transports.mail.building import shortened
from channels.transports.mail.calendar import booking_of, entry_of
from channels.transports.mail.classifying import automatic_of
from channels.transports.mail.headers import Headers, Person
from channels.transports.mail.identifiers import (
    MESSAGE_ID,
    conversation_of,
    own_message,
    vendor_id_of,
)
from channels.transports.mail.mailbox import LEFT_OUT
from channels.transports.mail.parts import Mail, parse
from channels.transports.mail.quoting import part_quote

# Where the address stands that a mail was sent to, or handed on to.
RECIPIENTS = (
    "To",
    "Cc",
    "Delivered-To",
    "X-Original-To",
    "Envelope-To",
    "X-Envelope-To",
    "X-Forwarded-To",
)
MOST_ANSWERED = 100
STATUSES = {
    "failed": MessageStatus.FAILED,
    "delivered": MessageStatus.DELIVERED,
    "read": MessageStatus.READ,
}
LEVELS = {"delayed": Automatic.AUTO_REPLY, "failed": Automatic.BOUNCE}


def read_mail(body: bytes, own_address: str) -> Iterator[Fact]:
    """The facts in a mail; a copy of what we wrote ourselves holds none.

    Args:
        body: as the server has it.
        own_address: of the mailbox.
    """
    letter = Letter(parse(body), own_address.lower(), body)
    if letter.is_ours:
        return
    report = report_in(letter.mail, letter.writer)
    if report is not None:
        yield from _facts_of(report, letter)
    if report is None or report.kind in LEVELS:
        yield letter.incoming(report)


@dataclass
class Letter:
    """A mail that came to a mailbox of ours."""

    mail: Mail
    own_address: str
    body: bytes

    @property
    def headers(self) -> Headers:
        """Of the whole mail."""
        return self.mail.headers

    @cached_property
    def writer(self) -> Person | None:
        """Who it is from.

        Forms on web pages write in the name of the mailbox that they write to, and say behind
        "Reply-To" who has filled them in.
        """
        writer = self.headers.writer()
        if writer is None or writer.address != self.own_address:
            return writer
        people = self.headers.people("Reply-To")
        return next((each for each in people if not self._is_own(each.address)), writer)

    @property
    def is_ours(self) -> bool:
        """Whether we wrote it: a copy to ourselves, or what a colleague sent with another
        program."""
        return self.writer is not None and self.writer.address == self.own_address

    @cached_property
    def message_ids(self) -> list[str]:
        """Its own Message-ID, if it has one."""
        return MESSAGE_ID.findall(self.headers.raw("Message-ID"))[:1]

    @cached_property
    def answered(self) -> list[str]:
        """The Message-IDs that it answers, the nearest first."""
        nearest = MESSAGE_ID.findall(self.headers.raw("In-Reply-To"))
        thread = MESSAGE_ID.findall(self.headers.raw("References"))
        return list(dict.fromkeys([*nearest[:1], *reversed(thread)]))[:MOST_ANSWERED]

    @cached_property
    def conversation_id(self) -> UUID | None:
        """The conversation that the address names, by which it came."""
        named = (conversation_of(each.address) for each in self.headers.people(*RECIPIENTS))
        return next((found for found in named if found), None)

    @property
    def answers_us(self) -> bool:
        """Whether it names a message or a conversation of ours."""
        return bool(self.conversation_id) or any(map(own_message, self.answered))

    @property
    def vendor_id(self) -> str:
        """By its Message-ID; without one by what does not change on the way."""
        if self.message_ids:
            return vendor_id_of(self.message_ids[0])
        told = [self.headers.raw(name) for name in ("Date", "From", "Subject")]
        digest = sha256("\n".join([*told, self.mail.text]).encode("utf-8", "replace"))
        return vendor_id_of(digest.hexdigest())

    @property
    def references(self) -> str:
        """What an answer to it refers to: its thread and itself."""
        thread = MESSAGE_ID.findall(self.headers.raw("References"))
        thread = thread or MESSAGE_ID.findall(self.headers.raw("In-Reply-To"))[:1]
        return " ".join(shortened([*thread, *self.message_ids]))

    def incoming(self, report: ServerReport | None) -> Incoming:
        """The message that it is."""
        automatic = self._automatic(report)
        text, quoted = part_quote(self.mail.text)
        received = self.headers.date()
        is_away = automatic == Automatic.OUT_OF_OFFICE
        return Incoming(
            vendor_id=self.vendor_id,
            sender=self._sender(),
            received_at=received,
            subject=self.headers.text("Subject"),
            text=text,
            quoted=quoted,
            html=self.mail.html,
            automatic=automatic,
            conversation_id=self.conversation_id,
            answers=tuple(map(vendor_id_of, self._answers(report))),
            references=self.references,
            cc=self._copies(),
            files=self._files(),
            details=self._details(),
            returns_at=return_of(text, received or datetime.now(UTC)) if is_away else None,
            booking=booking_of(self.mail),
        )

    def _automatic(self, report: ServerReport | None) -> str:
        if report is not None:
            return LEVELS[report.kind]
        return automatic_of(self.mail, self.writer, answers_us=self.answers_us)

    def _answers(self, report: ServerReport | None) -> list[str]:
        return [*(report.message_ids if report else ()), *self.answered]

    def _sender(self) -> Sender:
        writer = self.writer or Person("mailer-daemon")
        is_address = "@" in writer.address
        address = writer.address if is_address else ""
        return Sender(external_id=writer.address, address=address, name=writer.name)

    def _copies(self) -> tuple[str, ...]:
        """Who else got it: what an answer to all goes to."""
        people = (person.address for person in self.headers.people("To", "Cc"))
        return tuple(
            address for address in people if len(address) <= 254 and not self._is_own(address)
        )

    def _is_own(self, address: str) -> bool:
        """Whether it is the mailbox's, or one of its plus addresses."""
        name, _at, domain = self.own_address.rpartition("@")
        return address.endswith(f"@{domain}") and address.startswith((f"{name}+", f"{name}@"))

    def _files(self) -> tuple[File, ...]:
        if LEFT_OUT not in self.headers:
            return self.mail.files
        reason = _("The mail is larger than 25 MB: only its head was fetched.")
        size = int(self.headers.token(LEFT_OUT)) if self.headers.token(LEFT_OUT).isdigit() else 0
        return (File(name="mail.eml", content_type="message/rfc822", size=size, reason=reason),)

    def _details(self) -> dict[str, Any]:
        replies = self.headers.people("Reply-To")
        details = {"reply_to": replies[0].address} if replies else {}
        return details | ({"invitation": told} if (told := entry_of(self.mail)) else {})


def _facts_of(report: ServerReport, letter: Letter) -> Iterator[Fact]:
    if report.kind == "complaint":
        yield _complaint(report, letter)
    if report.kind not in STATUSES:
        return
    for failure in report.failures or (None,):
        yield _report(report, failure, letter)


def _complaint(report: ServerReport, letter: Letter) -> OptOut:
    ids, own = report.message_ids, _own(report)[0]
    proof = {
        "subject": letter.headers.text("Subject"),
        "vendor_id": vendor_id_of(ids[0]) if ids else "",
        "message_id": str(own) if own else "",
    }
    sender = Sender(external_id=report.complainer, address=report.complainer)
    return OptOut(sender=sender, source="complaint", at=letter.headers.date(), proof=proof)


def _own(report: ServerReport) -> tuple[UUID | None, int]:
    """Our message that a report names, and which try."""
    told = map(own_message, [report.own, *report.message_ids])
    return next(filter(None, told), (None, 0))


def _report(report: ServerReport, failure: Failure | None, letter: Letter) -> Report:
    ids, own = report.message_ids, _own(report)
    return Report(
        status=STATUSES[report.kind],
        vendor_id=vendor_id_of(ids[0]) if ids else "",
        message_id=own[0],
        attempt=own[1],
        at=letter.headers.date(),
        reason=failure.reason if failure else " ".join(letter.mail.text[:LONGEST_REASON].split()),
        bounced=failure.address if failure and failure.is_address else "",
        hard=bool(failure and failure.is_gone),
    )
