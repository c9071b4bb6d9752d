"""What an invitation says of itself; the whole of it is among the files."""

import re

from channels.transports.mail.parts import Mail, text_of_part

FOLDED = re.compile(r"\r?\n[ \t]")
EVENT = re.compile(r"^BEGIN:VEVENT\b.*?(?:^END:VEVENT\b|\Z)", re.MULTILINE | re.DOTALL)
LINE = re.compile(r"^(SUMMARY|DTSTART|DTEND|LOCATION)((?:;[^:\n]*)?):(.*)$", re.MULTILINE)
METHOD = re.compile(r"^METHOD:([A-Z]+)", re.MULTILINE)
ESCAPED = re.compile(r"\\([\\;,nN])")
LONGEST_TEXT, LONGEST_VALUE = 100_000, 300


def entry_of(mail: Mail) -> dict[str, str]:
    """Method, title, times and place of the first entry, in iCalendar's own words (RFC 5545).

    Returns:
        Nothing where the mail invites to nothing.
    """
    for part in mail.parts_of("text/calendar"):
        text = FOLDED.sub("", text_of_part(part)[:LONGEST_TEXT]).replace("\r", "")
        event = EVENT.search(text)
        if event is None:
            continue
        told = {match[1].lower(): _plain(match[3]) for match in LINE.finditer(event[0])}
        method = METHOD.search(text)
        return told | ({"method": method[1].lower()} if method else {})
    return {}


def _plain(value: str) -> str:
    text = ESCAPED.sub(lambda match: " " if match[1] in "nN" else match[1], value)
    return text.strip()[:LONGEST_VALUE]
