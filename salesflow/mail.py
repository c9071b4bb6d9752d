"""The mail server, as one address in the environment."""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

# Scheme → the port that is usual for it.
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


@dataclass(frozen=True)
class Server:
    """A server that takes mails.

    Attributes:
        uses_tls: from the first byte on; `uses_starttls` begins in plain text.
    """

    host: str = ""
    port: int = 25
    user: str = ""
    password: str = ""
    uses_starttls: bool = False
    uses_tls: bool = False


NONE = Server()


def server_of(url: str) -> Server | None:
    """The server that an address such as `smtp+starttls://user:password@mail.example.com` names.

    Returns:
        None where the address is none, or empty.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return None
    if port is None or parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/"):
        return None
    return Server(
        host=parts.hostname,
        port=port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        uses_starttls=parts.scheme == "smtp+starttls",
        uses_tls=parts.scheme == "smtps",
    )
