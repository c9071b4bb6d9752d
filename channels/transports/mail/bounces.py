"""Reports of mail servers: that a mail came back, is late, was delivered, read, or taken for spam.

The standard ones are read by their parts (RFC 3464, RFC 8098, RFC 5965); for the dialects that
servers spoke before, and still do, flufl.bounce finds the addresses.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message as Part
from email.utils import parseaddr

from flufl.bounce import all_failures

from channels.transports.mail.charsets import decode
from channels.transports.mail.headers import Headers, Person, addresses_in, normal_address
from channels.transports.mail.identifiers import MESSAGE_ID, OWN_HEADER, own_message
from channels.transports.mail.parts import Mail, enclosed, text_of_part
from channels.transports.mail.refusals import Status, blames_address, status_in, tells_gone

# It tells of each dialect that it tries, and what it stumbles over is none of our errors.
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)

CODE = re.compile(r"(?<![\d.])(5\d\d|4[25]\d)(?=[ -])")
FIELD = re.compile(r"^([A-Za-z-]{2,60}):[ \t]*(.*)$")
SERVER = re.compile(
    r"^(?:mailer-daemon|postmaster|mailerdaemon|microsoftexchange[0-9a-f]+)(?:@|$)", re.IGNORECASE
)
SUBJECT = re.compile(
    r"undeliver(?:able|ed)|unzustellbar|nicht zustellbar|non remis|non distribuable|"
    r"échec de (?:la )?remise|no se puede entregar|no se ha podido entregar|"
    r"delivery (?:status notification|failure)|"
    r"mail delivery (?:failed|system|subsystem|error)|returned mail|failure notice|"
    r"returned to sender|zustellung fehlgeschlagen|mail system error|message not delivered|"
    r"delivery has failed|notification d'échec",
    re.IGNORECASE,
)
# What servers say that speak no English, and give no address in a place of its own.
GONE = re.compile(
    r"not found|no such|unknown|does ?n.t exist|did not reach|nicht gefunden|existiert nicht|"
    r"nicht erreicht|konnte nicht zugestellt|introuvable|n'existe pas|n'a pas pu être remis|"
    r"no se (?:encontró|pudo entregar|ha podido)|no existe|user unknown|permanent fatal",
    re.IGNORECASE,
)
FULL = re.compile(r"mailbox (?:is )?full|over ?quota|quota exceeded|postfach (?:ist )?voll", re.I)
# Beneath these lines stands the mail that came back.
BELOW = re.compile(
    r"^-{2,}\s*(?:below this line is a copy|this is a copy of|the following|original message|"
    r"returned message|undelivered message)|^received: ",
    re.IGNORECASE | re.MULTILINE,
)
LONGEST_TEXT = 20_000
LONGEST_REASON = 400


@dataclass(frozen=True)
class Failure:
    """That a mail did not reach somebody.

    Attributes:
        is_gone: the address does not exist; else the failure may pass, or is not the address's.
        is_address: the address is the reason, not the mail's content or its sender.
    """

    address: str
    reason: str
    is_gone: bool
    is_address: bool


@dataclass(frozen=True)
class ServerReport:
    """What a server tells of a mail of ours.

    Attributes:
        kind: "failed", "delayed", "delivered", "read", "complaint".
        message_ids: Message-IDs of the mail that it is about, the surest first.
        own: what the header that we put into each mail says.
    """

    kind: str
    failures: tuple[Failure, ...] = ()
    message_ids: tuple[str, ...] = ()
    own: str = ""
    complainer: str = ""
    recipients: tuple[str, ...] = field(default=())


def report_in(mail: Mail, writer: Person | None) -> ServerReport | None:
    """What a mail reports; None: it is no report."""
    if mail.root.get_content_type() != "multipart/report" and not _is_by_server(mail, writer):
        return _dialect(mail, writer)
    for kind, read in (
        ("message/feedback-report", _complaint),
        ("message/disposition-notification", _receipt),
        ("message/delivery-status", _delivery),
    ):
        if parts := mail.parts_of(kind):
            return read(mail, parts[0])
    return _dialect(mail, writer)


# --- Standard ones ------------------------------------------------------------------------------


def _delivery(mail: Mail, part: Part) -> ServerReport:
    groups = list(_groups(text_of_part(part)))
    recipients = [group for group in groups if "final-recipient" in group or "action" in group]
    failed = [group for group in recipients if _action(group) == "failed"]
    if failed or not recipients:
        failures = tuple(_failure(group, mail) for group in failed) or tuple(_guesses(mail))
        return _about(mail, "failed", failures=failures)
    told = tuple(_recipient(group) for group in recipients)
    is_late = any(_action(group) == "delayed" for group in recipients)
    kind = "delayed" if is_late else "delivered"
    return _about(mail, kind, recipients=told)


def _action(group: dict[str, str]) -> str:
    words = group.get("action", "").lower().split()
    return words[0].strip(";,") if words else "failed"


def _failure(group: dict[str, str], mail: Mail) -> Failure:
    said = group.get("diagnostic-code", "").partition(";")[2].strip()
    said = said or group.get("diagnostic-code", "")
    status = status_in(group.get("status", ""))
    # "5.0.0" says nothing but that it failed: the server's own words may say more.
    if status is None or status.is_vague:
        status = status_in(said) or status
    return _judged(_recipient(group), status, said or _first_words(mail))


def _recipient(group: dict[str, str]) -> str:
    told = group.get("original-recipient") or group.get("final-recipient") or ""
    address = told.rpartition(";")[2].strip().strip("<>")
    return normal_address(address) if "@" in address else ""


def _judged(address: str, status: Status | None, said: str) -> Failure:
    """What a server's words mean for the address that it names."""
    reason = " ".join(said.split())[:LONGEST_REASON]
    if status and ".".join(status) not in reason:
        reason = f"{'.'.join(status)} {reason}".strip()
    code = CODE.search(said)
    number = int(code[1]) if code else 0
    is_full = FULL.search(said) is not None or (status is not None and status[1:] == ("2", "2"))
    return Failure(
        address=address,
        reason=reason,
        is_gone=not is_full and tells_gone(status, number, said),
        is_address=is_full or blames_address(status, said),
    )


def _receipt(mail: Mail, part: Part) -> ServerReport | None:
    groups = list(_groups(text_of_part(part)))
    told = next((group for group in groups if "disposition" in group), {})
    was_read = "displayed" in told.get("disposition", "").lower()
    ids = tuple(MESSAGE_ID.findall(told.get("original-message-id", "")))
    return ServerReport(kind="read" if was_read else "delayed", message_ids=ids)


def _complaint(mail: Mail, part: Part) -> ServerReport:
    told = next(_groups(text_of_part(part)), {})
    inner = _original(mail)
    to = told.get("original-rcpt-to") or (inner.raw("To") if inner else "")
    address = parseaddr(to)[1]
    return _about(mail, "complaint", complainer=normal_address(address) if address else "")


def _groups(text: str) -> Iterator[dict[str, str]]:
    """The groups of fields in a report's part, names in lower case, folded lines joined."""
    group: dict[str, str] = {}
    name = ""
    for line in text[:LONGEST_TEXT].splitlines():
        match = FIELD.match(line)
        if match:
            name = match[1].lower()
            # Groups without a blank line between them: a field comes for the second time.
            if name in group and name in ("final-recipient", "action"):
                yield group
                group = {}
            group.setdefault(name, match[2].strip())
        elif line[:1] in (" ", "\t") and name:
            group[name] += " " + line.strip()
        elif not line.strip() and group:
            yield group
            group, name = {}, ""
    if group:
        yield group


# --- Which mail it is about ---------------------------------------------------------------------


def _about(
    mail: Mail,
    kind: str,
    *,
    failures: tuple[Failure, ...] = (),
    complainer: str = "",
    recipients: tuple[str, ...] = (),
) -> ServerReport:
    inner = _original(mail)
    ids = MESSAGE_ID.findall(inner.raw("Message-ID")) if inner else []
    own = inner.raw(OWN_HEADER) if inner else ""
    text = mail.text[:LONGEST_TEXT]
    # Without the mail itself: any Message-ID in the text, ours before others.
    told = MESSAGE_ID.findall(text) if not ids else []
    ids += sorted(told, key=lambda each: own_message(each) is None)
    answered = MESSAGE_ID.findall(mail.headers.raw("In-Reply-To") + mail.headers.raw("References"))
    return ServerReport(
        kind=kind,
        failures=failures,
        message_ids=tuple(dict.fromkeys([*ids, *answered])),
        own=own or _own_header_in(text),
        complainer=complainer,
        recipients=recipients,
    )


def _original(mail: Mail) -> Headers | None:
    """The head of the mail that came back."""
    parts = mail.parts_of("message/rfc822", "text/rfc822-headers", "message/rfc822-headers")
    inner = enclosed(parts[-1]) if parts else None
    return Headers(inner) if inner is not None else None


def _own_header_in(text: str) -> str:
    match = re.search(rf"^{OWN_HEADER}: (\S+)", text, re.IGNORECASE | re.MULTILINE)
    return match[1] if match else ""


# --- Dialects -----------------------------------------------------------------------------------


def _dialect(mail: Mail, writer: Person | None) -> ServerReport | None:
    """A report without the standard's parts: from a server, or marked as one."""
    headers = mail.headers
    by_server = _is_by_server(mail, writer)
    is_marked = "X-Failed-Recipients" in headers or "X-MS-Exchange-Message-Is-Ndr" in headers
    is_called = SUBJECT.search(headers.text("Subject")) is not None
    if not is_marked and not (by_server and is_called):
        return None
    failures = tuple(_guesses(mail))
    return _about(mail, "failed", failures=failures) if failures or is_called else None


def _is_by_server(mail: Mail, writer: Person | None) -> bool:
    is_server = writer is None or SERVER.match(writer.address) is not None
    return is_server or mail.headers.raw("Return-Path") == "<>"


def _guesses(mail: Mail) -> Iterator[Failure]:
    """Whom a report in a dialect names, and why."""
    text = BELOW.split(mail.text[:LONGEST_TEXT], maxsplit=1)[0]
    status = status_in(text)
    for address in dict.fromkeys(_named(mail, text)):
        yield _judged(address, status, _reason_near(text, address))


def _named(mail: Mail, text: str) -> list[str]:
    marked = addresses_in(mail.headers.raw("X-Failed-Recipients"))
    if marked:
        return marked
    try:
        # It asks for texts in whatever charset they claim, which may take for ever with long ones.
        temporary, permanent = all_failures(message_from_bytes(mail.beginning))
        found = [decode(address) for address in sorted(permanent or temporary)]
    except Exception:  # it raises whatever its readers of dialects stumble over
        found = []
    return [normal_address(address) for address in found] or _addresses_of_text(mail, text)


def _addresses_of_text(mail: Mail, text: str) -> list[str]:
    servers = {person.address for person in mail.headers.people("From", "To", "Reply-To")}
    named = [address for address in addresses_in(text) if address not in servers]
    return named[:1] if GONE.search(text) else []


def _reason_near(text: str, address: str) -> str:
    """The server's words: those behind the address, up to the next blank line."""
    place = text.lower().find(address)
    behind = text[place + len(address) :].lstrip(">: \r\n") if place >= 0 else text
    return behind.split("\n\n")[0].strip() or _plain_words(text)


def _first_words(mail: Mail) -> str:
    return _plain_words(mail.text)


def _plain_words(text: str) -> str:
    return " ".join(text[:LONGEST_REASON].split())
