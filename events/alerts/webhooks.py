"""Signed webhooks, to public addresses only unless the settings say otherwise.

The signature is that of Standard Webhooks 1.0 (https://www.standardwebhooks.com): HMAC-SHA256 over
the message's id, its time and its body. Libraries in many languages check it; docs/alerts.md shows
how to do so without one.
"""

import base64
import binascii
import hashlib
import hmac
import http.client
import ipaddress
import secrets
import socket
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from events.retry import Permanent, Retry

# Seconds for the connection, and for the answer.
TIMEOUT = 10.0
# Seconds that a receiver may ask to be left alone.
LONGEST_WAIT = 3600.0
PREFIX = "whsec_"
# Networks in IPv6 whose addresses carry one of IPv4: NAT64, 6to4, Teredo; then what Python, or an
# older one, takes for public: site-local addresses, and protocol assignments such as a cloud's
# metadata. Source: RFC 6052, RFC 8215, RFC 3056, RFC 4380; RFC 3879, RFC 6890.
REFUSED = [
    ipaddress.ip_network(network)
    for network in (
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "2001::/32",
        "fec0::/10",
        "192.0.0.0/24",
    )
]


class WebhookFailed(RuntimeError):
    """The receiver did not take the message; it may later."""


def new_secret() -> str:
    """A secret to sign with, of 256 bits, as Standard Webhooks write it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signature_of(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of the header `webhook-signature`.

    Raises:
        Permanent: the secret is none of ours.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise Permanent(_("The webhook has no usable secret: make a new one.")) from None
    if not key:
        raise Permanent(_("The webhook has no usable secret: make a new one."))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def post(url: str, secret: str, body: bytes, message_id: str) -> int:
    """Post a JSON body; returns the HTTP status, which is a 2xx.

    Redirects are not followed. The address is looked up once, judged, and connected to: no name
    can mean a public address first and a private one later.

    Raises:
        Permanent: the address may not be called, or the answer is one that stays the same.
        Retry: the receiver says when to come again.
        WebhookFailed: it cannot be reached, or answers with another error.
    """
    target = Target.of(url)
    timestamp = int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "SalesFlow",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature_of(secret, message_id, timestamp, body),
    }
    try:
        status, retry_after = _exchange(target, body, headers)
    except (OSError, http.client.HTTPException) as error:
        reason = f"{type(error).__name__}: {error}"
        text = _("{host} cannot be reached: {reason}")
        raise WebhookFailed(format_lazy(text, host=target.host, reason=reason)) from None
    return _judged(target.host, status, retry_after)


@dataclass(frozen=True)
class Target:
    """Whom to call.

    Attributes:
        path: with what follows it, sent as it is.
        addresses: of the host, each of which may be called.
    """

    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[str, ...]

    @classmethod
    def of(cls, url: str) -> "Target":
        """The target of an address, looked up.

        Raises:
            Permanent: it may not be called.
            WebhookFailed: there is no such host, as far as is known.
        """
        scheme, host, port, path = split_address(url)
        return cls(scheme, host, port, path, tuple(_allowed_addresses(host, port)))


def split_address(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and path of a webhook's address.

    Raises:
        Permanent: it is none, has a password in it, or is not encrypted though it has to be.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise Permanent(_("This is no web address.")) from None
    allowed = ("http", "https") if settings.ALERT_PRIVATE_ADDRESSES else ("https",)
    if parts.scheme not in allowed or not parts.hostname:
        raise Permanent(_("Write an address that begins with https://."))
    if parts.username is not None or parts.password is not None:
        raise Permanent(_("The address must not contain a name or a password."))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii() or any(ord(letter) <= ord(" ") for letter in path):
        raise Permanent(_("Write blanks and letters beyond ASCII in the address as %20 and so on."))
    return parts.scheme, parts.hostname, port, path


def check_address(url: str) -> None:
    """Refuse an address that may not be called, without looking its name up.

    Raises:
        Permanent: it says why.
    """
    _scheme, host, _port, _path = split_address(url)
    if not settings.ALERT_PRIVATE_ADDRESSES and not _may_be_public(host):
        raise Permanent(format_lazy(_("{host} is not a public address."), host=host))


def _may_be_public(host: str) -> bool:
    try:
        return is_public(host)
    except ValueError:  # a name
        return "." in host.strip(".")


def _allowed_addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise WebhookFailed(format_lazy(_("{host} is not known."), host=host)) from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not settings.ALERT_PRIVATE_ADDRESSES and not all(map(is_public, addresses)):
        raise Permanent(format_lazy(_("{host} is not a public address."), host=host))
    return addresses


def is_public(address: str) -> bool:
    """Whether an IP address is reachable by everybody, and leads to no other network."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        return is_public(str(ip.ipv4_mapped))
    if any(ip in network for network in REFUSED):
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


# --- Over the wire ------------------------------------------------------------------------------


class _Connection(http.client.HTTPConnection):
    """Connects to the addresses that were judged, whatever the host's name means by then."""

    def __init__(self, target: Target) -> None:
        super().__init__(target.host, target.port, timeout=TIMEOUT)
        self.default_port = 443 if target.scheme == "https" else 80
        self._target = target

    def connect(self) -> None:
        """Connect to the first address that answers."""
        self.sock = _connected(self._target)
        if self._target.scheme == "https":
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self._target.host)


def _connected(target: Target) -> socket.socket:
    *others, last = target.addresses
    for address in others:
        try:
            return socket.create_connection((address, target.port), TIMEOUT)
        except OSError:
            continue
    return socket.create_connection((last, target.port), TIMEOUT)


def _exchange(target: Target, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    """Status and `Retry-After` of the answer; nothing else of it is read."""
    connection = _Connection(target)
    try:
        connection.request("POST", target.path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Retry-After", "")
    finally:
        connection.close()


def _judged(host: str, status: int, retry_after: str) -> int:
    values = {"host": host, "status": status}
    if http.HTTPStatus.OK <= status < http.HTTPStatus.MULTIPLE_CHOICES:
        return status
    if status < http.HTTPStatus.BAD_REQUEST:
        text = _("{host} answered {status}: redirects are not followed.")
        raise Permanent(format_lazy(text, **values))
    is_busy = status in (http.HTTPStatus.TOO_MANY_REQUESTS, http.HTTPStatus.SERVICE_UNAVAILABLE)
    if is_busy and retry_after.isascii() and retry_after.isdecimal():
        raise Retry(after=min(float(retry_after), LONGEST_WAIT))
    if status == http.HTTPStatus.GONE:
        raise Permanent(format_lazy(_("{host} answered {status}: it is gone."), **values))
    raise WebhookFailed(format_lazy(_("{host} answered {status}."), **values))
