"""An endpoint for chat completions on this machine, over bare sockets: well-behaved, unless told.

`test_openai_package.py` holds it honest: the client that OpenAI wrote talks to it and reads its
errors.
"""

import json
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

KEY = "sk-canary-7Hq2ZkX9vB4nW1"
MODEL = "gpt-4o-mini"
USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 5,
    "total_tokens": 35,
    "prompt_tokens_details": {"cached_tokens": 10},
    "completion_tokens_details": {"reasoning_tokens": 0},
}
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 429: "Too Many Requests"}


@dataclass
class Asked:
    """A request as it came."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]


@dataclass
class Peer:
    """The other end of a connection, with what it asked."""

    socket: socket.socket
    asked: Asked
    released: threading.Event

    def send(self, *pieces: bytes) -> None:
        """Send bytes as they are."""
        for piece in pieces:
            self.socket.sendall(piece)

    def head(self, status: int = 200, **headers: str) -> None:
        """Begin an answer."""
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Whatever')}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send("\r\n".join([*lines, "", ""]).encode())

    def answer(self, body: object, status: int = 200, **headers: str) -> None:
        """A whole answer: JSON, or bytes of another type."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers.setdefault("Content_Type", "application/json")
        self.head(status, Content_Length=str(len(data)), **headers)
        self.send(data)

    def begin_stream(self) -> None:
        """Begin a stream in chunks."""
        self.head(Content_Type="text/event-stream; charset=utf-8", Transfer_Encoding="chunked")

    def chunk(self, data: bytes) -> None:
        """A chunk of it."""
        self.send(f"{len(data):x}\r\n".encode(), data, b"\r\n")

    def event(self, told: object) -> None:
        """An event of it."""
        self.chunk(event(told))

    def end_stream(self, *, done: bool = True) -> None:
        """End it as it should be."""
        if done:
            self.event("[DONE]")
        self.send(b"0\r\n\r\n")

    def stream(self, *events: object, done: bool = True) -> None:
        """A whole stream."""
        self.begin_stream()
        for each in events:
            self.event(each)
        self.end_stream(done=done)

    def wait(self) -> None:
        """Say nothing more until the test is over."""
        self.released.wait(60)


Step = Callable[[Peer], None]


@dataclass
class Server:
    """The endpoint.

    Attributes:
        script: what comes of the next requests, one each; then all goes well again.
        asked: all requests.
    """

    port: int = 0
    script: deque[Step] = field(default_factory=deque)
    asked: list[Asked] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    text: str = "Guten Tag, gerne."
    host: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        """Its base address."""
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://{self.host}:{self.port}/v1"

    def then(self, *steps: Step) -> None:
        """What comes of the next requests."""
        self.script.extend(steps)

    def then_stream(self, *events: object, done: bool = True) -> None:
        """Stream these events to the next request."""
        self.then(lambda peer: peer.stream(*events, done=done))

    def then_answer(self, body: object, status: int = 200, **headers: str) -> None:
        """Answer the next request."""
        self.then(lambda peer: peer.answer(body, status, **headers))

    def then_refuse(self, status: int, error: object, **headers: str) -> None:
        """Answer the next request with an error."""
        self.then_answer({"error": error}, status, **headers)

    def serve(self, connection: socket.socket) -> None:
        """Serve one connection, which ends with its answer."""
        with connection, suppress(OSError):
            if self.tls is None:
                self._talk(connection)
            else:
                with self.tls.wrap_socket(connection, server_side=True) as secured:
                    self._talk(secured)

    def _talk(self, connection: socket.socket) -> None:
        asked = _read(connection)
        if asked is None:
            return
        self.asked.append(asked)
        step = self.script.popleft() if self.script else self.behave
        step(Peer(connection, asked, self.released))

    def behave(self, peer: Peer) -> None:
        """Answer as OpenAI does."""
        body = peer.asked.body
        if peer.asked.headers.get("authorization") != f"Bearer {KEY}":
            error = {"message": "Incorrect API key provided", "type": "invalid_request_error",
                     "param": None, "code": "invalid_api_key"}  # fmt: skip
            peer.answer({"error": error}, 401)
        elif not body.get("messages") or not body.get("model"):
            error = {"message": "you must provide a model parameter", "param": "model",
                     "type": "invalid_request_error", "code": None}  # fmt: skip
            peer.answer({"error": error}, 400)
        elif body.get("stream"):
            usage = (body.get("stream_options") or {}).get("include_usage")
            words = [chunk(word) for word in split(self.text)]
            last = [{**chunk(), "choices": [], "usage": USAGE}] if usage else []
            peer.stream(chunk("", role="assistant"), *words, chunk(finish="stop"), *last)
        else:
            peer.answer(whole(self.text))


def split(text: str) -> list[str]:
    """A text in small pieces."""
    return [text[at : at + 6] for at in range(0, len(text), 6)]


def event(told: object) -> bytes:
    """A server-sent event."""
    data = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
    return f"data: {data}\n\n".encode()


def chunk(
    content: str | None = None, *, finish: str | None = None, role: str | None = None, **more: Any
) -> dict[str, Any]:
    """A part of a streamed completion."""
    delta: dict[str, Any] = {} if content is None else {"content": content}
    delta |= {"role": role} if role else {}
    delta |= more
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL,
            "choices": [choice]}  # fmt: skip


def whole(
    content: str | None, *, finish: str | None = "stop", usage: object = USAGE, **more: Any
) -> dict[str, Any]:
    """A completion in one piece."""
    message = {"role": "assistant", "content": content, "refusal": None} | more
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL,
            "choices": [choice], "usage": usage}  # fmt: skip


def usage_chunk(usage: object) -> dict[str, Any]:
    """The part that counts tokens."""
    return {**chunk(), "choices": [], "usage": usage}


@contextmanager
def serving() -> Iterator[Server]:
    """A server that runs."""
    server = Server()
    listener = socket.create_server(("127.0.0.1", 0))
    server.port = listener.getsockname()[1]
    threads: list[threading.Thread] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _address = listener.accept()
                thread = threading.Thread(target=server.serve, args=(connection,), daemon=True)
                threads.append(thread)
                thread.start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield server
    finally:
        server.released.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in [accepting, *threads]:
            thread.join(10)


def _read(connection: socket.socket) -> Asked | None:
    """A request, whole; None: it broke off."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _gap, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    while len(body) < int(headers.get("content-length", "0")):
        piece = connection.recv(65536)
        if not piece:
            return None
        body += piece
    return Asked(first.split(" ")[1], headers, json.loads(body or b"{}"))


def messages(text: str = "Hallo") -> Sequence[Any]:
    """A short prompt."""
    return [{"role": "system", "content": "Answer."}, {"role": "user", "content": text}]
