"""A receiver of webhooks: keeps what it was sent, and answers as the path asks it to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWERS = {
    "/taken": (204, {}),
    "/moved": (302, {"Location": "/taken"}),
    "/busy": (429, {"Retry-After": "90"}),
    "/broken": (500, {}),
    "/gone": (410, {}),
}


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What the receiver knows."""

    received: list[Received] = field(default_factory=list)
    address: str = ""

    @contextmanager
    def serving(self) -> Iterator["Receiver"]:
        """Listen on a port of its own for the length of the block."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._request_handler())
        self.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _request_handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.received.append(Received(self.path, headers, body))
                status, answered = ANSWERS[self.path.partition("?")[0]]
                self.send_response(status)
                for name, value in answered.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        return Answer
