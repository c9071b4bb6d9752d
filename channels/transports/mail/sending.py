"""Handing a mail to a server, step by step: what fails before the mail's end was written was not
sent, what breaks after it may have been, and only the steps apart tell one from the other.

Source: RFC 5321, 4.2.5: a server owns a mail once it has said 250 to the dot that ends it.
"""

import contextlib
import re
import smtplib
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.message import EmailMessage

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels.transports.interface import AccountRefused, TransportError
from channels.transports.mail.building import ascii_address
from channels.transports.mail.charsets import storable
from channels.transports.mail.refusals import status_in, tells_gone
from channels.transports.mail.settings import MailSettings, Security

# Seconds for each step, and for the server's last word, which may take long: it scans the mail.
STEP, LAST_WORD = 15.0, 45.0
# And for the mail itself, which goes in pieces of so many bytes, each a step.
CONTENT, PIECE = 60.0, 256 * 1024
# And for the answer to "QUIT", which changes nothing any more.
GOODBYE = 2.0
TOO_LARGE = 552
CRLF = b"\r\n"
DOT_AT_START = re.compile(rb"(?m)^\.")


def send_mail(
    settings: MailSettings,
    mail: EmailMessage,
    sender: str,
    recipients: Sequence[str],
    *,
    last_word: float = LAST_WORD,
) -> None:
    """Hand a mail to the account's server.

    Args:
        recipients: the lead first; what is said of the others says nothing of the lead.
        last_word: seconds within which the server has to say that it took the mail.

    Raises:
        TransportError: it was not taken over, or nobody knows.
    """
    content = mail.as_bytes()
    with connected(settings) as server:
        _name_people(server, sender, recipients)
        _write(server, content, last_word)


@contextmanager
def connected(settings: MailSettings) -> Iterator[smtplib.SMTP]:
    """A server that knows who we are, ready for a mail.

    Raises:
        TransportError: there is none, or it refuses the account.
    """
    with _before_the_mail():
        server = _open(settings)
    try:
        with _before_the_mail():
            _introduce(server, settings)
        yield server
    finally:
        with contextlib.suppress(smtplib.SMTPException, OSError):
            if server.sock:
                server.sock.settimeout(GOODBYE)
            server.quit()
        server.close()


def _open(settings: MailSettings) -> smtplib.SMTP:
    host, port = settings.smtp_host, settings.smtp_port
    if settings.smtp_security == Security.TLS:
        return smtplib.SMTP_SSL(host, port, timeout=STEP, context=ssl.create_default_context())
    return smtplib.SMTP(host, port, timeout=STEP)


def _introduce(server: smtplib.SMTP, settings: MailSettings) -> None:
    server.ehlo_or_helo_if_needed()
    if settings.smtp_security == Security.STARTTLS:
        server.starttls(context=ssl.create_default_context())
        server.ehlo()
    if settings.smtp_user:
        _log_in(server, settings.smtp_user, settings.smtp_password.get_secret_value())


def _log_in(server: smtplib.SMTP, user: str, password: str) -> None:
    if user.isascii() and password.isascii():
        server.login(user, password)
        return
    # The library knows no other letters. Source: RFC 4616, 2: in PLAIN they are UTF-8.
    token = b64encode(f"\0{user}\0{password}".encode()).decode()
    code, answer = server.docmd("AUTH", f"PLAIN {token}")
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, answer)


@contextmanager
def _before_the_mail() -> Iterator[None]:
    """Whatever happens in here, nothing was sent."""
    try:
        yield
    except TransportError:
        raise
    except smtplib.SMTPNotSupportedError as error:
        reason = _("The mail server does not offer what the account asks for: {said}")
        raise AccountRefused(format_lazy(reason, said=str(error))) from error
    except smtplib.SMTPAuthenticationError as error:
        raise _of_login(error) from error
    except smtplib.SMTPResponseException as error:
        reason = _("The mail server does not let us in: {said}")
        said = _said(error.smtp_code, error.smtp_error)
        raise TransportError(format_lazy(reason, said=said)) from error
    except ssl.SSLCertVerificationError as error:
        reason = _("The mail server's certificate is not valid: {said}")
        raise AccountRefused(format_lazy(reason, said=error.verify_message)) from error
    except socket.gaierror as error:
        raise TransportError(_("The mail server's name leads to no server.")) from error
    except (OSError, smtplib.SMTPException) as error:
        reason = _("The mail server cannot be reached: {said}")
        raise TransportError(format_lazy(reason, said=str(error) or "timeout")) from error


def _of_login(error: smtplib.SMTPAuthenticationError) -> TransportError:
    said = _said(error.smtp_code, error.smtp_error)
    if error.smtp_code < 500:
        reason = _("The mail server cannot check the password just now: {said}")
        return TransportError(format_lazy(reason, said=said))
    return AccountRefused(
        format_lazy(_("The mail server refuses user or password: {said}"), said=said)
    )


def _name_people(server: smtplib.SMTP, sender: str, recipients: Sequence[str]) -> None:
    """Tell who writes, and to whom: nothing is sent unless the server takes all of them."""
    plain = plain_addresses([sender, *recipients])
    with _before_the_mail():
        code, answer = server.mail(plain[0])
    if code != 250:
        raise _of_sender(code, answer)
    for given, address in zip(recipients, plain[1:], strict=True):
        with _before_the_mail():
            code, answer = server.rcpt(address)
        if code not in (250, 251):
            raise _of_recipient(code, answer, given, is_copy=given != recipients[0])


def plain_addresses(addresses: Sequence[str]) -> list[str]:
    """The addresses as every server takes them.

    Raises:
        TransportError: permanent, of one that has no such form.
    """
    return list(map(_in_ascii, addresses))


def _in_ascii(address: str) -> str:
    plain = ascii_address(address)
    if not plain.isascii():
        reason = _("No mail can go to {address}: few servers know the letters before its “@”.")
        raise TransportError(format_lazy(reason, address=address), permanent=True, at_fault=False)
    return plain


def _of_sender(code: int, answer: bytes) -> TransportError:
    said = _said(code, answer)
    if code < 500:
        reason = _("The mail server takes no mail just now: {said}")
        return TransportError(format_lazy(reason, said=said))
    if code == TOO_LARGE:
        return TransportError(
            format_lazy(_("The mail is refused: {said}"), said=said), permanent=True
        )
    return AccountRefused(
        format_lazy(_("The mail server does not let us send from this address: {said}"), said=said)
    )


def _of_recipient(code: int, answer: bytes, address: str, *, is_copy: bool) -> TransportError:
    said = _said(code, answer)
    reason: str | Promise = format_lazy(
        _("{address} is refused: {said}"), address=address, said=said
    )
    if code < 500:
        # Greylisting and full mailboxes: the server is well.
        return TransportError(reason, at_fault=code == 421)
    gone = not is_copy and tells_gone(status_in(said), code, said)
    return TransportError(reason, permanent=True, bounced=gone)


def _write(server: smtplib.SMTP, content: bytes, last_word: float) -> None:
    with _before_the_mail():
        code, answer = server.docmd("DATA")
        if code == 354:
            send_content(server, _stuffed(content))
    if code != 354:
        raise _of_content(code, answer)
    try:
        if server.sock:
            server.sock.settimeout(last_word)
        server.send(b"." + CRLF)
        code, answer = server.getreply()
    except (OSError, smtplib.SMTPException) as error:
        reason = _("The mail was handed over, and the server did not say whether it took it.")
        raise TransportError(reason, unknown=True, at_fault=True) from error
    if code != 250:
        raise _of_content(code, answer)


def send_content(server: smtplib.SMTP, content: bytes) -> None:
    """Write a mail piece by piece: a socket's time limit holds for all of what it is given at once,
    and a mail with files takes a slow line longer than a step.

    Raises:
        TimeoutError: it takes too long; its end was not written.
    """
    ends_at = time.monotonic() + CONTENT
    for start in range(0, len(content), PIECE):
        if time.monotonic() > ends_at:
            raise TimeoutError("it takes the mail too slowly")
        server.send(content[start : start + PIECE])


def _of_content(code: int, answer: bytes) -> TransportError:
    said = _said(code, answer)
    if code < 500:
        reason = _("The mail server does not take the mail just now: {said}")
        return TransportError(format_lazy(reason, said=said))
    reason = _("The mail is refused: {said}")
    status = status_in(said)
    # Without a status it is the mail that is refused, after its recipients were not.
    is_address = bool(status and not status.is_vague) and tells_gone(status, code, said)
    return TransportError(format_lazy(reason, said=said), permanent=True, bounced=is_address)


def _stuffed(content: bytes) -> bytes:
    """As RFC 5321, 4.5.2, wants it: a dot more where a line begins with one."""
    ended = content if content.endswith(CRLF) else content + CRLF
    return DOT_AT_START.sub(b"..", ended)


def _said(code: int, answer: bytes | str) -> str:
    text = answer if isinstance(answer, str) else answer.decode("utf-8", "replace")
    return storable(f"{code} {' '.join(text.split())}")[:500]
