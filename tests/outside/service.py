"""The service: counts who calls it under which key, and answers when it is told to."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Seconds that a slow answer takes.
SLOW = 1.5


class Service:
    """What the server knows of its callers.

    Attributes:
        calls: idempotency key → how often it was called.
        running: path → how many calls of it run now.
        most_at_once: path → the most calls of it that ever ran at the same time.
        released: set to answer those who were held.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.running: Counter[str] = Counter()
        self.most_at_once: Counter[str] = Counter()
        self.released = threading.Event()
        self.address = ""
        self._lock = threading.Lock()

    @contextmanager
    def serving(self) -> Iterator["Service"]:
        """Listen on a port of its own for the length of the block."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._request_handler())
        self.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        try:
            yield self
        finally:
            self.released.set()
            server.shutdown()
            server.server_close()
            thread.join()

    def answer(self, path: str, key: str) -> None:
        """Take as long as the path asks for."""
        with self._lock:
            self.calls[key] += 1
            first = self.calls[key] == 1
            self.running[path] += 1
            self.most_at_once[path] = max(self.most_at_once[path], self.running[path])
        if path == "/hold-first" and first:
            self.released.wait(60)
        if path == "/slow":
            threading.Event().wait(SLOW)
        with self._lock:
            self.running[path] -= 1

    def _request_handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.answer(self.path, self.headers["Idempotency-Key"])
                try:
                    self.send_response(204)
                    self.end_headers()
                except OSError:
                    return  # the caller was killed meanwhile

            def log_message(self, *_arguments: Any) -> None:
                return

        return Answer
