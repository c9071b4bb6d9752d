"""What servers answer, and what follows from it."""

import contextlib
import email
import smtplib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from channels.models import Account
from channels.transports import AccountRefused, File, TransportError
from channels.transports.mail import MailTransport
from channels.transports.mail.building import build_mail
from channels.transports.mail.sending import PIECE, connected, send_content, send_mail
from salesflow.accounts.models import Tenant
from tests.channels.mail.factories import OURS, mail_settings, make_outgoing
from tests.channels.mail.servers import PASSWORD, Script, only_with, smtp_server
from tests.journeys.processes import free_port


def mail(**fields: Any) -> EmailMessage:
    """A mail to Ann."""
    account = Account(address=OURS, name="Sales", tenant=Tenant(language="en"))
    return build_mail(account, mail_settings(), make_outgoing(**fields))


def send(port: int, *recipients: str, body: str = "Hi", **settings: Any) -> None:
    """Send a mail to Ann, and to others."""
    given = mail_settings(smtp_port=port, **settings)
    people = recipients or ("ann@example.com",)
    send_mail(given, mail(body=body), OURS, people, last_word=0.5)


def error_of(script: Script, *recipients: str, **settings: Any) -> TransportError:
    """What sending raises; nothing was taken over."""
    with smtp_server(script) as port, pytest.raises(TransportError) as caught:
        send(port, *recipients, **settings)
    assert script.received == []
    return caught.value


def verdict(error: TransportError) -> str:
    """What follows from an error, in one word."""
    if isinstance(error, AccountRefused):
        return "account"
    if error.unknown:
        return "unknown"
    return "never" if error.permanent else "later"


def test_mail_arrives_byte_for_byte_at_everybody() -> None:
    script = Script()
    body = ".\n..dots\n.end\n" + "ü" * 300
    with smtp_server(script) as port:
        send(port, "ann@example.com", "bob@example.com", body=body)
    [(sender, recipients, content)] = script.received
    assert (sender, recipients) == (OURS, ["ann@example.com", "bob@example.com"])
    sent = mail(body=body).as_bytes()
    assert content.split(b"\r\n\r\n", 1)[1] == sent.split(b"\r\n\r\n", 1)[1]


@pytest.mark.parametrize(
    ("answers", "expected", "words"),
    [
        ({"mail": "451 4.7.1 greylisted"}, "later", "greylisted"),
        ({"mail": "550 5.7.1 not your address"}, "account", "not your address"),
        ({"mail": "552 5.3.4 too large"}, "never", "too large"),
        ({"rcpt": "450 4.2.0 greylisted"}, "later", "greylisted"),
        ({"rcpt": "452 4.2.2 mailbox full"}, "later", "mailbox full"),
        ({"rcpt": "550 5.1.1 no such user"}, "never", "no such user"),
        ({"rcpt": "554 5.7.1 relay denied"}, "never", "relay denied"),
        ({"data": "451 4.3.0 disk full"}, "later", "disk full"),
        ({"data": "554 5.7.1 looks like spam"}, "never", "looks like spam"),
        # Nothing was handed over yet.
        ({"ehlo": "drop"}, "later", ""),
        ({"mail": "drop"}, "later", ""),
        ({"rcpt": "drop"}, "later", ""),
        # The dot was written: the mail may have arrived.
        ({"data": "drop"}, "unknown", "did not say"),
        ({"data": "hang"}, "unknown", "did not say"),
    ],
)
def test_what_follows_from_an_answer(answers: dict[str, str], expected: str, words: str) -> None:
    error = error_of(Script(**answers))
    assert verdict(error) == expected
    assert words in str(error.reason)


@pytest.mark.parametrize(
    ("answer", "is_gone"),
    [
        ("550 5.1.1 no such user", True),
        ("550 no such user", True),
        ("553 sorry, not here", True),
        ("550 5.2.1 mailbox disabled", True),
        ("550 5.2.2 over quota", False),
        ("550 5.7.1 blocked by policy", False),
        ("550 5.1.8 bad outbound sender", False),
        ("550 5.1.0 sender rejected", False),
        ("550 rejected as spam", False),
        ("550 blocked, see http://example.com/192.5.2.1", False),
        ("554 your server 192.5.1.1 is not welcome", False),
        ("550 5.4.1 Recipient address rejected: Access denied", True),
        ("550 5.1.0 no such address", True),
        ("554 5.7.1 relay denied", False),
        ("450 4.1.1 no such user yet", False),
    ],
)
def test_only_what_says_so_marks_the_address(answer: str, is_gone: bool) -> None:
    assert error_of(Script(rcpt=answer)).bounced is is_gone


def test_refused_copy_stops_the_mail_and_names_the_address() -> None:
    error = error_of(Script(bob="550 5.1.1 no such user"), "ann@example.com", "bob@example.com")
    assert verdict(error) == "never"
    assert "bob@example.com" in str(error.reason)
    # Ann's address is not to blame.
    assert not error.bounced


def test_server_that_is_not_there_is_tried_again() -> None:
    with pytest.raises(TransportError) as caught:
        send(free_port())
    assert verdict(caught.value) == "later"
    assert caught.value.at_fault


def test_name_that_leads_nowhere_is_tried_again() -> None:
    with pytest.raises(TransportError) as caught:
        send(25, smtp_host="nowhere.invalid")
    assert verdict(caught.value) == "later"


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
def test_right_password_lets_us_in() -> None:
    script = Script()
    with smtp_server(script, **LOCKED) as port:
        send(port, smtp_user="ann", smtp_password=PASSWORD)
    assert len(script.received) == 1


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
@pytest.mark.parametrize("given", ["Schlüssel", "falscher Schlüssel"])
def test_password_with_other_letters_is_one_too(given: str) -> None:
    script = Script()
    locked = {**LOCKED, "authenticator": only_with("Schlüssel")}
    with smtp_server(script, **locked) as port, contextlib.suppress(AccountRefused):
        send(port, smtp_user="ann", smtp_password=given)
    assert len(script.received) == (given == "Schlüssel")


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
@pytest.mark.parametrize("given", [{"smtp_user": "ann", "smtp_password": "wrong-password"}, {}])
def test_without_the_right_password_the_account_is_stopped(given: dict[str, str]) -> None:
    with smtp_server(Script(), **LOCKED) as port, pytest.raises(AccountRefused) as caught:
        send(port, **given)
    assert "wrong-password" not in str(caught.value.reason)


def test_password_is_never_sent_where_encryption_was_asked_for_and_is_not_offered() -> None:
    script = Script()
    with smtp_server(script) as port, pytest.raises(AccountRefused) as caught:
        send(port, smtp_security="starttls", smtp_user="ann", smtp_password=PASSWORD)
    assert "STARTTLS" in str(caught.value.reason)


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_certificate_that_nobody_vouches_for_stops_the_account(
    security: str, certificate: ssl.SSLContext
) -> None:
    encrypted = {"ssl_context": certificate} if security == "tls" else {"tls_context": certificate}
    if security == "tls":
        with tls_server(certificate) as port, pytest.raises(AccountRefused) as caught:
            send(port, smtp_security=security)
    else:
        with smtp_server(Script(), **encrypted) as port, pytest.raises(AccountRefused) as caught:
            send(port, smtp_security=security)
    assert "certificate" in str(caught.value.reason)


def test_local_part_with_other_letters_is_refused_in_words() -> None:
    error = error_of(Script(), "änn@example.com")
    assert verdict(error) == "never"
    assert "änn@example.com" in str(error.reason)
    # Nor can a mail to it be written.
    account = Account(transport="mail", address=OURS, settings={"smtp_host": "127.0.0.1"})
    for given in ({"address": "änn@example.com"}, {"cc": ("änn@example.com",)}):
        with pytest.raises(TransportError) as caught:
            MailTransport().send(account, make_outgoing(**given))
        assert verdict(caught.value) == "never"


def test_check_leaves_nothing_behind() -> None:
    script = Script()
    with smtp_server(script) as port, connected(mail_settings(smtp_port=port)) as server:
        assert isinstance(server, smtplib.SMTP)
    assert script.received == []


def test_line_that_breaks_while_the_mail_is_written_is_tried_again() -> None:
    """The dot was never written: no server may deliver half a mail."""
    with half_taken() as port, pytest.raises(TransportError) as caught:
        send(port, body="x\n" * 4_000_000)
    assert verdict(caught.value) == "later"


# --- Servers that aiosmtpd cannot play ----------------------------------------------------------


LOCKED: dict[str, Any] = {
    "authenticator": only_with(PASSWORD),
    "auth_required": True,
    "auth_require_tls": False,
}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A certificate that its server has signed itself."""
    folder: Path = tmp_path_factory.mktemp("certificate")
    key, cert = folder / "key.pem", folder / "cert.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(["openssl", "req", *kind, *names, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


@contextmanager
def listening(serve: Any) -> Iterator[int]:
    """The port of a server that answers one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join(20)


@contextmanager
def tls_server(context: ssl.SSLContext) -> Iterator[int]:
    """A server that speaks TLS from the first byte on."""

    def serve(listener: socket.socket) -> None:
        line, _address = listener.accept()
        with line, contextlib.suppress(OSError):
            context.wrap_socket(line, server_side=True).recv(1)

    with listening(serve) as port:
        yield port


@contextmanager
def half_taken() -> Iterator[int]:
    """A server that goes away while it reads a mail."""

    def serve(listener: socket.socket) -> None:
        line, _address = listener.accept()
        with line, line.makefile("rwb", buffering=0) as stream:
            stream.write(b"220 hello\r\n")
            while not stream.readline().upper().startswith(b"DATA"):
                stream.write(b"250 OK\r\n")
            stream.write(b"354 go on\r\n")
            stream.read(1000)

    with listening(serve) as port:
        yield port


class Line(smtplib.SMTP):
    """A line that keeps what it is given, piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def send(self, s: Any) -> None:
        """Keep it."""
        self.pieces.append(s)


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1, 5 * PIECE])
def test_large_mail_goes_in_pieces_that_have_a_time_limit_each(size: int) -> None:
    content, line = b"x" * size, Line()
    send_content(line, content)
    assert b"".join(line.pieces) == content
    assert all(len(piece) <= PIECE for piece in line.pieces)


def test_large_mail_arrives_byte_for_byte() -> None:
    script = Script()
    file = File("a.bin", "application/octet-stream", bytes(range(256)) * 8000)
    with smtp_server(script) as port:
        given = mail_settings(smtp_port=port)
        send_mail(given, mail(files=(file,)), OURS, ["ann@example.com"])
    [(_sender, _recipients, content)] = script.received
    [part] = email.message_from_bytes(content, policy=policy.default).iter_attachments()
    assert part.get_payload(decode=True) == file.data
