"""A mail server that takes mails by SMTP and shows them by IMAP: PyPI's mail-devel."""

import asyncio
import imaplib
import smtplib
import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage

from tests.channels.mail.factories import OURS
from tests.journeys.processes import free_port

# It loads modules that Python is about to drop.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from mail_devel.service import Service  # type: ignore[import-untyped]

PASSWORD = "right-password"
ANN = "ann@example.com"
# The server's own libraries warn of each other, in its thread.
NOISE = "ignore::DeprecationWarning"


@dataclass(frozen=True)
class MailDevel:
    """The ports of a running server; every address has a mailbox, all have one password."""

    smtp: int
    imap: int

    def login(self, address: str = OURS) -> imaplib.IMAP4:
        """Somebody's mailbox, as a mail program has it."""
        box = imaplib.IMAP4("127.0.0.1", self.imap, timeout=20)
        box.login(address, PASSWORD)
        box.select("INBOX")
        return box

    def put(self, body: bytes, address: str = OURS) -> None:
        """Lay a mail into somebody's mailbox, byte for byte."""
        with self.login(address) as box:
            status, _told = box.append("INBOX", None, None, body)
            assert status == "OK"

    def mails(self, address: str) -> list[bytes]:
        """What lies in somebody's mailbox, the oldest first."""
        with self.login(address) as box:
            _status, [numbers] = box.search(None, "ALL")
            answers = [box.fetch(number.decode(), "(BODY.PEEK[])")[1] for number in numbers.split()]
        return [bytes(row[1]) for rows in answers for row in rows if isinstance(row, tuple)]

    def post(self, mail: EmailMessage) -> None:
        """Send a mail, as a mail program does."""
        with smtplib.SMTP("127.0.0.1", self.smtp, timeout=20) as server:
            server.send_message(mail)


@contextmanager
def mail_devel() -> Iterator[MailDevel]:
    """A running server."""
    ports = MailDevel(smtp=free_port(), imap=free_port())
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(_serve(ports, ready, stop),))
    thread.start()
    assert ready.wait(20)
    try:
        yield ports
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()


async def _serve(ports: MailDevel, ready: threading.Event, stop: asyncio.Event) -> None:
    options = ["--host", "127.0.0.1", "--no-http", "--multi-user"]
    options += ["--smtp-port", str(ports.smtp), "--imap-port", str(ports.imap)]
    # All addresses that begin with ours are ours.
    local, _at, domain = OURS.partition("@")
    options += ["--alias", f"{local}+*@{domain}:{OURS}"]
    service = await Service.init(Service.parse([*options, "--user", OURS, "--password", PASSWORD]))
    async with service.start():
        ready.set()
        await stop.wait()
    if service.smtp:
        service.smtp.stop()


@contextmanager
def refusing_proxy(
    port: int, refused: bytes = b"\0", garbled: tuple[bytes, bytes] = (b"\0", b"\0")
) -> Iterator[int]:
    """A way to a server on which commands that contain `refused` are answered with NO.

    Args:
        garbled: words of the server, and what comes through instead.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        given = (listener, port, refused, garbled)
        thread = threading.Thread(target=_pass_on, args=given, daemon=True)
        thread.start()
        yield listener.getsockname()[1]


def _pass_on(
    listener: socket.socket, port: int, refused: bytes, garbled: tuple[bytes, bytes]
) -> None:
    while True:
        try:
            near, _address = listener.accept()
        except OSError:
            return
        with near, socket.create_connection(("127.0.0.1", port)) as far:
            back = threading.Thread(target=_copy, args=(far, near, *garbled))
            back.start()
            with near.makefile("rb") as lines:
                for line in lines:
                    if refused in line:
                        near.sendall(line.split()[0] + b" NO [SERVERBUG] cannot read it\r\n")
                    else:
                        far.sendall(line)
            far.shutdown(socket.SHUT_RDWR)
            back.join(20)


def _copy(source: socket.socket, target: socket.socket, old: bytes, new: bytes) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data.replace(old, new))
    except OSError:
        return
