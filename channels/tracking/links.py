"""The addresses that a tracked mail carries in place of its links.

An address names the mail, the number of its link and where that leads, all of it signed: nobody can
make one that leads elsewhere from our name, and it leads there for ever, whatever was deleted here.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from channels.models import Message, TrackedLink
from channels.tracking.permission import may_tell

# Addresses in a text, without what ends the sentence around them.
LINK = re.compile(r"https?://[^\s<>\"“”»«]*[^\s<>\"“”»«.,;:!?'’\]]", re.IGNORECASE)
# The rest of a mail's links lead where they say.
MOST_LINKS = 50
# Bytes of a link: web servers take addresses of some 4,000, and ours holds it with a third more.
LONGEST_LINK = 2000
SIGNER = Signer(salt="channels.tracking", sep="~")


class Piece(NamedTuple):
    """A part of a text."""

    text: str
    is_link: bool


@dataclass(frozen=True)
class Tracks:
    """What a mail carries so that it tells of itself.

    Attributes:
        pixel_url: of the image that is asked for when it is opened.
        links: the address of ours for each link of its text.
    """

    pixel_url: str = ""
    links: Mapping[str, str] = field(default_factory=dict)


class Target(NamedTuple):
    """What an address of ours is about.

    Attributes:
        link: the number of a link; None: the mail's image.
        url: where the link leads; empty in earlier mails, whose links alone say so.
    """

    message_id: UUID
    link: int | None = None
    url: str = ""


def pieces_of(text: str) -> Iterator[Piece]:
    """A text, its links apart."""
    end = 0
    for match in LINK.finditer(text):
        yield Piece(text[end : match.start()], is_link=False)
        url = _without_bracket(match[0])
        yield Piece(url, is_link=True)
        end = match.start() + len(url)
    yield Piece(text[end:], is_link=False)


def track(message: Message) -> Tracks:
    """What a message carries; the caller holds it. The same at every try, as long as its reader
    consents."""
    if not may_tell(message):
        return Tracks()
    known = dict(TrackedLink.objects.filter(message=message).values_list("url", "number"))
    links = [piece.text for piece in pieces_of(message.body) if piece.is_link]
    wanted = [url for url in dict.fromkeys(links) if len(url.encode()) <= LONGEST_LINK][:MOST_LINKS]
    new = [
        TrackedLink(message=message, number=number, url=url)
        for number, url in enumerate(wanted, start=1)
        if url not in known
    ]
    TrackedLink.objects.bulk_create(new)
    known |= {link.url: link.number for link in new}
    return Tracks(
        pixel_url=_address("tracked-open", message.pk.hex),
        links={
            url: _address("tracked-click", f"{message.pk.hex}.{known[url]}.{_packed(url)}")
            for url in wanted
        },
    )


def target_of(token: str) -> Target | None:
    """What an address was made for; None: we have not made it."""
    try:
        message_id, *link = SIGNER.unsign(token).split(".")
        if not link:
            return Target(UUID(message_id))
        return Target(UUID(message_id), int(link[0]), _unpacked("".join(link[1:])))
    except (BadSignature, ValueError):
        return None


def _without_bracket(url: str) -> str:
    """An address ends before the bracket that was opened before it (https://example.com)."""
    while url.endswith(")") and url.count(")") > url.count("("):
        url = url[:-1].rstrip(".,;:!?'’]")
    return url


def _address(name: str, about: str) -> str:
    path = reverse(f"channels-public:{name}", args=[SIGNER.sign(about)])
    return f"{settings.BASE_URL}{path}"


def _packed(url: str) -> str:
    """An address in letters that a path takes as they are."""
    return urlsafe_b64encode(url.encode()).decode().rstrip("=")


def _unpacked(packed: str) -> str:
    return urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
