"""A mailbox on an IMAP server.

Mails are fetched as bytes: the library's own decoding leaves out what it cannot read.
"""

import contextlib
import imaplib
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from imap_tools import AND, BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
from imap_tools.errors import ImapToolsError, MailboxFolderSelectError, MailboxLoginError

from channels.transports.interface import AccountRefused, TransportError
from channels.transports.mail.charsets import storable
from channels.transports.mail.settings import MailSettings, Security

# Seconds for each answer of the server.
PATIENCE = 30.0
LARGEST_MAIL = 25 * 1024 * 1024
# Stands before the head of a mail whose body was left where it is.
LEFT_OUT = "X-SalesFlow-Left-Out"
SIZE = re.compile(rb"RFC822\.SIZE (\d+)")
# A server's words for "the password is right, come back later"; RFC 5530.
NOT_NOW = re.compile(r"\[(UNAVAILABLE|INUSE|LIMIT|SERVERBUG)\]", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """Where a folder stands: `uid_next` is what the next mail gets, as long as `validity` holds."""

    validity: int
    uid_next: int


class Mailbox:
    """One folder, logged in; its methods raise what `open_mailbox` does."""

    def __init__(self, box: BaseMailBox, folder: str) -> None:
        self.box = box
        self.folder = folder

    def place(self) -> Place:
        """See `Place`."""
        status = self.box.folder.status(self.folder, ["UIDVALIDITY", "UIDNEXT"])
        return Place(validity=status["UIDVALIDITY"], uid_next=status["UIDNEXT"])

    def uids_after(self, last: int) -> list[int]:
        """The mails that came after the one with that UID, in order."""
        # "n:*" always tells the last mail too, even where its UID is lower; RFC 3501, 6.4.8.
        found = map(int, self.box.uids(f"UID {last + 1}:*", charset=None))
        return sorted(uid for uid in found if uid > last)

    def first_since(self, day: date) -> int | None:
        """The lowest UID among the mails that came on that day or later; None: there are none."""
        found = self.box.uids(AND(date_gte=day), charset=None)
        return min(map(int, found), default=None)

    def fetch(self, uid: int) -> bytes | None:
        """A mail, unread as it was; of one that is too large its head; None: it is gone."""
        size = self._size(uid)
        if size is None or size <= LARGEST_MAIL:
            return self._part(uid, "BODY.PEEK[]")
        head = self._part(uid, "BODY.PEEK[HEADER]")
        return f"{LEFT_OUT}: {size}\r\n".encode() + head if head is not None else None

    def _size(self, uid: int) -> int | None:
        rows = self._answer(uid, "RFC822.SIZE")
        told = b" ".join(row if isinstance(row, bytes) else row[0] for row in rows)
        match = SIZE.search(told)
        return int(match[1]) if match else None

    def _part(self, uid: int, part: str) -> bytes | None:
        rows = self._answer(uid, part)
        return next((bytes(row[1]) for row in rows if isinstance(row, tuple)), None)

    def _answer(self, uid: int, part: str) -> list[bytes | tuple[bytes, bytes]]:
        status, rows = self.box.client.uid("FETCH", str(uid), f"({part})")
        if status != "OK":
            raise imaplib.IMAP4.error(f"FETCH: {status} {rows!r}"[:300])
        return [row for row in rows if row is not None]


@contextmanager
def open_mailbox(settings: MailSettings) -> Iterator[Mailbox]:
    """The account's folder; nothing in it is marked or changed.

    Raises:
        AccountRefused: the server does not let us in.
        TransportError: it does not answer, or not as it should.
    """
    with _in_words():
        box = _connect(settings)
    try:
        with _in_words():
            _log_in(box, settings)
            yield Mailbox(box, settings.imap_folder)
    finally:
        with contextlib.suppress(imaplib.IMAP4.error, ImapToolsError, OSError):
            box.logout()


def _connect(settings: MailSettings) -> BaseMailBox:
    host, port = settings.imap_host, settings.imap_port
    if settings.imap_security == Security.NONE:
        return MailBoxUnencrypted(host, port, timeout=PATIENCE)
    context = ssl.create_default_context()
    if settings.imap_security == Security.STARTTLS:
        return MailBoxStartTls(host, port, timeout=PATIENCE, ssl_context=context)
    return MailBox(host, port, timeout=PATIENCE, ssl_context=context)


def _log_in(box: BaseMailBox, settings: MailSettings) -> None:
    user, password = settings.receiver
    if user.isascii() and password.isascii():
        box.login(user, password, initial_folder=None)
    else:
        _log_in_utf8(box, user, password)
    box.folder.set(settings.imap_folder, readonly=True)


def _log_in_utf8(box: BaseMailBox, user: str, password: str) -> None:
    try:
        box.login_utf8(user, password, initial_folder=None)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as error:
        # Python's library raises a refusal by itself, as if the server had not answered.
        raise _of_login(_said(error)) from error


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except MailboxLoginError as error:
        raise _of_login(str(error)) from error
    except MailboxFolderSelectError as error:
        reason = _("The mailbox has no such folder: {said}")
        raise AccountRefused(format_lazy(reason, said=_said(error))) from error
    except ssl.SSLCertVerificationError as error:
        reason = _("The mail server's certificate is not valid: {said}")
        raise AccountRefused(format_lazy(reason, said=error.verify_message)) from error
    except (imaplib.IMAP4.error, ImapToolsError, OSError) as error:
        reason = _("The server for incoming mail does not answer: {said}")
        raise TransportError(format_lazy(reason, said=_said(error))) from error


def _of_login(said: str) -> TransportError:
    if NOT_NOW.search(said):
        reason = _("The server for incoming mail cannot let us in just now: {said}")
        return TransportError(format_lazy(reason, said=storable(said)[:300]))
    reason = _("The server for incoming mail refuses user or password: {said}")
    return AccountRefused(format_lazy(reason, said=storable(said)[:300]))


def _said(error: Exception) -> str:
    return storable(str(error) or type(error).__name__)[:300]
