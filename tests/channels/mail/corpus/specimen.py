"""A mail, and what has to be read from it."""

from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from typing import Any
from uuid import UUID

from tests.channels.mail.factories import MESSAGE, OURS

OUR_ID = f"<{MESSAGE}.1@acme.example.com>"
ANN = "Ann Archer <ann@example.com>"
DATE = "Mon, 12 May 2025 10:20:30 +0200"
# Of a report that no message comes with.
REPORT = "report"


@dataclass(frozen=True)
class Specimen:
    """A mail and its label.

    Attributes:
        kind: an `Automatic`, or `REPORT`.
        text: what its writer wrote, where that is looked at.
        answers: the Message-ID that it answers first.
        bounced: the address that a bounce names; `hard`: it does not exist.
    """

    name: str
    body: bytes
    kind: str = ""
    sender: str = "ann@example.com"
    subject: str | None = None
    text: str | None = None
    answers: str | None = None
    conversation: UUID | None = None
    bounced: str | None = None
    hard: bool | None = None
    returns: date | None = None
    files: tuple[str, ...] | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def mail(text: str | bytes, /, charset: str = "utf-8", **headers: str | list[str]) -> bytes:
    """A mail as it lies on a server; names of headers have underscores for dashes.

    From, To, Date and Message-ID have usual values; an empty value leaves a header out.
    """
    usual: dict[str, str | list[str]] = {
        "From": ANN,
        "To": f"Acme Sales <{OURS}>",
        "Subject": "Your offer",
        "Date": DATE,
        "Message_ID": f"<{_digest(text, headers)}@mail.example.com>",
        "MIME_Version": "1.0",
        "Content_Type": f"text/plain; charset={charset}",
        "Content_Transfer_Encoding": "8bit",
    }
    lines = [
        f"{name.replace('_', '-')}: {value}"
        for name, values in (usual | headers).items()
        for value in ([values] if isinstance(values, str) else values)
        if value
    ]
    head = "\n".join(lines).encode("utf-8", "surrogateescape")
    content = text if isinstance(text, bytes) else text.encode(charset)
    return (head + b"\n\n" + content).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _digest(*told: object) -> str:
    return sha256(repr(told).encode("utf-8", "replace")).hexdigest()[:24]


def part(content: str | bytes, kind: str = "text/plain; charset=utf-8", **headers: str) -> bytes:
    """One part of a mail."""
    head = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items())
    data = content if isinstance(content, bytes) else content.encode()
    return f"Content-Type: {kind}\n{head}\n".encode() + data


def multipart(*parts: bytes, kind: str = "mixed", boundary: str = "b1") -> tuple[bytes, str]:
    """The text of a mail in parts, and its Content-Type."""
    line = f"\n--{boundary}".encode()
    text = b"".join(line + b"\n" + each for each in parts) + line + b"--\n"
    return text.lstrip(b"\n"), f'multipart/{kind}; boundary="{boundary}"'


def mail_of(*parts: bytes, kind: str = "mixed", **headers: str | list[str]) -> bytes:
    """A mail in parts."""
    text, content_type = multipart(*parts, kind=kind)
    given = {"Content_Type": content_type, "Content_Transfer_Encoding": "", **headers}
    return mail(text, "utf-8", **given)
