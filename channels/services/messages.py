"""Writing and receiving messages; what becomes of them is in `channels.services.outcomes`."""

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
from channels.queries import addresses_of, hidden_addresses_of, last_of_thread
from channels.services.accounts import default_account
from channels.services.consent import refuse_unwanted
from channels.services.conversations import open_conversation
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
MOST_COPIES = 50
# In `Message.details`: that a failed message was sent again, as another one.
SENT_AGAIN = "sent_again"
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
    message = _draft(lock_lead(lead), known, to_address, options)
    message.body, message.subject = body, subject
    message.cc = _checked_cc(message, options.get("cc", ()))
    _refuse_unsendable(message)
    message.save()
    attach_files(message, options.get("files", ()))
    _note_queued(message)
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
    message = _arrived(channel, vendor_id, received_at, options)
    message.type, message.address = message_type, address
    message.subject, message.body = _storable(subject)[:LONGEST_SUBJECT], _storable(body)
    try:
        return _take_in(lead, message)
    except IntegrityError:
        # The same message came in for another lead, or at the same moment.
        if twin := known_message(message.channel, vendor_id):
            return twin
        raise


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


def _draft(lead: Lead, channel: Channel, to_address: str, options: SendOptions) -> Message:
    """A message without its words: in which conversation, through which account, to whom."""
    conversation = open_conversation(lead, channel)
    account = _account_for(conversation, options.get("account"))
    is_assisted = transport_named(account.transport).is_assisted
    return Message(
        conversation=conversation,
        lead=lead,
        account=account,
        author=options.get("author"),
        channel=channel,
        direction=Direction.OUTBOUND,
        type=options.get("message_type", MessageType.TEXT),
        purpose=options.get("purpose", Purpose.PERSONAL),
        status=MessageStatus.PREPARED if is_assisted else MessageStatus.QUEUED,
        address=_checked_address(lead, channel, to_address),
        in_reply_to=last_of_thread(conversation) if channel == Channel.EMAIL else None,
        template=options.get("template"),
        details=dict(options.get("details", {})),
    )


def _refuse_unsendable(message: Message) -> None:
    """Raise ValidationError where the address, or what is written, may not be sent now."""
    conversation, account = message.conversation, message.account
    refuse_unwanted(message.channel, message.address, message.purpose, conversation)
    if message.type == MessageType.TEMPLATE or not account:
        return
    if not window_of(conversation, account).is_open:
        reason = _(
            "The lead has not written within 24 hours: only an approved template may be sent now."
        )
        raise ValidationError({"body": reason}, code="window_closed")


def _note_queued(message: Message) -> None:
    """Whoever writes has a reason to: the conversation is open."""
    conversation = message.conversation
    conversation.state, conversation.snoozed_until = Conversation.State.OPEN, None
    conversation.last_message_at = max(conversation.last_message_at, message.created_at)
    conversation.save()


def _arrived(
    channel: str, vendor_id: str, received_at: datetime | None, options: ReceiveOptions
) -> Message:
    """A message that came in, without its words and its writer."""
    if len(vendor_id) > LONGEST_VENDOR_ID:
        raise ValidationError({"vendor_id": _("Longer than 255 characters.")})
    now = timezone.now()
    return Message(
        channel=_known_channel(channel),
        direction=Direction.INBOUND,
        status=MessageStatus.RECEIVED,
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


def _account_for(conversation: Conversation, wanted: Account | None) -> Account:
    """Through which account a message goes out; the ones before it may have been taken away."""
    channel = conversation.channel
    for account in (wanted, conversation.account, default_account(channel)):
        if account and account.is_active and _is_of(account, conversation):
            return account
    reason = _("No account is connected for %(channel)s: an admin can connect one in the settings.")
    raise ValidationError({"channel": reason % {"channel": Channel(channel).label}})


def _is_of(account: Account, conversation: Conversation) -> bool:
    return (account.tenant_id, account.channel) == (conversation.tenant_id, conversation.channel)


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


def _checked_address(lead: Lead, channel: Channel, wanted: str) -> str:
    known = addresses_of(lead, channel) or hidden_addresses_of(lead, channel)
    if not known:
        raise ValidationError({"channel": NO_ADDRESS[channel]})
    if wanted and wanted not in known:
        reason = _("“%(address)s” is none of the lead's addresses.")
        raise ValidationError({"to_address": reason % {"address": wanted}})
    return wanted or known[0]


def _checked_cc(message: Message, given: Sequence[str]) -> list[str]:
    """The addresses in normal form, each once, and none that gets the mail anyway."""
    if given and message.channel != Channel.EMAIL:
        raise ValidationError({"cc": _("Only e-mails have copies.")})
    try:
        normal = dict.fromkeys(normalise_email(each) for each in given if each.strip())
    except ValidationError as error:
        raise ValidationError({"cc": error.messages}) from None
    copies = [address for address in normal if address != message.address]
    if len(copies) > MOST_COPIES:
        reason = _("A mail goes to up to %(most)d people as a copy.")
        raise ValidationError({"cc": reason % {"most": MOST_COPIES}})
    return copies


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
    if written >= (conversation.last_inbound_at or written):
        conversation.last_inbound_at = written
        conversation.account = message.account or conversation.account
    conversation.waiting_since = min(conversation.waiting_since or written, written)
