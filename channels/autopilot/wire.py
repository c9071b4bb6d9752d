"""One HTTP exchange with a model's endpoint.

To an address that was judged, so that no tenant's endpoint leads into our own network; without
redirects and proxies; and the whole of it, headers included, under one deadline: a server that
sends a byte now and then holds nobody. Only the lookup of the host's name waits as long as the
system's resolver does.
"""

import functools
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from events.alerts.webhooks import is_public

# Seconds.
CONNECT = 5.0
MOST_BYTES = 8_000_000
# Where clouds tell their machines' keys within private networks; elsewhere that is link-local.
METADATA = {ipaddress.ip_address(address) for address in ("fd00:ec2::254", "192.0.0.192")}
PIECE = 4096


class AddressRefused(Exception):
    """The endpoint may not be called there."""

    def __init__(self, reason: str | Promise) -> None:
        super().__init__(reason)
        self.reason = reason


class TooMuch(Exception):
    """The answer does not come to an end."""


@dataclass
class Line:
    """How an exchange is held, and how far it has come.

    Attributes:
        ends_at: by the monotonic clock; nothing is waited for beyond it.
        silence: seconds between two pieces of the answer.
        allows_private: addresses of this machine and of private networks are fine.
        has_asked: the request went out whole.
        has_heard: an answer has begun.
    """

    ends_at: float
    silence: float
    allows_private: bool = False
    has_asked: bool = False
    has_heard: bool = False

    def wait(self, longest: float | None) -> float:
        """Seconds that something may take.

        Raises:
            httpcore.ReadTimeout: none are left.
        """
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the deadline is over")
        return left if longest is None else min(left, longest)

    def hurry(self, seconds: float) -> None:
        """Wait so much longer at most."""
        self.ends_at = min(self.ends_at, time.monotonic() + seconds)


@dataclass
class Answer:
    """An answer whose body is still to come."""

    status: int
    headers: Mapping[str, str]
    _pieces: Iterable[bytes] = field(repr=False)

    def pieces(self, longest: int = MOST_BYTES) -> Iterator[bytes]:
        """The body as it comes.

        Raises:
            TooMuch: it has more than `longest` bytes.
        """
        left = longest
        for piece in self._pieces:
            left -= len(piece)
            if left < 0:
                raise TooMuch
            yield piece


@contextmanager
def exchange(url: str, headers: Mapping[str, str], body: bytes, line: Line) -> Iterator[Answer]:
    """Post a body.

    Raises:
        AddressRefused: not to that address.
        httpcore.TimeoutException: it took too long.
        httpcore.NetworkError, httpcore.ProtocolError, OSError: the connection failed.
    """
    silence = line.silence
    timeouts = {"connect": CONNECT, "read": silence, "write": silence, "pool": CONNECT}
    backend = _Backend(line, is_encrypted=url.startswith("https:"))
    with (
        httpcore.ConnectionPool(ssl_context=_tls(), network_backend=backend) as pool,
        pool.stream(
            "POST",
            url,
            headers=[(name, value) for name, value in headers.items()],
            content=body,
            extensions={"timeout": timeouts},
        ) as response,
    ):
        line.has_heard = True
        names = {name.decode("latin-1").lower(): value.decode("latin-1")
                 for name, value in response.headers}  # fmt: skip
        yield Answer(response.status, names, response.iter_stream())


def check_address(url: str, *, allows_private: bool) -> None:
    """Refuse an endpoint's address that could never be called, without looking its name up.

    Raises:
        AddressRefused: it says why.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise AddressRefused(_("This is no web address.")) from None
    schemes = ("http", "https") if allows_private else ("https",)
    if parts.scheme not in schemes or not host or not _is_bare(url):
        raise AddressRefused(_("Write an address that begins with https://."))
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise AddressRefused(
            _("Write the address without a name, a password or a key; keys have their own field.")
        )
    if _is_ip(host):
        _judge(host, allows_private=allows_private, is_encrypted=parts.scheme == "https")


def _is_bare(url: str) -> bool:
    return url.isascii() and url.isprintable() and not {" ", "\\"}.intersection(url)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _judge(address: str, *, allows_private: bool, is_encrypted: bool) -> None:
    if is_public(address):
        if not is_encrypted:
            raise AddressRefused(_("The key would be readable on its way: use https://."))
        return
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    ip = mapped or ip
    # Where clouds keep the keys of their machines; no model is served there.
    is_private = (ip.is_private or ip.is_loopback) and not ip.is_link_local
    is_odd = ip.is_unspecified or ip.is_multicast or ip in METADATA
    if not allows_private or not is_private or is_odd:
        raise AddressRefused(format_lazy(_("{host} is not a public address."), host=address))


@functools.cache
def _tls() -> ssl.SSLContext:
    # The authorities' certificates come with certifi: an image of Linux may have none.
    return httpx.create_ssl_context()


class _Backend(httpcore.NetworkBackend):
    """Looks a host up once, judges what it finds, and connects to that."""

    def __init__(self, line: Line, *, is_encrypted: bool) -> None:
        self._line, self._is_encrypted = line, is_encrypted

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers."""
        failed: Exception | None = None
        for address in self._allowed(host, port):
            try:
                stream = httpcore.SyncBackend().connect_tcp(
                    address, port, self._line.wait(timeout), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
            else:
                return _Stream(stream, self._line)
        raise failed or httpcore.ConnectError("no address")

    def _allowed(self, host: str, port: int) -> list[str]:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise httpcore.ConnectError(f"{host} is not known") from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            _judge(
                address,
                allows_private=self._line.allows_private,
                is_encrypted=self._is_encrypted,
            )
        return addresses


class _Stream(httpcore.NetworkStream):
    """A connection on which nothing waits beyond the line's end."""

    def __init__(self, inner: httpcore.NetworkStream, line: Line) -> None:
        self._inner, self._line = inner, line

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what has come."""
        self._line.has_asked = True
        return self._inner.read(max_bytes, self._line.wait(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of it, in pieces: the wait begins anew with what is written at once."""
        for start in range(0, len(buffer), PIECE):
            self._inner.write(buffer[start : start + PIECE], self._line.wait(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Go on encrypted; the certificate is checked against the host's name."""
        wait = self._line.wait(timeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, wait), self._line)

    def get_extra_info(self, info: str) -> Any:
        """What the connection tells about itself."""
        return self._inner.get_extra_info(info)
