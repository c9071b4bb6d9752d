"""What a mail's facts mean among the messages that we know."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta

from django.utils import timezone

from channels.models import Account, Direction, Message, MessageStatus
from channels.services.messages import LONGEST_SUBJECT, known_message
from channels.transports.facts import Fact, Incoming, Report
from channels.transports.mail.identifiers import vendor_id_of

# A report that names no mail is about the last one to the address, if that is not older.
RECENT = timedelta(days=5)


def matched(account: Account, facts: Iterable[Fact]) -> Iterator[Fact]:
    """The facts, with names that lead to our messages."""
    for fact in facts:
        if isinstance(fact, Incoming):
            yield _told_apart(account, fact)
        elif isinstance(fact, Report):
            if found := _about_ours(account, fact):
                yield found
        else:
            yield fact


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
    message = _message_of(account, report)
    if message is None:
        return None
    own = replace(report, vendor_id=message.vendor_id, message_id=message.pk, attempt=0)
    is_copy = report.bounced in message.cc
    # An earlier try, or somebody who got a copy, says nothing of what became of the message.
    if is_copy or report.attempt not in (0, message.attempts):
        own = replace(own, status=MessageStatus.SENT)
    # The address that refuses may be one that ours was forwarded to.
    return own if is_copy or not report.bounced else replace(own, bounced=message.address)


def _message_of(account: Account, report: Report) -> Message | None:
    rows = Message.objects.filter(channel=account.channel, direction=Direction.OUTBOUND)
    found: Message | None = None
    if report.vendor_id:
        found = rows.filter(vendor_id=report.vendor_id).first()
    if found is None and report.message_id:
        found = rows.filter(pk=report.message_id).first()
    if found is None and report.bounced:
        recent = rows.filter(
            lead__contact_points__value=report.bounced,
            address=report.bounced,
            created_at__gte=timezone.now() - RECENT,
        )
        found = recent.exclude(vendor_id="").order_by("-created_at").first()
    return found
