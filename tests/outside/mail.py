"""A mail server: takes every mail, keeps it, and refuses an address when it is told to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any


@dataclass
class MailServer:
    """What the server knows.

    Attributes:
        mails: those that it took, in their order.
        recipients: of each of them.
        refused: addresses that it does not know.
    """

    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    port: int = 0

    @contextmanager
    def serving(self) -> Iterator["MailServer"]:
        """Listen on a port of its own for the length of the block."""
        with Listener(("127.0.0.1", 0), Dialogue) as listener:
            listener.mail_server = self
            self.port = listener.server_address[1]
            thread = threading.Thread(target=listener.serve_forever, args=[0.05])
            thread.start()
            try:
                yield self
            finally:
                listener.shutdown()
                thread.join()


class Listener(ThreadingTCPServer):
    """The socket of a mail server."""

    mail_server: MailServer


class Dialogue(StreamRequestHandler):
    """One connection. Source: RFC 5321."""

    server: Any
    recipients: list[str]

    def handle(self) -> None:
        """Greet, and answer line by line."""
        self._say("220 outside.example.com")
        for line in self.rfile:
            text = line.decode()
            verb = text[:4].upper()
            if verb == "QUIT":
                self._say("221 bye")
                return
            if verb == "DATA":
                self._take()
            else:
                self._say(self._envelope(verb, text))

    def _envelope(self, verb: str, text: str) -> str:
        if verb == "MAIL":
            self.recipients = []
        if verb == "RCPT":
            address = text[text.index("<") + 1 : text.index(">")]
            if address in self.server.mail_server.refused:
                return "550 unknown"
            self.recipients.append(address)
        return "250 ok"

    def _take(self) -> None:
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        mail = message_from_bytes(b"".join(lines), policy=default)
        assert isinstance(mail, EmailMessage)
        self.server.mail_server.mails.append(mail)
        self.server.mail_server.recipients.append(self.recipients)
        self._say("250 taken")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())
