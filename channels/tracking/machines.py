"""Persons and programs, told apart by how they ask for a mail's image and links.

Pure. Most mails are opened, and all of their links followed, by scanners at the recipient's
provider before anybody reads them. Each sign is a reason of its own that is kept with the hit; one
is enough, since a person who is taken for a machine costs a number, and a machine that is taken for
a person sends somebody down the wrong branch.

Sources: Apple, "Mail Privacy Protection" (all images are fetched by a relay when the mail comes in,
whose User-Agent is the bare word); Microsoft, "Office 365 URLs and IP address ranges", id 10 (the
networks from which its protection follows links); Google's image proxy, on the other hand, asks
when somebody opens the mail.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

# Whoever asks so soon after a mail was sent has not read it.
TOO_SOON = timedelta(seconds=10)
# So many links of one mail within so short a time: nobody reads that fast.
BURST, BURST_WITHIN = 3, timedelta(seconds=3)
BOTS = re.compile(
    r"bot\b|crawl|spider|scan|preview|fetch|monitor|probe|headless|"
    r"barracuda|mimecast|proofpoint|symantec|trendmicro|forcepoint|sophos|cisco|fireeye|"
    r"curl/|wget/|python-|go-http-client|java/|okhttp|libwww|axios|node-fetch|"
    r"safelinks|oneoutlook|skypeuripreview|facebookexternalhit|whatsapp/|slack",
    re.IGNORECASE,
)
# What browsers say that load a page before anybody asks for it. Source: WHATWG, Fetch, Sec-Purpose.
AHEAD = re.compile(r"prefetch|prerender|preview", re.IGNORECASE)
# What the relay of Apple's mail programs says, and nothing more.
PREFETCHER = "Mozilla/5.0"
PROTECTION = [
    ip_network(text) for text in ("40.92.0.0/15", "40.107.0.0/16", "52.100.0.0/14", "104.47.0.0/17")
]
# The first that is found in a User-Agent.
FAMILIES = (
    *("GoogleImageProxy", "YahooMailProxy", "OneOutlook", "Outlook", "Thunderbird"),
    *("Edg", "OPR", "Firefox", "Chrome", "Safari"),
)


class Reason(StrEnum):
    """What speaks for a machine."""

    HEAD = "head"
    NO_AGENT, BOT, PREFETCH = "no_agent", "bot", "prefetch"
    TOO_SOON = "too_soon"
    PROTECTION = "protection"
    BURST = "burst"


@dataclass(frozen=True)
class Asked:
    """How somebody asked for an image or a link.

    Attributes:
        address: the network address it came from.
        sent_at: when the mail went out; None: nobody knows that yet.
        purpose: what the browser says of why it asks; empty: somebody wants to see it.
    """

    method: str
    agent: str
    address: str
    at: datetime
    sent_at: datetime | None
    is_click: bool
    purpose: str = ""


def reasons_for(asked: Asked) -> list[Reason]:
    """What speaks for a machine by the way in which it asked."""
    signs = {
        Reason.HEAD: asked.method == "HEAD",
        Reason.NO_AGENT: not asked.agent.strip(),
        Reason.BOT: bool(BOTS.search(asked.agent)),
        Reason.PREFETCH: asked.agent.strip() == PREFETCHER or bool(AHEAD.search(asked.purpose)),
        Reason.TOO_SOON: asked.sent_at is None or asked.at - asked.sent_at < TOO_SOON,
        # The image may be asked for from there by a person: Outlook has a proxy of its own.
        Reason.PROTECTION: asked.is_click and _is_protection(asked.address),
    }
    return [reason for reason, speaks in signs.items() if speaks]


def is_burst(at: datetime, clicks: Mapping[int, Collection[datetime]], links: int) -> bool:
    """Whether a click was one of many at once.

    Args:
        clicks: when each link of the mail was followed, by its id.
        links: how many the mail has.
    """
    together = sum(
        any(abs(other - at) <= BURST_WITHIN for other in moments) for moments in clicks.values()
    )
    return together >= BURST or together == links > 1


def family_of(agent: str) -> str:
    """The kind of program that asked; empty where it is none of the common ones."""
    return next((family for family in FAMILIES if family in agent), "")


def network_of(address: str) -> str:
    """The part of a network address that tells no single person; empty where it is none."""
    try:
        known = ip_address(address)
    except ValueError:
        return ""
    size = 24 if known.version == 4 else 48
    network: IPv4Network | IPv6Network = ip_network((known, size), strict=False)
    return str(network)


def _is_protection(address: str) -> bool:
    try:
        known = ip_address(address)
    except ValueError:
        return False
    return any(known in network for network in PROTECTION)
