"""What a mail is made of: its texts and its files, within limits."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message as Part
from email.parser import BytesHeaderParser
from email.utils import unquote
from functools import cached_property, partial
from itertools import islice
from typing import Any

from django.utils.translation import gettext as _

from channels.cleaning import text_of
from channels.transports.facts import File
from channels.transports.mail.charsets import decode, storable
from channels.transports.mail.headers import Headers, decode_words

DEEPEST, MOST_PARTS = 50, 200
# Python's parser keeps each line by itself, and asks all open boundaries for each of them: a mail
# of nothing but line ends would take a gigabyte, and one with many boundaries as well hours.
MOST_BOUNDARIES, MOST_LINES, MOST_QUESTIONS = 100, 1_000_000, 20_000_000
BOUNDARY = re.compile(rb"boundary[\s*\d]{0,20}=")
HEAD_END = re.compile(rb"\r?\n\r?\n")
LONGEST_HEAD, LONGEST_BEGINNING = 500_000, 50_000
LARGEST_FILE = 15 * 1024 * 1024
LONGEST_TEXT = 1_000_000
EXTENSIONS = {"text/calendar": ".ics", "message/rfc822": ".eml", "image/jpeg": ".jpg"}
TEXTS = {"text/plain", "text/html"}
NAME = re.compile(r"name\s*=\s*\"?([^\";]+)", re.IGNORECASE)


@dataclass
class Mail:
    """A mail in parts.

    Attributes:
        root: as the parser has it.
        headers: of the whole mail.
        beginning: so much of it, as it came, as others' code is given to read.
        leaves: the parts that hold something, in order; mails inside the mail are leaves.
        is_cut: it has more parts, or deeper ones, than are looked at.
    """

    root: Part
    headers: Headers
    beginning: bytes
    leaves: list[Part] = field(default_factory=list)
    is_cut: bool = False

    @cached_property
    def plain(self) -> str:
        """The text that is meant for reading, without the HTML that says the same."""
        texts = [text for part in self._texts("text/plain") if (text := _flowing_text(part))]
        return "\n".join(texts)[:LONGEST_TEXT]

    @cached_property
    def html(self) -> str:
        """The HTML, as it came; empty where it is too long to be shown."""
        html = "\n".join(_text(part) for part in self._texts("text/html"))
        return html if len(html) <= LONGEST_TEXT else ""

    @cached_property
    def text(self) -> str:
        """The text, that of the HTML where there is no other."""
        if self.plain.strip():
            return self.plain
        html = "\n".join(_text(part) for part in self._texts("text/html"))
        return text_of(html)[:LONGEST_TEXT]

    @cached_property
    def files(self) -> tuple[File, ...]:
        """All that is no text of the mail itself."""
        found = [_file(part) for part in self.leaves if not _is_text(part)]
        if self.is_cut:
            reason = _("The mail has too many parts: not all of them are shown.")
            found.append(File(name="…", content_type="multipart/mixed", reason=reason))
        return tuple(found)

    def parts_of(self, *types: str) -> list[Part]:
        """The leaves of these types."""
        return [part for part in self.leaves if part.get_content_type() in types]

    def _texts(self, kind: str) -> list[Part]:
        return [part for part in self.leaves if _is_text(part) and _kind(part) == kind]


def parse(body: bytes) -> Mail:
    """A mail in parts; what cannot be parsed still has its head."""
    root, is_whole = _parsed(body)
    beginning = body[:LONGEST_BEGINNING]
    mail = Mail(root=root, headers=Headers(root), beginning=beginning, is_cut=not is_whole)
    for depth, part in _walk(root):
        if depth > DEEPEST or len(mail.leaves) >= MOST_PARTS:
            mail.is_cut = True
            break
        if _is_leaf(part):
            mail.leaves.append(part)
    return mail


def text_of_part(part: Part) -> str:
    """Whatever a part holds, as text."""
    if not part.is_multipart():
        return _text(part)
    # A report's groups of headers.
    groups = (_lines_of(each) for each in _inner(part))
    return storable("\n\n".join(groups))


def enclosed(part: Part) -> Part | None:
    """The mail, or the head of one, that a part holds."""
    if part.is_multipart():
        return next(_inner(part), None)
    data = _bytes(part)
    return BytesHeaderParser().parsebytes(data if _is_parsable(data) else _head(data))


def _parsed(body: bytes) -> tuple[Part, bool]:
    """The mail, or its head alone, and whether it is the whole mail."""
    if _is_parsable(body):
        try:
            return message_from_bytes(body), True
        except (RecursionError, ValueError, TypeError, LookupError):
            pass
    root = BytesHeaderParser().parsebytes(_head(body))
    del root["Content-Type"]
    return root, False


def _is_parsable(body: bytes) -> bool:
    lines = body.count(b"\n") + body.count(b"\r") - body.count(b"\r\n")
    found = islice(BOUNDARY.finditer(body.lower()), MOST_BOUNDARIES + 1)
    boundaries = sum(1 for _match in found)
    is_short = lines <= MOST_LINES and lines * boundaries <= MOST_QUESTIONS
    return is_short and boundaries <= MOST_BOUNDARIES


def _head(body: bytes) -> bytes:
    end = HEAD_END.search(body)
    return body[: end.start() if end else None][:LONGEST_HEAD] + b"\r\n\r\n"


def _inner(part: Part) -> Iterator[Part]:
    # Of a part that holds no others this would be its text, in whatever charset the mail claims.
    payload = part.get_payload() if part.is_multipart() else []
    return (each for each in payload if isinstance(each, Part))


def _walk(root: Part) -> Iterator[tuple[int, Part]]:
    waiting = [(0, root)]
    while waiting:
        depth, part = waiting.pop()
        yield depth, part
        if not _is_leaf(part):
            waiting += [(depth + 1, each) for each in reversed(list(_inner(part)))]


def _is_leaf(part: Part) -> bool:
    return not (part.is_multipart() and part.get_content_maintype() == "multipart")


def _kind(part: Part) -> str:
    # A multipart whose parts cannot be told apart is its text.
    is_broken = part.get_content_maintype() == "multipart"
    return "text/plain" if is_broken else part.get_content_type()


def _is_text(part: Part) -> bool:
    is_file = _disposition(part) == "attachment" or bool(_filename(part))
    return _kind(part) in TEXTS and not is_file


def _disposition(part: Part) -> str:
    return Headers(part).token("Content-Disposition")


def _bytes(part: Part) -> bytes:
    try:
        data: Any = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        data = None
    return data if isinstance(data, bytes) else b""


def _text(part: Part) -> str:
    return decode(_bytes(part)[: 4 * LONGEST_TEXT], _parameter(part, "charset"))


def _parameter(part: Part, name: str, header: str = "content-type") -> str:
    try:
        value = part.get_param(name, "", header=header)
    except (ValueError, LookupError, TypeError):
        return ""
    if isinstance(value, tuple):
        # RFC 2231: charset, language, and bytes that are written as letters.
        return decode(value[2].encode("raw-unicode-escape"), value[0] or "")
    return unquote(value) if isinstance(value, str) else ""


def _flowing_text(part: Part) -> str:
    text = _text(part).replace("\r\n", "\n").replace("\r", "\n")
    if _parameter(part, "format").lower() != "flowed":
        return text
    return _unfolded(text, delsp=_parameter(part, "delsp").lower() == "yes")


def _unfolded(text: str, *, delsp: bool) -> str:
    """Paragraphs on one line each; RFC 3676: a line that ends in a space goes on."""
    lines: list[str] = []
    goes_on = False
    for line in text.split("\n"):
        # A stuffed space protects "From " and ">" at the start of a line.
        bare = line[1:] if line.startswith(" ") else line
        is_plain = not line.startswith(">") and bare != "-- "
        if goes_on and is_plain:
            lines[-1] = (lines[-1][:-1] if delsp else lines[-1]) + bare
        else:
            lines.append(bare)
        goes_on = is_plain and bare.endswith(" ")
    return "\n".join(lines)


def _filename(part: Part) -> str:
    """The name of a file, however it is written: RFC 2231, RFC 2047, raw bytes."""
    raw = _parameter(part, "filename", "content-disposition") or _parameter(part, "name")
    if "\ufffd" in raw:
        headers = Headers(part)
        places = (headers.raw("Content-Disposition"), headers.raw("Content-Type"))
        raw = next((match[1] for place in places if (match := NAME.search(place))), raw)
    name = decode_words(raw).replace("\\", "/").rpartition("/")[2]
    return re.sub(r"[\x00-\x1f\x7f]+", "", name).strip()[:200]


def _file(part: Part) -> File:
    kind = part.get_content_type()
    data = _mail_bytes(part) if kind == "message/rfc822" else _content(part)
    described = partial(
        File,
        name=_filename(part) or _usual_name(part, kind),
        content_type=storable(kind),
        content_id=storable(Headers(part).raw("Content-ID").strip("<> ")),
        size=len(data) if data is not None else 0,
    )
    if data is None:
        return described(reason=_("This part of the mail cannot be read."))
    if len(data) > LARGEST_FILE:
        return described(reason=_("The file is larger than 15 MB: it is in the mailbox."))
    return described(data=data)


def _content(part: Part) -> bytes:
    if part.is_multipart():
        return text_of_part(part).encode()
    return _bytes(part)


def _mail_bytes(part: Part) -> bytes | None:
    inner = enclosed(part)
    try:
        return inner.as_bytes() if inner is not None else b""
    except Exception:  # a mail that was put together wrongly cannot always be written again
        return None


def _usual_name(part: Part, kind: str) -> str:
    inner = enclosed(part) if kind == "message/rfc822" else None
    title = Headers(inner).text("Subject")[:80] if inner is not None else ""
    word = title or {"text/calendar": "invite", "text/plain": "text"}.get(kind, "file")
    return word + EXTENSIONS.get(kind, "")


def _lines_of(part: Part) -> str:
    return "\n".join(f"{name}: {value}" for name, value in part.raw_items())
