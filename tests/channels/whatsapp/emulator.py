"""Meta's Cloud API on this machine: takes what Meta takes, refuses what Meta refuses.

`test_pywa.py` holds it honest: a client that others wrote sends to it and reads its errors.
"""

import hashlib
import hmac
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.channels.whatsapp.calls import NUMBER_ID, SECRET, wamid

TOKEN = "EAAGm0PX4ZCpsBA"
VERSION = "/v26.0/"
# Type of a message → what its object has to hold.
NEEDED = {
    "text": {"body"},
    "template": {"name", "language"},
    "image": {"link"},
    "video": {"link"},
    "audio": {"link"},
    "document": {"link"},
    "interactive": {"type", "body", "action"},
}
KNOWN = {"messaging_product", "recipient_type", "type", "to", "recipient", "context"} | {
    "biz_opaque_callback_data",
    *NEEDED,
}
JSON = "application/json; charset=UTF-8"


class Refused(Exception):
    """The call ends with an error in Meta's words."""

    def __init__(
        self, status: int, code: int, details: str, retry_after: str = "", subcode: int = 0
    ) -> None:
        super().__init__(details)
        self.status, self.code, self.details = status, code, details
        self.retry_after, self.subcode = retry_after, subcode

    @property
    def body(self) -> dict[str, Any]:
        """As Meta writes it."""
        error = {
            "message": f"(#{self.code}) Something went wrong",
            "type": "OAuthException",
            "code": self.code,
            "error_data": {"messaging_product": "whatsapp", "details": self.details},
            "fbtrace_id": "AZ1b2C3d4E5f6",
        }
        if self.subcode:
            error["error_subcode"] = self.subcode
        return {"error": error}


@dataclass
class File:
    """What somebody has sent, as Meta keeps it."""

    data: bytes
    mime_type: str = "image/jpeg"
    sha256: str = ""
    url: str = ""
    size: int = -1


@dataclass
class Emulator:
    """What it knows, what it was asked, and what it shall do next.

    Attributes:
        templates: name → language → how many variables.
        calls: method, path and body of all calls.
        sent: the messages that it took, by their id.
        script: what comes of the next calls, one each; then all goes well again.
    """

    templates: dict[str, dict[str, int]] = field(default_factory=lambda: {"order": {"de": 1}})
    files: dict[str, File] = field(default_factory=dict)
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    script: deque[Callable[["Handler"], None]] = field(default_factory=deque)
    released: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self.port}{VERSION.rstrip('/')}"

    @property
    def posted(self) -> list[Any]:
        """The bodies of the messages that were handed over, taken or not."""
        return [body for method, _path, body in self.calls if method == "POST"]

    def refuse(self, code: int, status: int = 400, details: str = "It did not work.",
               retry_after: str = "", times: int = 1) -> None:  # fmt: skip
        """Answer the next calls with an error."""
        for _ in range(times):
            self.script.append(_refusing(Refused(status, code, details, retry_after)))

    def say(self, status: int, body: bytes, kind: str = "text/html") -> None:
        """Answer the next call with something of a gateway."""
        self.script.append(lambda handler: handler.answer(status, body, kind))

    def cut(self) -> None:
        """Take the next message, and end the connection without an answer."""

        def take(handler: "Handler") -> None:
            self.take(handler.read_json())
            handler.close_connection = True

        self.script.append(take)

    def cut_answer(self) -> None:
        """Take the next message, and end the connection in the middle of the answer."""

        def take(handler: "Handler") -> None:
            self.take(handler.read_json())
            handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"messages"')
            handler.close_connection = True

        self.script.append(take)

    def trickle(self) -> None:
        """Take the next message, and answer a byte at a time."""

        def take(handler: "Handler") -> None:
            self.take(handler.read_json())
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
            with suppress(OSError):
                while not self.released.wait(0.05):
                    handler.wfile.write(b" ")
            handler.close_connection = True

        self.script.append(take)

    def hang(self) -> None:
        """Take the next message, and say nothing until `released` is set."""

        def take(handler: "Handler") -> None:
            self.take(handler.read_json())
            self.released.wait(60)
            handler.close_connection = True

        self.script.append(take)

    def take(self, message: Any) -> dict[str, Any]:
        """Take a message over; returns Meta's answer.

        Raises:
            Refused: Meta would not take it.
        """
        self.check_message(message)
        given = message.get("to") or message.get("recipient")
        vendor_id = wamid()
        self.sent[vendor_id] = message
        known = {"wa_id": given} if "to" in message else {"user_id": given}
        return {
            "messaging_product": "whatsapp",
            "contacts": [{"input": given, **known}],
            "messages": [{"id": vendor_id, "message_status": "accepted"}],
        }

    def check_message(self, message: Any) -> None:
        """Raise what Meta says to a message that is not as it should be."""
        _require(message.get("messaging_product") == "whatsapp", "messaging_product")
        _require(set(message) <= KNOWN, f"Unexpected key {sorted(set(message) - KNOWN)}")
        recipient = message.get("to") or message.get("recipient")
        _require(isinstance(recipient, str) and recipient, "The parameter to is required.")
        if "to" in message:
            _require(recipient.lstrip("+").isdigit(), "to is no number")
        _require(len(message.get("biz_opaque_callback_data", "")) <= 512, "biz_opaque")
        kind = message.get("type", "text")
        _require(kind in NEEDED, f"type {kind}")
        content = message.get(kind) or {}
        _require(NEEDED[kind] <= set(content), f"{kind}: {sorted(NEEDED[kind] - set(content))}")
        CHECKS[kind](self, content)

    def check_template(self, template: dict[str, Any]) -> None:
        """Raise what Meta says to a template."""
        language = template["language"]["code"]
        known = self.templates.get(template["name"], {}).get(language)
        if known is None:
            raise Refused(404, 132001, f"template name ({template['name']}) does not exist")
        parts = {part["type"].lower(): part for part in template.get("components", [])}
        given = len(parts.get("body", {}).get("parameters", []))
        if given != known:
            raise Refused(400, 132000, f"number of localizable_params ({given}) does not match")


def _check_text(_emulator: Emulator, content: dict[str, Any]) -> None:
    _require(1 <= len(content["body"]) <= 4096, "text.body is 1 to 4096 characters")


def _check_link(_emulator: Emulator, content: dict[str, Any]) -> None:
    _require(content["link"].startswith("https://"), "link is not a valid URI")


def _check_buttons(_emulator: Emulator, content: dict[str, Any]) -> None:
    _require(content["type"] == "button" and content["body"].get("text"), "interactive body")
    buttons = content["action"].get("buttons", [])
    _require(1 <= len(buttons) <= 3, "Invalid buttons count. Min allowed: 1, Max allowed: 3")
    for button in buttons:
        _require(button.get("type") == "reply", "button type")
        _require(1 <= len(button["reply"]["title"]) <= 20, "Button title length invalid")
        _require(1 <= len(button["reply"]["id"]) <= 256, "Button id length invalid")
    _require(len({button["reply"]["id"] for button in buttons}) == len(buttons), "Duplicated id")


CHECKS: dict[str, Callable[[Emulator, dict[str, Any]], None]] = {
    "audio": _check_link,
    "text": _check_text,
    "template": Emulator.check_template,
    "image": _check_link,
    "video": _check_link,
    "document": _check_link,
    "interactive": _check_buttons,
}


def _require(condition: object, details: str) -> None:
    if not condition:
        raise Refused(400, 131009, details)


def _refusing(refusal: Refused) -> Callable[["Handler"], None]:
    def refuse(handler: "Handler") -> None:
        handler.read_json()
        raise refusal

    return refuse


class Handler(BaseHTTPRequestHandler):
    """One call."""

    protocol_version = "HTTP/1.1"
    emulator: Emulator

    def do_POST(self) -> None:
        """A message, or that one was read."""
        self._serve(self._take)

    def do_GET(self) -> None:
        """The number, a file's description, or a file."""
        self._serve(self._show)

    def read_json(self) -> Any:
        """The body; kept with the calls."""
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        self.emulator.calls.append((self.command, self.path, body))
        return body

    def answer(self, status: int, body: bytes, kind: str = JSON, retry_after: str = "") -> None:
        """Answer, and be ready for the next call on the same connection."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _serve(self, work: Callable[[], Any]) -> None:
        try:
            script = self.emulator.script
            if script:
                script.popleft()(self)
                return
            told = work()
        except Refused as refusal:
            body = json.dumps(refusal.body).encode()
            self.answer(refusal.status, body, retry_after=refusal.retry_after)
            return
        if isinstance(told, bytes):
            self.answer(200, told, "application/octet-stream")
        else:
            self.answer(200, json.dumps(told).encode())

    def _take(self) -> Any:
        body = self.read_json()
        self._check_token()
        if self.path != f"{VERSION}{NUMBER_ID}/messages":
            raise Refused(400, 100, "Unsupported post request.", subcode=33)
        if body.get("status") == "read":
            return {"success": True}
        return self.emulator.take(body)

    def _show(self) -> Any:
        self.read_json()
        self._check_token()
        asked = urlsplit(self.path)
        name = asked.path.rpartition("/")[2]
        if name == NUMBER_ID:
            self._check_proof(parse_qs(asked.query))
            return {"display_phone_number": "+1 555 078 3881", "id": NUMBER_ID}
        file = self.emulator.files.get(name)
        if file is None:
            raise Refused(400, 100, "Unsupported get request. Object does not exist.", subcode=33)
        return file.data if "/files/" in asked.path else self._description(name, file)

    def _description(self, name: str, file: File) -> dict[str, Any]:
        return {
            "messaging_product": "whatsapp",
            "url": file.url or f"http://127.0.0.1:{self.emulator.port}/files/{name}",
            "mime_type": file.mime_type,
            "sha256": file.sha256 or hashlib.sha256(file.data).hexdigest(),
            "file_size": file.size if file.size >= 0 else len(file.data),
            "id": name,
        }

    def _check_token(self) -> None:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refused(401, 190, "Error validating access token: Session has expired.")

    def _check_proof(self, query: dict[str, list[str]]) -> None:
        expected = hmac.new(SECRET.encode(), TOKEN.encode(), hashlib.sha256).hexdigest()
        if query.get("appsecret_proof", [expected]) != [expected]:
            raise Refused(400, 100, "Invalid appsecret_proof provided in the API argument")


@contextmanager
def running_emulator() -> Iterator[Emulator]:
    """An emulator that listens on a free port of 127.0.0.1."""
    emulator = Emulator()
    handler = type("EmulatorHandler", (Handler,), {"emulator": emulator})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        emulator.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield emulator
        finally:
            emulator.released.set()
            server.shutdown()
            thread.join()
