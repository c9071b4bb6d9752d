"""Writing mails."""

import re
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage, MIMEPart
from email.policy import EmailPolicy
from email.utils import format_datetime, formataddr, parseaddr
from typing import Any

from django.utils import timezone, translation
from django.utils.translation import gettext as _
from email_validator import EmailNotValidError, validate_email

from channels.models import Account, Purpose
from channels.transports.interface import Outgoing
from channels.transports.mail.formatting import as_html
from channels.transports.mail.identifiers import (
    MESSAGE_ID,
    OWN_HEADER,
    message_id_of,
    reply_address,
)
from channels.transports.mail.settings import MailSettings

# Of a long thread the root and the last ones are named.
MOST_REFERENCES = 20
CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
CRLF = "\r\n"
PEOPLE = frozenset({"from", "to", "cc", "reply-to"})


class MailPolicy(EmailPolicy):
    """Writes headers so that they come back as they were.

    Python's own policy encodes any long word: identifiers and addresses of pages that are encoded
    neither thread nor opt out, so they stay whole, on one line. And it loses spaces between the
    words that it encodes: what people read is encoded by the older `Header`.
    """

    def fold(self, name: str, value: Any) -> str:
        """A header as text."""
        if name.lower() == "subject":
            return f"{name}: {_encoded(name, str(value))}{CRLF}"
        if name.lower() in PEOPLE:
            people = (_person(name, each) for each in value.addresses)
            return f"{name}: {f',{CRLF} '.join(people)}{CRLF}"
        return str(super().fold(name, value))

    def fold_binary(self, name: str, value: Any) -> bytes:
        """A header as bytes."""
        return self.fold(name, value).encode()


def _encoded(name: str, text: str) -> str:
    if text.isascii() and "=?" not in text:
        return text
    # RFC 2047, 2: an encoded word has at most 75 characters.
    return Header(text, "utf-8", maxlinelen=76, header_name=name).encode(linesep=CRLF)


def _person(name: str, person: Address) -> str:
    if person.display_name.isascii():
        return formataddr((person.display_name, person.addr_spec))
    return f"{_encoded(name, person.display_name)} <{person.addr_spec}>"


POLICY: Any = MailPolicy(linesep=CRLF, max_line_length=990, cte_type="7bit")
# RFC 2045, 6.8: a line of Base64 has at most 76 characters.
FILE_POLICY: Any = POLICY.clone(max_line_length=76)


def build_mail(account: Account, settings: MailSettings, outgoing: Outgoing) -> EmailMessage:
    """The mail that a message becomes."""
    mail = EmailMessage(policy=POLICY)
    mail["From"] = _mailbox(settings.from_name or account.name, account.address)
    mail["To"] = _mailbox(outgoing.name, outgoing.address)
    if outgoing.cc:
        mail["Cc"] = [_mailbox("", address) for address in outgoing.cc]
    mail["Subject"] = CONTROL.sub(" ", outgoing.subject)
    mail["Date"] = format_datetime(timezone.now())
    mail["Message-ID"] = message_id_of(outgoing.message_id, outgoing.attempt, account.address)
    mail[OWN_HEADER] = f"{outgoing.message_id}.{outgoing.attempt}"
    _add_thread(mail, outgoing)
    _add_reply_to(mail, account, settings, outgoing)
    _add_way_out(mail, outgoing)
    body, end = outgoing.body.rstrip() + "\n", _end(account, settings, outgoing)
    mail.set_content(body + end)
    if outgoing.pixel_url or outgoing.links:
        html = as_html(body, end, links=outgoing.links, pixel_url=outgoing.pixel_url)
        mail.add_alternative(html, subtype="html")
    _add_files(mail, outgoing)
    return mail


def thread_with(outgoing: Outgoing, sender: str) -> str:
    """The thread that a mail is in, itself included: what an answer to it refers to."""
    own = message_id_of(outgoing.message_id, outgoing.attempt, sender)
    return " ".join([*_thread_of(outgoing), own])


def ascii_address(address: str) -> str:
    """The address as every server takes it; as it is where there is no such form."""
    try:
        checked = validate_email(address, check_deliverability=False)
    except EmailNotValidError:
        return address
    return checked.ascii_email or address


def shortened(references: list[str]) -> list[str]:
    """The root of a thread and its last ones; each once."""
    once = list(dict.fromkeys(references))
    return once if len(once) <= MOST_REFERENCES else [once[0], *once[1 - MOST_REFERENCES :]]


def _thread_of(outgoing: Outgoing) -> list[str]:
    return shortened(MESSAGE_ID.findall(outgoing.references))


def _add_thread(mail: EmailMessage, outgoing: Outgoing) -> None:
    if thread := _thread_of(outgoing):
        mail["In-Reply-To"] = thread[-1]
        mail["References"] = " ".join(thread)


def _add_reply_to(
    mail: EmailMessage, account: Account, settings: MailSettings, outgoing: Outgoing
) -> None:
    if not settings.plus_addressing or outgoing.conversation_id is None:
        return
    address = reply_address(account.address, outgoing.conversation_id)
    if address:
        mail["Reply-To"] = _mailbox(settings.from_name or account.name, address)


def _add_way_out(mail: EmailMessage, outgoing: Outgoing) -> None:
    """RFC 8058: one address, and that it acts on one click; that asks for HTTPS."""
    if not outgoing.unsubscribe_url:
        return
    mail["List-Unsubscribe"] = f"<{outgoing.unsubscribe_url}>"
    if outgoing.unsubscribe_url.startswith("https://"):
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"


def _end(account: Account, settings: MailSettings, outgoing: Outgoing) -> str:
    """What stands below the text: who writes, and how to hear no more."""
    text = ""
    if signature := settings.signature.strip():
        # Source: RFC 3676, 4.3: dash, dash, space.
        text += f"\n-- \n{signature}\n"
    if outgoing.purpose == Purpose.MARKETING and outgoing.unsubscribe_url:
        with translation.override(account.tenant.language):
            says = _("You do not want such mails any more?")
        text += f"\n{says}\n{outgoing.unsubscribe_url}\n"
    return text


def _add_files(mail: EmailMessage, outgoing: Outgoing) -> None:
    if not outgoing.files:
        return
    mail.make_mixed()
    for file in outgoing.files:
        kind, _slash, subtype = file.content_type.partition("/")
        part: Any = MIMEPart(policy=FILE_POLICY)
        part.set_content(
            file.data, kind, subtype or "octet-stream", disposition="attachment", filename=file.name
        )
        mail.attach(part)


def _mailbox(name: str, address: str) -> Address:
    plain = " ".join(CONTROL.sub(" ", name).split())
    return Address(display_name=plain, addr_spec=parseaddr(ascii_address(address))[1])
