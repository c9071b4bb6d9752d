"""Calls to the Graph API, and what can be known about each when it goes wrong."""

import functools
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from django.conf import settings
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels.transports.interface import AccountRefused, TransportError
from channels.transports.whatsapp.errors import error_of, problem_of

# Seconds. The whole exchange has DEADLINE, however slowly the server talks.
TIMEOUT = httpx.Timeout(20.0, connect=5.0)
DEADLINE = 25.0
LONGEST_ANSWER = 1_000_000
# What strikes before a byte of the request has left.
NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
# Where Meta keeps the files that people send. Source: Cloud API, "Retrieve media URL".
FILE_HOSTS = (".fbsbx.com", ".fbcdn.net", ".whatsapp.net", ".facebook.com")
OK, REDIRECT, REQUEST_TIMEOUT, SERVER_ERROR = 200, 300, 408, 500


class TooLong(Exception):
    """An answer has more bytes than are wanted."""


@dataclass(frozen=True)
class Answer:
    """What a server has answered."""

    status: int
    retry_after: float | None
    body: bytes

    @property
    def json(self) -> Mapping[str, Any]:
        """The answer as an object; empty where it is none."""
        try:
            told = json.loads(self.body)
        except ValueError:
            return {}
        return told if isinstance(told, dict) else {}


class GraphClient:
    """Calls on behalf of one account.

    Each call has a connection of its own: one that lay idle may be closed by the server just when
    a message is written to it, and then nobody knows whether the message went out.
    """

    def __init__(
        self, token: str, timeout: httpx.Timeout = TIMEOUT, deadline: float = DEADLINE
    ) -> None:
        self._headers = {"Authorization": f"Bearer {token}"}
        self._timeout, self._deadline = timeout, deadline

    def post_message(self, number_id: str, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """Hand a message over; returns what Meta answers when it has taken it.

        Raises:
            TransportError: it has not, or nobody knows.
        """
        try:
            answer = self._exchange("POST", _url(f"{number_id}/messages"), json=message)
        except NOT_SENT as error:
            raise _not_reached(error) from error
        except (httpx.RequestError, TooLong) as error:
            raise TransportError(_explain(LOST, error), unknown=True) from error
        _raise_error(answer, is_message=True)
        return answer.json

    def get(self, path: str, **query: str) -> Mapping[str, Any]:
        """Read an object.

        Raises:
            TransportError: it cannot be read.
        """
        answer = self._ask(_url(path), query, LONGEST_ANSWER)
        _raise_error(answer, is_message=False)
        return answer.json

    def download(self, url: str, longest: int) -> bytes:
        """The bytes of a file.

        Raises:
            TooLong: it has more than `longest` bytes.
            TransportError: it cannot be had.
        """
        if not _is_metas(url):
            raise TransportError(_("The file does not lie at WhatsApp."), permanent=True)
        answer = self._ask(url, {}, longest)
        _raise_error(answer, is_message=False)
        return answer.body

    def _ask(self, url: str, query: Mapping[str, str], longest: int) -> Answer:
        try:
            return self._exchange("GET", url, longest, params=query or None)
        except httpx.RequestError as error:
            raise _not_reached(error) from error

    def _exchange(
        self, method: str, url: str, longest: int = LONGEST_ANSWER, **content: Any
    ) -> Answer:
        ends_at = time.monotonic() + self._deadline
        with (
            httpx.Client(timeout=self._timeout, verify=_tls(), headers=self._headers) as client,
            client.stream(method, url, **content) as response,
        ):
            body = _read(response, longest, ends_at)
            waits = _seconds(response.headers.get("Retry-After", ""))
            return Answer(response.status_code, waits, body)


def ask_challenge(url: str, token: str, challenge: str) -> str:
    """What a webhook answers to the handshake.

    Raises:
        TransportError: it cannot be reached, or refuses.
    """
    query = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": challenge}
    try:
        with httpx.Client(timeout=TIMEOUT, verify=_tls()) as client:
            answer = client.get(url, params=query)
    except httpx.HTTPError as error:
        reason = _("The webhook's address cannot be reached: {error}")
        raise TransportError(_explain(reason, error)) from error
    if answer.status_code != OK:
        reason = _("The webhook's address answers with status {status}.")
        raise TransportError(format_lazy(reason, status=answer.status_code))
    return answer.text


@functools.cache
def _tls() -> ssl.SSLContext:
    # To load the authorities' certificates takes longer than the rest of a call's beginning.
    return httpx.create_ssl_context()


def _url(path: str) -> str:
    return f"{settings.WHATSAPP_API_URL.rstrip('/')}/{path}"


def _read(response: httpx.Response, longest: int, ends_at: float) -> bytes:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > longest:
            raise TooLong
        if time.monotonic() > ends_at:
            raise httpx.ReadTimeout("the answer takes too long", request=response.request)
    return bytes(body)


def _seconds(given: str) -> float | None:
    return float(given) if given.isdecimal() else None


def _is_metas(url: str) -> bool:
    """Whether a file may be fetched there with our token."""
    try:
        own, asked = httpx.URL(settings.WHATSAPP_API_URL), httpx.URL(url)
    except httpx.InvalidURL:
        return False
    if (asked.scheme, asked.netloc) == (own.scheme, own.netloc):
        return True
    return asked.scheme == "https" and asked.host.endswith(FILE_HOSTS)


def _raise_error(answer: Answer, *, is_message: bool) -> None:
    """Raise what follows from an answer that is no success.

    An error in Meta's words is a clear refusal, whatever its status. Without them somebody between
    us and Meta has answered, who may have passed the request on before.
    """
    if problem := problem_of(answer.json.get("error")):
        if is_message and problem.is_missing:
            # Messages are posted to the account's number: it is that which is not there.
            raise AccountRefused(problem.reason)
        raise error_of(problem, answer.status, answer.retry_after)
    if OK <= answer.status < REDIRECT:
        return
    is_unknown = is_message and (answer.status >= SERVER_ERROR or answer.status == REQUEST_TIMEOUT)
    reason = format_lazy(
        _("WhatsApp's server answered with status {status}."), status=answer.status
    )
    raise TransportError(reason, unknown=is_unknown, retry_after=answer.retry_after)


LOST = _("The connection to WhatsApp broke after the message was handed over: {error}")
NOT_REACHED = _("WhatsApp cannot be reached: {error}")


def _not_reached(error: httpx.RequestError) -> TransportError:
    return TransportError(_explain(NOT_REACHED, error))


def _explain(text: Any, error: Exception) -> Any:
    return format_lazy(text, error=f"{type(error).__name__} {error}".strip())
