"""What a mail's facts mean among the messages that we know.

Anybody can write a report. One that names a message of ours, by an id that nobody guesses, comes
from a server that has seen it; what another one says closes no address and opts nobody out.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import structlog
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from channels.models import Account, Automatic, Direction, Message, MessageStatus
from channels.services.messages import known_message
from channels.services.queueing import LONGEST_SUBJECT
from channels.transports.facts import Fact, Incoming, OptOut, Report, Sender
from channels.transports.mail.identifiers import vendor_id_of

log = structlog.get_logger(__name__)

# A report that names no mail is about the last one to the address, if that is not older.
RECENT = timedelta(days=5)
# What may still turn out not to have arrived.
UNDER_WAY = (MessageStatus.SENT, MessageStatus.UNKNOWN)


def matched(account: Account, facts: Iterable[Fact]) -> Iterator[Fact]:
    """The facts, with names that lead to our messages."""
    about = ""
    for fact in facts:
        if isinstance(fact, Incoming):
            yield _told_apart(account, _in_thread(fact, about))
        elif isinstance(fact, Report):
            if found := _about_ours(account, fact):
                about = found.vendor_id
                yield found
        elif isinstance(fact, OptOut):
            if complaint := _complaint(account, fact):
                yield complaint
        else:
            yield fact


def _in_thread(incoming: Incoming, about: str) -> Incoming:
    """A report's mail stands in the thread of what it reports on."""
    if not about or incoming.automatic == Automatic.NO:
        return incoming
    return replace(incoming, answers=tuple(dict.fromkeys([*incoming.answers, about])))


def _told_apart(account: Account, incoming: Incoming) -> Incoming:
    """A Message-ID that another mail has, or that is ours, names nothing: broken programs use one
    again, and whoever forges one could else keep a mail from being taken in."""
    known = known_message(account.channel, incoming.vendor_id)
    if known is None or _is_same(known, incoming):
        return incoming
    told = "\n".join([incoming.vendor_id, incoming.sender.external_id, incoming.text])
    return replace(incoming, vendor_id=vendor_id_of(told))


def _is_same(known: Message, incoming: Incoming) -> bool:
    sender = incoming.sender.address or incoming.sender.external_id
    told = (sender, incoming.subject[:LONGEST_SUBJECT], incoming.text)
    return not known.is_outbound and (known.address, known.subject, known.body) == told


def _about_ours(account: Account, report: Report) -> Report | None:
    """The report under the name that our message has; None: it is about none of ours."""
    message = _named(account, report.vendor_id, report.message_id)
    if message is None:
        # What it names may be no message, such as a trial of the account.
        return report if report.message_id else _guessed(account, report)
    own = replace(report, vendor_id=message.vendor_id, message_id=message.pk, attempt=0)
    is_copy = report.bounced in message.cc
    # An earlier try, or somebody who got a copy, says nothing of what became of the message.
    if is_copy or report.attempt not in (0, message.attempts):
        own = replace(own, status=MessageStatus.SENT)
    # The address that refuses may be one that ours was forwarded to.
    return own if is_copy or not report.bounced else replace(own, bounced=message.address)


def _guessed(account: Account, report: Report) -> Report | None:
    """A failure that names no mail: the last one to the address fails, and nothing else follows."""
    if not report.bounced:
        return None
    told_at = report.at or timezone.now()
    before = _sent(account).filter(
        account=account,
        lead__contact_points__value=report.bounced,
        address=report.bounced,
        created_at__range=(told_at - RECENT, told_at),
    )
    message = before.exclude(vendor_id="").order_by("-created_at").first()
    if message is None or message.status not in UNDER_WAY:
        return None
    reason = _("A report that names the address, but no mail: %(said)s") % {"said": report.reason}
    return Report(
        status=report.status,
        vendor_id=message.vendor_id,
        message_id=message.pk,
        at=report.at,
        reason=reason,
    )


def _complaint(account: Account, told: OptOut) -> OptOut | None:
    """The complaint of whoever got our mail; None: it names none of ours."""
    message_id = told.proof.get("message_id")
    own = UUID(message_id) if message_id else None
    message = _named(account, told.proof.get("vendor_id", ""), own)
    if message is None:
        log.info("complaint_about_nothing", account=str(account.pk))
        return None
    is_copy = told.sender.address in message.cc
    address = told.sender.address if is_copy else message.address
    return replace(told, sender=Sender(external_id=address, address=address))


def _named(account: Account, vendor_id: str, message_id: UUID | None) -> Message | None:
    """The message of ours that a report names."""
    rows = _sent(account)
    found: Message | None = rows.filter(vendor_id=vendor_id).first() if vendor_id else None
    if found is None and message_id:
        found = rows.filter(pk=message_id).first()
    return found


def _sent(account: Account) -> QuerySet[Message]:
    rows: QuerySet[Message] = Message.objects.filter(
        channel=account.channel, direction=Direction.OUTBOUND
    )
    return rows
