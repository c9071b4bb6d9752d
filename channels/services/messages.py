"""Writing, receiving and settling messages."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels.files import attach_files
from channels.models import (
    Account,
    Automatic,
    Channel,
    Conversation,
    Direction,
    Message,
    MessageStatus,
    MessageTemplate,
    MessageType,
    Purpose,
)
from channels.payloads import milliseconds_between
from channels.queries import addresses_of, hidden_addresses_of, last_of_thread
from channels.services.accounts import default_account
from channels.services.consent import refuse_unwanted
from channels.services.conversations import open_conversation
from channels.statuses import advance
from channels.transports import File, transport_named
from channels.windows import window_of
from leads.contact_points import normalise_email
from leads.models import Lead
from leads.services import lock_lead
from salesflow.accounts.models import User

# The most characters of a text. WhatsApp: Cloud API reference, messages, text.body. LinkedIn: what
# the message box takes.
LONGEST_BODY = {Channel.EMAIL: 100_000, Channel.WHATSAPP: 4096, Channel.LINKEDIN: 8000}
LONGEST_SUBJECT = 200
LONGEST_VENDOR_ID = 255
# Names a lead that has no address on a channel.
NO_ADDRESS = {
    Channel.EMAIL: gettext_lazy("The lead has no e-mail address."),
    Channel.WHATSAPP: gettext_lazy("The lead has no phone number."),
    Channel.LINKEDIN: gettext_lazy("The lead has no LinkedIn profile."),
}


class SendOptions(TypedDict, total=False):
    """What most messages leave as it is.

    Attributes:
        author: the colleague who wrote it.
        account: through which it goes; by default the one through which the lead wrote last, else
            the channel's default one.
        purpose: marketing needs a lawful basis and carries a way to opt out.
        message_type: a `MessageType`.
        details: what that type needs.
        template: from which the text was made.
        cc: further addresses, e-mail only.
        files: with their data, e-mail only; see `channels.files`.
    """

    author: User | None
    account: Account | None
    purpose: str
    message_type: str
    details: Mapping[str, Any]
    template: MessageTemplate | None
    cc: Sequence[str]
    files: Sequence[File]


class ReceiveOptions(TypedDict, total=False):
    """What only some channels know of a message; see `channels.transports.Incoming`."""

    account: Account | None
    quoted: str
    html: str
    automatic: str
    references: str
    cc: Sequence[str]
    in_reply_to: Message | None
    details: Mapping[str, Any]


@transaction.atomic
def send_message(
    lead: Lead,
    *,
    channel: str,
    body: str,
    subject: str = "",
    to_address: str = "",
    **options: Unpack[SendOptions],
) -> Message:
    """Queue a message to a lead; a worker gives it to the account's transport.

    Args:
        channel: a `Channel`.
        subject: e-mail only.
        to_address: one of the lead's addresses on the channel; by default the primary one.
        options: see `SendOptions`.

    Returns:
        The message, queued; on a channel where a person has to carry it, prepared for them.
        `message.sent` or `message.failed` tells what came of it.

    Raises:
        ValidationError: by `channel`, `body`, `subject`, `to_address`, `cc` or `files`.
        Lead.DoesNotExist: the lead was deleted, or belongs to another tenant.
    """
    known = _known_channel(channel)
    body, subject = _checked_text(known, body, subject)
    lead = lock_lead(lead)
    conversation = open_conversation(lead, known)
    account = _account_for(conversation, options.get("account"))
    transport = transport_named(account.transport)
    purpose = options.get("purpose", Purpose.PERSONAL)
    kind = options.get("message_type", MessageType.TEXT)
    addresses = addresses_of(lead, known) or hidden_addresses_of(lead, known)
    address = _checked_address(to_address, addresses, known)
    refuse_unwanted(known, address, purpose, conversation)
    _refuse_closed_window(conversation, account, kind)
    answered = last_of_thread(conversation) if known == Channel.EMAIL else None
    message = Message(
        conversation=conversation,
        lead=lead,
        account=account,
        author=options.get("author"),
        channel=known,
        direction=Direction.OUTBOUND,
        type=kind,
        purpose=purpose,
        status=MessageStatus.PREPARED if transport.is_assisted else MessageStatus.QUEUED,
        address=address,
        subject=subject,
        body=body,
        cc=_checked_cc(known, options.get("cc", ())),
        in_reply_to=answered,
        template=options.get("template"),
        details=dict(options.get("details", {})),
    )
    message.save()
    attach_files(message, options.get("files", ()))
    conversation.state, conversation.snoozed_until = Conversation.State.OPEN, None
    conversation.last_message_at = max(conversation.last_message_at, message.created_at)
    conversation.save()
    return message


def receive_message(
    lead: Lead,
    *,
    channel: str,
    address: str,
    body: str,
    subject: str = "",
    vendor_id: str = "",
    message_type: str = MessageType.TEXT,
    received_at: datetime | None = None,
    **options: Unpack[ReceiveOptions],
) -> Message:
    """Take in a message that a lead has written; it opens the conversation again.

    Args:
        address: where it came from, in normal form.
        vendor_id: what the vendor calls it; a message that is given twice comes in once.
        received_at: when the vendor got it; now when not given.
        options: see `ReceiveOptions`.

    Returns:
        The message; the known one when it had come in before.

    Raises:
        ValidationError: by `channel` or `vendor_id`.
        Lead.DoesNotExist: the lead was deleted, or belongs to another tenant.
    """
    known = _known_channel(channel)
    if len(vendor_id) > LONGEST_VENDOR_ID:
        raise ValidationError({"vendor_id": _("Longer than 255 characters.")})
    now = timezone.now()
    message = Message(
        channel=known,
        direction=Direction.INBOUND,
        status=MessageStatus.RECEIVED,
        type=message_type,
        address=address,
        subject=_storable(subject)[:LONGEST_SUBJECT],
        body=_storable(body),
        vendor_id=vendor_id,
        # A vendor's clock may be fast: nothing has come in before it was written.
        created_at=min(received_at or now, now),
        stored_at=now,
        account=options.get("account"),
        quoted=_storable(options.get("quoted", "")),
        html=_storable(options.get("html", "")),
        automatic=options.get("automatic", Automatic.NO),
        references=_storable(options.get("references", "")),
        cc=list(options.get("cc", ())),
        in_reply_to=options.get("in_reply_to"),
        details=dict(options.get("details", {})),
    )
    try:
        return _take_in(lead, message)
    except IntegrityError:
        # The same message came in for another lead, or at the same moment.
        if twin := known_message(known, vendor_id):
            return twin
        raise


@transaction.atomic
def record_status(
    message_id: UUID, status: str, *, at: datetime | None = None, reason: str = ""
) -> Message:
    """Note what a vendor reports of a message: sent, delivered, read or failed.

    Reports may come late, twice and in any order; see `channels.statuses`. A report also settles
    a message of which nobody knew whether it had arrived.

    Args:
        at: when it happened; now when not given.
        reason: why it failed, in words.

    Raises:
        Message.DoesNotExist: the tenant has no such message.
    """
    message = lock_message(message_id)
    at = at or timezone.now()
    if not advance(message, status, at=at):
        return message
    message.sending_since = None
    failed = message.status == MessageStatus.FAILED
    message.error, message.permanent = (reason, True) if failed else ("", False)
    if message.sent_at and message.latency_ms is None:
        note_sent_at(message, message.sent_at)
    message.save()
    return message


@transaction.atomic
def confirm_sent(message: Message, *, at: datetime | None = None) -> Message:
    """Note that a colleague has carried a prepared message to the lead by hand.

    Raises:
        ValidationError: it was not prepared for that, or somebody has said so before.
    """
    message = lock_message(message.pk)
    if message.status != MessageStatus.PREPARED:
        raise ValidationError(_("This message does not wait to be sent by hand."))
    at = at or timezone.now()
    advance(message, MessageStatus.SENT, at=at)
    message.transport = message.account.transport if message.account else ""
    note_sent_at(message, at)
    message.save()
    return message


@transaction.atomic
def discard_prepared(message: Message) -> None:
    """Throw away a prepared message that nobody has sent.

    Raises:
        ValidationError: it does not wait to be sent by hand.
    """
    message = lock_message(message.pk)
    if message.status != MessageStatus.PREPARED:
        raise ValidationError(_("This message does not wait to be sent by hand."))
    message.delete()


@transaction.atomic
def settle_unknown(message: Message, *, arrived: bool) -> Message:
    """Note what a colleague has found out about a message of which nobody knew whether it arrived.

    Raises:
        ValidationError: that is known by now.
    """
    message = lock_message(message.pk)
    if message.status != MessageStatus.UNKNOWN:
        raise ValidationError(_("What became of this message is known by now."))
    status = MessageStatus.SENT if arrived else MessageStatus.FAILED
    return record_status(message.pk, status, reason=_("A colleague saw that it had not arrived."))


def note_sent_at(message: Message, at: datetime) -> None:
    """Measure a message that has gone out, and note that the lead has their answer.

    The caller holds the message and saves it.
    """
    message.latency_ms = milliseconds_between(message.created_at, at)
    rows = Conversation.objects.select_for_update().filter(pk=message.conversation_id)
    conversation = rows.first()
    if conversation and conversation.waiting_since and conversation.waiting_since <= at:
        message.answer_ms = milliseconds_between(conversation.waiting_since, at)
        conversation.waiting_since = None
        conversation.save(update_fields=["waiting_since", "changed_at"])


def lock_message(message_id: UUID) -> Message:
    """The message as it is in the database, locked until the transaction ends.

    Raises:
        Message.DoesNotExist: it was deleted, or belongs to another tenant than the current one.
    """
    locked: Message = Message.objects.select_for_update().get(pk=message_id)
    return locked


def known_message(channel: str, vendor_id: str) -> Message | None:
    """The message that the vendor calls so."""
    if not vendor_id:
        return None
    known: Message | None = Message.objects.filter(channel=channel, vendor_id=vendor_id).first()
    return known


def _known_channel(channel: str) -> Channel:
    try:
        return Channel(channel)
    except ValueError:
        known = ", ".join(Channel.values)
        reason = _("There is no channel “%(channel)s” (channels: %(known)s).")
        raise ValidationError({"channel": reason % {"channel": channel, "known": known}}) from None


def _account_for(conversation: Conversation, wanted: Account | None) -> Account:
    """Through which account a message goes out; the ones before it may have been taken away."""
    channel = conversation.channel
    for account in (wanted, conversation.account, default_account(channel)):
        if account and account.is_active and account.channel == channel:
            return account
    reason = _("No account is connected for %(channel)s: an admin can connect one in the settings.")
    raise ValidationError({"channel": reason % {"channel": Channel(channel).label}})


def _refuse_closed_window(conversation: Conversation, account: Account, kind: str) -> None:
    if kind == MessageType.TEMPLATE or window_of(conversation, account).is_open:
        return
    reason = _(
        "The lead has not written within 24 hours: only an approved template may be sent now."
    )
    raise ValidationError({"body": reason}, code="window_closed")


def _checked_text(channel: Channel, body: str, subject: str) -> tuple[str, str]:
    """Body and subject, tidied, or a ValidationError that names what is wrong with both."""
    errors = {}
    body, subject = body.strip(), subject.strip()
    if not body:
        errors["body"] = _("Write something.")
    elif len(body) > LONGEST_BODY[channel]:
        reason = _("A message on this channel holds up to %(longest)d characters.")
        errors["body"] = reason % {"longest": LONGEST_BODY[channel]}
    if subject and channel != Channel.EMAIL:
        errors["subject"] = _("Only e-mails have a subject.")
    elif len(subject) > LONGEST_SUBJECT:
        errors["subject"] = _("A subject holds up to 200 characters.")
    # A line break in a subject would let its writer add headers to the mail.
    elif len(subject.splitlines()) > 1:
        errors["subject"] = _("A subject is one line.")
    errors |= {
        name: _("Null characters are not allowed.")
        for name, text in (("body", body), ("subject", subject))
        if "\x00" in text
    }
    if errors:
        raise ValidationError(errors)
    return body, subject


def _checked_address(wanted: str, known: Sequence[str], channel: Channel) -> str:
    if not known:
        raise ValidationError({"channel": NO_ADDRESS[channel]})
    if wanted and wanted not in known:
        reason = _("“%(address)s” is none of the lead's addresses.")
        raise ValidationError({"to_address": reason % {"address": wanted}})
    return wanted or known[0]


def _checked_cc(channel: Channel, given: Sequence[str]) -> list[str]:
    if given and channel != Channel.EMAIL:
        raise ValidationError({"cc": _("Only e-mails have copies.")})
    try:
        return list(dict.fromkeys(normalise_email(address) for address in given if address.strip()))
    except ValidationError as error:
        raise ValidationError({"cc": error.messages}) from None


def _storable(text: str) -> str:
    # PostgreSQL's text holds no null characters, mail may.
    return text.replace("\x00", "")


@transaction.atomic
def _take_in(lead: Lead, message: Message) -> Message:
    message.lead = lock_lead(lead)
    if known := known_message(message.channel, message.vendor_id):
        return known
    conversation = open_conversation(message.lead, Channel(message.channel))
    message.conversation = conversation
    message.save()
    conversation.last_message_at = max(conversation.last_message_at, message.created_at)
    if message.automatic == Automatic.NO:
        _note_written(conversation, message)
    conversation.save()
    return message


def _note_written(conversation: Conversation, message: Message) -> None:
    """A person has written: the conversation is open, unread, and waits for an answer."""
    written = message.created_at
    conversation.state, conversation.snoozed_until = Conversation.State.OPEN, None
    conversation.unread += 1
    conversation.account = message.account or conversation.account
    conversation.last_inbound_at = max(conversation.last_inbound_at or written, written)
    conversation.waiting_since = min(conversation.waiting_since or written, written)
