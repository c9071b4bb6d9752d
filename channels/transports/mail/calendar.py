"""What an invitation says of itself, or the answer to one; the whole of it is among the files."""

import re
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from channels.transports.facts import Booking
from channels.transports.mail.parts import Mail, text_of_part

FOLDED = re.compile(r"\r?\n[ \t]")
EVENT = re.compile(r"^BEGIN:VEVENT\b.*?(?:^END:VEVENT\b|\Z)", re.MULTILINE | re.DOTALL)
LINE = re.compile(r"^(SUMMARY|DTSTART|DTEND|LOCATION)((?:;[^:\n]*)?):(.*)$", re.MULTILINE)
ACCEPTED = re.compile(r"^ATTENDEE[^:\n]*;PARTSTAT=ACCEPTED[;:]", re.MULTILINE | re.IGNORECASE)
UID = re.compile(r"^UID(?:;[^:\n]*)?:(.+)$", re.MULTILINE)
START = re.compile(
    r"^DTSTART(?P<params>(?:;[^:;\n]*)*):(?P<at>\d{8}(?:T\d{6})?)(?P<utc>Z?)\s*$", re.MULTILINE
)
ZONE = re.compile(r";TZID=([^;]+)")
METHOD = re.compile(r"^METHOD:([A-Z]+)", re.MULTILINE)
ESCAPED = re.compile(r"\\([\\;,nN])")
LONGEST_TEXT, LONGEST_VALUE, LONGEST_ID = 100_000, 300, 200
# What is said of others is a slip of a program.
YEARS = range(1990, 2199)


def entry_of(mail: Mail) -> dict[str, str]:
    """Method, title, times and place of the first entry, in iCalendar's own words (RFC 5545).

    Returns:
        Nothing where the mail invites to nothing.
    """
    for method, event in _events_in(mail):
        told = {match[1].lower(): _plain(match[3]) for match in LINE.finditer(event)}
        return told | ({"method": method} if method else {})
    return {}


def booking_of(mail: Mail) -> Booking | None:
    """The meeting that the mail's writer has accepted (RFC 5546, 3.2.3); None: none."""
    for method, event in _events_in(mail):
        uid, start = UID.search(event), START.search(event)
        if method != "reply" or not ACCEPTED.search(event) or not uid or not start:
            continue
        names = {match[1]: _plain(match[3]) for match in LINE.finditer(event)}
        known, starts_at = _plain(uid[1])[:LONGEST_ID], _moment(start)
        if known and starts_at:
            return Booking(known, names.get("SUMMARY", ""), starts_at)
    return None


def _events_in(mail: Mail) -> Iterator[tuple[str, str]]:
    """Method and text of the first entry of each calendar in the mail."""
    for part in mail.parts_of("text/calendar"):
        text = FOLDED.sub("", text_of_part(part)[:LONGEST_TEXT]).replace("\r", "")
        event, method = EVENT.search(text), METHOD.search(text)
        if event:
            yield method[1].lower() if method else "", event[0]


def _moment(start: re.Match[str]) -> datetime | None:
    """When it begins; without a zone where it names none, or another system's."""
    try:
        at = datetime.fromisoformat(start["at"])
    except ValueError:
        return None
    zone = ZONE.search(start["params"])
    name = "UTC" if start["utc"] else zone[1].strip('"') if zone else ""
    return at.replace(tzinfo=_zone(name)) if at.year in YEARS else None


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _plain(value: str) -> str:
    text = ESCAPED.sub(lambda match: " " if match[1] in "nN" else match[1], value)
    return text.replace("\x00", "").strip()[:LONGEST_VALUE]
