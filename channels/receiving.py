"""Taking in what vendors hand over: stored at once, read and written down by a handler.

An `Inbound` row and its event are committed before the vendor has its answer. The handler
`take_in_inbound` has a transport read the row, and writes what it says, in one transaction: junk
says nothing, what cannot be read fails the event, and a replay reads it again.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from channels.identifying import address_of, identify
from channels.keywords import is_opt_out
from channels.models import (
    Account,
    Attachment,
    AttachmentContent,
    Automatic,
    Channel,
    Inbound,
    LawfulBasis,
    Message,
    MessageStatus,
    MessageType,
)
from channels.noting import note_template, take_note
from channels.payloads import FilesAnnounced
from channels.services.accounts import note_received
from channels.services.consent import clear_bounce, mark_bounced, opt_in, opt_out
from channels.services.echoes import record_echo
from channels.services.messages import known_message, receive_message
from channels.services.outcomes import record_status
from channels.transports import Echo, Fact, Incoming, OptOut, Report, Sender, transport_named
from channels.transports.facts import File
from channels.trials import note_report
from events import EventType, publish
from events.models import Event, EventStatus
from leads.models import Lead
from leads.services import book_meeting
from leads.services.meetings import LONGEST_TITLE
from salesflow.accounts.context import current_tenant

log = structlog.get_logger(__name__)

# A replay reads what was handed over anew, and a mailbox that is read again is known, for so long.
KEPT = timedelta(days=30)
PRUNED_AT_ONCE = 500
# Newest first, so many of a mail's references are looked for among what we know.
MOST_ANSWERS = 50


def store_inbound(account: Account, body: bytes, key: str = "") -> Inbound | None:
    """Keep what a vendor handed over, and have it taken in.

    Args:
        key: what makes it the same when it is handed over again; by default its digest.

    Returns:
        None where it was handed over before.
    """
    key = key or hashlib.sha256(body).hexdigest()
    inbound = Inbound(account=account, key=key, body=body)
    try:
        with transaction.atomic():
            inbound.save()
    except IntegrityError:
        return None
    return inbound


def take_in(inbound_id: UUID) -> None:
    """Write down what an inbound delivery says; to do it twice changes nothing.

    Raises:
        Exception: what the transport raises for what it cannot read.
    """
    inbound = Inbound.objects.select_related("account").filter(pk=inbound_id).first()
    if inbound is None:
        # It was pruned: a replay of what was taken in long ago.
        return
    account = inbound.account
    for fact in transport_named(account.transport).read(account, bytes(inbound.body)):
        take_in_fact(account, fact)
    # With what it says: until both are there, what an answer would stop waits for it.
    Inbound.objects.filter(pk=inbound.pk).update(taken_in_at=Now())
    note_received(account.pk)


def prune_inbounds() -> int:
    """Delete the deliveries of all tenants that are older than `KEPT`; returns how many.

    What could not be read stays as long as its event does: a replay may read it yet.
    """
    before = timezone.now() - KEPT
    rows = Inbound.unscoped.filter(received_at__lt=before).exclude(pk__in=_unread(before))
    pruned = 0
    while keys := list(rows.order_by("received_at").values_list("pk", flat=True)[:PRUNED_AT_ONCE]):
        old = Inbound.unscoped.filter(pk__in=keys)
        pruned += int(old._raw_delete(old.db))
    return pruned


def _unread(before: datetime) -> list[str]:
    """The deliveries of before then whose events were not processed."""
    rows = Event.unscoped.filter(type=EventType.INBOUND_RECEIVED, created_at__lt=before)
    ids = rows.values_list("payload__inbound_id", flat=True)
    # One after the other: each has an index of its own.
    return [*ids.filter(status=EventStatus.PENDING), *ids.filter(status=EventStatus.FAILED)]


def take_in_fact(account: Account, fact: Fact) -> None:
    """Write down one thing that a vendor tells."""
    match fact:
        case Incoming():
            take_in_message(account, fact)
        case Echo():
            take_in_echo(account, fact)
        case Report():
            take_in_report(account, fact)
        case OptOut():
            take_in_opt_out(account, fact)
        case _:
            take_note(account, fact)


def take_in_message(account: Account, incoming: Incoming) -> Message | None:
    """The message on the lead who wrote it; an unknown sender becomes a lead.

    Returns:
        None where nobody is behind it: a newsletter or an automatic mail from a stranger.
    """
    if known := known_message(account.channel, incoming.vendor_id):
        return known
    answered = _answered(account, incoming)
    lead = identify(account, incoming, answered)
    if lead is None:
        log.info("inbound_without_lead", account=str(account.pk), automatic=incoming.automatic)
        return None
    _settle(answered, incoming)
    message = receive_message(
        lead,
        channel=account.channel,
        address=address_of(lead, account, incoming.sender),
        body=incoming.text,
        subject=incoming.subject,
        vendor_id=incoming.vendor_id,
        message_type=incoming.type,
        received_at=incoming.received_at,
        account=account,
        quoted=incoming.quoted,
        html=incoming.html,
        automatic=incoming.automatic,
        references=incoming.references,
        cc=incoming.cc,
        in_reply_to=answered,
        details=_details(incoming),
    )
    _keep_files(message, incoming.files)
    _heed_words(account, message)
    _keep_booking(message, incoming)
    return message


def take_in_echo(account: Account, echo: Echo) -> Message | None:
    """What somebody of ours has written elsewhere, on the lead who got it.

    Returns:
        None where that is no lead: people have private words in such an app, too.
    """
    told = echo.message
    lead = identify(account, replace(told, vendor_id=""), None)
    if lead is None:
        return None
    address = address_of(lead, account, told.sender)
    answered = _answered(account, told)
    message = record_echo(lead, told, account=account, address=address, answered=answered)
    _keep_files(message, told.files)
    return message


def take_in_report(account: Account, report: Report) -> None:
    """What became of a message of ours; one that nobody knows is another system's."""
    message = known_message(account.channel, report.vendor_id) or _own(report)
    if message is None:
        if not note_report(report):
            log.info("report_about_nothing", account=str(account.pk), status=report.status)
        return
    if report.vendor_id and not message.vendor_id:
        Message.objects.filter(pk=message.pk, vendor_id="").update(vendor_id=report.vendor_id)
    told = record_status(message.pk, report.status, at=report.at, reason=report.reason)
    if report.template_status:
        note_template(message, report.template_status)
    # What is told once more says nothing new about a mailbox that was full.
    if report.bounced and (report.hard or told.status != message.status):
        mark_bounced(
            message.lead,
            channel=account.channel,
            address=report.bounced,
            hard=report.hard,
            reason=report.reason,
            message_id=message.pk,
        )


def take_in_opt_out(account: Account, told: OptOut) -> None:
    """What somebody told the vendor about being written to, be they a lead or not yet."""
    lead = identify(account, Incoming(vendor_id="", sender=told.sender), None)
    if lead is None and account.channel == Channel.EMAIL:
        # Anybody can write a mail: nobody shall close addresses that we have never written to.
        return
    record: Callable[..., object] = opt_out
    if told.allowed:
        record = partial(opt_in, basis=LawfulBasis.CONSENT)
    for address in _addresses_meant(account, told.sender, lead):
        record(
            lead,
            channel=account.channel,
            address=address,
            source=told.source,
            proof=told.proof,
            at=told.at,
        )


def _addresses_meant(account: Account, sender: Sender, lead: Lead | None) -> Sequence[str]:
    """The address under which we know a lead; of others all under which we may come to."""
    if lead:
        return [address_of(lead, account, sender)]
    if sender.address:
        return [sender.address, *sender.alternatives]
    return [sender.external_id, *sender.aliases]


def _answered(account: Account, incoming: Incoming) -> Message | None:
    """The message of ours, or theirs, that it answers; the nearest that we know."""
    ids = list(incoming.answers[:MOST_ANSWERS])
    if not ids:
        return None
    rows = Message.objects.filter(channel=account.channel, vendor_id__in=ids)
    found = {message.vendor_id: message for message in rows.select_related("lead")}
    return next((found[vendor_id] for vendor_id in ids if vendor_id in found), None)


def _settle(answered: Message | None, incoming: Incoming) -> None:
    """Who answers a message of which nobody knew whether it had arrived has got it."""
    is_unknown = answered is not None and answered.status == MessageStatus.UNKNOWN
    if answered and is_unknown and incoming.automatic != Automatic.BOUNCE:
        record_status(answered.pk, MessageStatus.DELIVERED, at=incoming.received_at)


def _own(report: Report) -> Message | None:
    """The message that it names by our id; not if it is about a try before the last one."""
    if report.message_id is None:
        return None
    own: Message | None = Message.objects.filter(pk=report.message_id).first()
    if own is None or own.vendor_id not in ("", report.vendor_id):
        return None
    return own if report.attempt in (0, own.attempts) else None


def _details(incoming: Incoming) -> dict[str, object]:
    told = dict(incoming.details)
    if incoming.returns_at:
        told["returns_at"] = incoming.returns_at.isoformat()
    return told


def _keep_files(message: Message, files: tuple[File, ...]) -> None:
    if not files or message.attachments.exists():
        return
    rows = [
        Attachment(
            message=message,
            name=file.name[:255],
            content_type=file.content_type[:127],
            size=len(file.data) if file.data is not None else file.size,
            content_id=file.content_id[:255],
            vendor_id=file.vendor_id,
            status=_status_of(file),
            reason=file.reason,
        )
        for file in files
    ]
    Attachment.objects.bulk_create(rows)
    AttachmentContent.objects.bulk_create(
        AttachmentContent(attachment=row, data=file.data)
        for row, file in zip(rows, files, strict=True)
        if file.data is not None
    )
    if message.account_id and any(row.status == Attachment.Status.WAITING for row in rows):
        publish(FilesAnnounced(account_id=message.account_id, message_id=message.pk))


def _status_of(file: File) -> str:
    if file.data is not None:
        return Attachment.Status.STORED
    return Attachment.Status.REFUSED if file.reason else Attachment.Status.WAITING


def _keep_booking(message: Message, incoming: Incoming) -> None:
    """Keep the meeting that the lead has accepted; a mail that comes in anew tells it once more."""
    booking = incoming.booking
    if booking is None:
        return
    starts_at = booking.starts_at
    if timezone.is_naive(starts_at):
        starts_at = starts_at.replace(tzinfo=ZoneInfo(current_tenant().time_zone))
    book_meeting(
        message.lead,
        starts_at=starts_at,
        title=(booking.title or message.subject)[:LONGEST_TITLE].strip() or _("Meeting"),
        source="mail",
        external_id=booking.external_id,
    )


def _heed_words(account: Account, message: Message) -> None:
    """Who writes lives at that address; who writes STOP does not want to be written to."""
    if message.automatic != Automatic.NO:
        return
    clear_bounce(channel=account.channel, address=message.address)
    if is_opt_out(message.body, is_choice=message.type == MessageType.REPLY):
        opt_out(
            message.lead,
            channel=account.channel,
            address=message.address,
            source="keyword",
            proof={"message": str(message.pk), "words": message.body[:200]},
            at=message.created_at,
        )
