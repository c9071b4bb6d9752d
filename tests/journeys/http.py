"""A browser without a screen, and a program with an API key, over real HTTP."""

import json
import urllib.error
import urllib.parse
import urllib.request
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from typing import Any

# Seconds that a person or a program waits for an answer before it counts as missing.
PATIENCE = 30.0


class Form(HTMLParser):
    """The values that a page's forms hold before anybody fills them in."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._select = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note inputs with their values, and of options the chosen one, else the first."""
        given = {name: value or "" for name, value in attrs}
        if tag == "select":
            self._select = given.get("name", "")
        elif tag == "option" and (self._select not in self.values or "selected" in given):
            self.values[self._select] = given.get("value", "")
        elif tag == "input" and "name" in given:
            self.values[given["name"]] = given.get("value", "")


class Person:
    """Somebody who fills in forms."""

    def __init__(self, address: str) -> None:
        self.address = address
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        self._opener = urllib.request.build_opener(cookies)
        self._opener.addheaders = [("Referer", address)]

    def open(
        self, path: str, data: bytes | None = None, patience: float = PATIENCE
    ) -> tuple[str, str]:
        """Open a page; returns the address where that led, and its text."""
        try:
            with self._opener.open(self.address + path, data, timeout=patience) as response:
                return response.url, response.read().decode()
        except urllib.error.HTTPError as refusal:
            raise AssertionError(f"{path}: {refusal}\n{refusal.read().decode()}") from None

    def submit(self, path: str, patience: float = PATIENCE, **fields: str) -> tuple[str, str]:
        """Open a page with a form, fill it in and send it."""
        form = {**Form(self.open(path)[1]).values, **fields}
        return self.open(path, urllib.parse.urlencode(form).encode(), patience)

    def log_in(self, email: str, password: str) -> str:
        """Log in; returns the address of the page that follows."""
        return self.submit("/login", username=email, password=password)[0]


class Program:
    """A program with an API key."""

    def __init__(self, address: str, key: str) -> None:
        self.address = address
        self._headers = {"Authorization": f"Api-Key {key}", "Content-Type": "application/json"}

    def get(self, path: str) -> Any:
        """The JSON at `path`."""
        return self._ask(path, None)

    def post(self, path: str, body: Any, **headers: str) -> Any:
        """The JSON that answers `body`."""
        return self._ask(path, json.dumps(body).encode(), headers)

    def _ask(self, path: str, body: bytes | None, headers: dict[str, str] | None = None) -> Any:
        given = {**self._headers, **(headers or {})}
        request = urllib.request.Request(self.address + path, body, given)
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return json.load(response)
