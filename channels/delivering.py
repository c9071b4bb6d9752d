"""Giving a queued message to its transport, so that no message goes out twice.

1. Whether it may go now is asked (`channels.admission`): consent, window, account, limits, circuit.
   If not yet, it waits without having been tried.
2. The call is noted on the row (`sending_since`) and committed.
3. The transport is called, outside any transaction.
4. Its answer is recorded, and with it `message.sent` or `message.failed` is published.

Whoever finds a message whose call was noted but not answered (a worker that died in between)
cannot know whether it went out: it becomes `unknown` and is never sent again by itself.
"""

from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels.admission import LOOK_AGAIN, ask_circuit, tell_circuit, wait_of, why_never
from channels.files import files_of
from channels.identifying import remember
from channels.models import Message, MessageStatus, Purpose
from channels.services.accounts import note_error, note_sent, stop_account
from channels.services.consent import mark_bounced, opt_out
from channels.services.messages import lock_message, note_sent_at
from channels.statuses import advance
from channels.transports import (
    AccountRefused,
    Outgoing,
    Receipt,
    Sender,
    Transport,
    TransportError,
    transport_named,
)
from channels.unsubscribing import unsubscribe_url
from events import Permanent, Postpone, Retry

log = structlog.get_logger(__name__)

# Tries in all before a message that is refused for the time being is given up.
MOST_ATTEMPTS = 8
SENDABLE = (MessageStatus.QUEUED, MessageStatus.FAILED)


def deliver(message_id: UUID) -> None:
    """Send a queued message, or one that failed and was replayed; what was sent stays sent.

    Raises:
        Postpone: it may not go now, and was not tried.
        Retry: the transport asks for another try after so many seconds.
        TransportError: it asks for another try, and leaves the time to us.
        Permanent: the message was refused for good, its tries ran out, it was deleted, or nobody
            knows whether it went out; the reason is on its row too.
    """
    message = _note_call(message_id)
    if message is None:
        return
    assert message.account
    error: Exception | None = None
    try:
        transport = transport_named(message.account.transport)
        receipt = transport.send(message.account, _outgoing(message))
    except TransportError as refusal:
        error = refusal
        _record_refusal(message, refusal)
    except Exception as fault:  # a transport that breaks may have sent the message
        error = fault
        said = f"{type(fault).__name__}: {fault}"
        reason = format_lazy(_("The transport broke: {error}"), error=said)
        _record_unknown(message_id, reason)
        raise Permanent(reason) from fault
    else:
        _record_acceptance(message_id, transport, receipt)
    finally:
        tell_circuit(message, error)


def _note_call(message_id: UUID) -> Message | None:
    """The message, its call noted; None when there is nothing left to do."""
    try:
        with transaction.atomic():
            step = _next_step(lock_message(message_id))
    except Message.DoesNotExist:
        raise Permanent(_("The message was deleted before it was sent.")) from None
    if isinstance(step, Exception):
        raise step
    return step


def _next_step(message: Message) -> Message | Exception | None:
    """What is to be done about a message: the call, nothing, or what is to be raised.

    What it writes is committed before that is raised.
    """
    if message.sending_since:
        reason = _("The worker was interrupted while it handed the message over.")
        _mark_unknown(message, reason)
        return Permanent(reason)
    if message.status == MessageStatus.UNKNOWN:
        return Permanent(message.error)
    if message.status not in SENDABLE:
        return None
    if refusal := why_never(message):
        _mark_failed(message, refusal, permanent=True)
        return Permanent(refusal)
    if wait := wait_of(message):
        return wait
    ask_circuit(message)
    _begin_attempt(message)
    return message


def _begin_attempt(message: Message) -> None:
    if advance(message, MessageStatus.QUEUED, at=timezone.now()):
        # It had failed, and is being replayed.
        message.failed_at, message.attempts = None, 0
    assert message.account
    message.sending_since = timezone.now()
    message.attempts += 1
    # What is told before the call finds its message even if nobody hears the answer.
    transport = transport_named(message.account.transport)
    message.vendor_id = transport.foretell_id(message.account, message.id, message.attempts)
    message.save()


def _outgoing(message: Message) -> Outgoing:
    answered = message.in_reply_to
    is_marketing = message.purpose == Purpose.MARKETING
    return Outgoing(
        message_id=message.id,
        conversation_id=message.conversation_id,
        channel=message.channel,
        message_type=message.type,
        purpose=message.purpose,
        address=message.address,
        name=message.lead.name,
        subject=message.subject,
        body=message.body,
        cc=tuple(message.cc),
        details=message.details,
        answers=answered.vendor_id if answered else "",
        references=answered.references if answered else "",
        unsubscribe_url=unsubscribe_url(message) if is_marketing else "",
        files=files_of(message),
        attempt=message.attempts,
    )


def _record_acceptance(message_id: UUID, transport: Transport, receipt: Receipt) -> None:
    with transaction.atomic():
        message, now = lock_message(message_id), timezone.now()
        message.transport, message.vendor_id = transport.name, receipt.vendor_id
        message.references = receipt.references
        message.sending_since = None
        # A report may have come in before the answer did, and said more than it.
        if advance(message, MessageStatus.SENT, at=now):
            message.error, message.permanent = "", False
        if message.latency_ms is None:
            note_sent_at(message, message.sent_at or now)
        message.save()
        _note_identity(message, receipt)
    assert message.account_id
    note_sent(message.account_id)
    log.info("message_sent", message_id=str(message_id), latency_ms=message.latency_ms)


def _note_identity(message: Message, receipt: Receipt) -> None:
    """Remember under which id the vendor knows the lead: their answer comes from there."""
    if receipt.external_id and message.account:
        sender = Sender(receipt.external_id, name=message.lead.name)
        remember(message.account, sender, message.lead)


def _record_refusal(called: Message, error: TransportError) -> None:
    """Note why the transport did not take the message, and tell the engine what follows."""
    assert called.account_id
    note_error(called.account_id, error.reason)
    if error.unknown:
        _record_unknown(called.id, error.reason)
        raise Permanent(error.reason) from error
    if isinstance(error, AccountRefused):
        _put_back(called.id)
        stop_account(called.account_id, error.reason)
        raise Postpone(LOOK_AGAIN, error.reason) from error
    with transaction.atomic():
        message = lock_message(called.id)
        given_up = error.permanent or message.attempts >= MOST_ATTEMPTS
        if given_up:
            _mark_failed(message, error.reason, permanent=error.permanent)
        else:
            message.error, message.sending_since = str(error.reason), None
            message.save()
        _note_recipient(message, error)
    if given_up:
        raise Permanent(error.reason) from error
    if error.retry_after is not None:
        raise Retry(error.retry_after, error.reason) from error
    raise error


def _note_recipient(message: Message, error: TransportError) -> None:
    """Remember what the vendor says of the recipient."""
    lead, channel, address = message.lead, message.channel, message.address
    said = str(error.reason)
    if error.opted_out:
        proof = {"message": str(message.id), "said": said}
        opt_out(lead, channel=channel, address=address, source="vendor", proof=proof)
    if error.bounced:
        mark_bounced(
            lead, channel=channel, address=address, hard=True, reason=said, message_id=message.id
        )


@transaction.atomic
def _put_back(message_id: UUID) -> None:
    """As if it had not been tried: the account is at fault, and no message suffers for it."""
    message = lock_message(message_id)
    message.attempts -= 1
    message.sending_since = None
    message.save()


def _mark_failed(message: Message, reason: str | Promise, *, permanent: bool) -> None:
    advance(message, MessageStatus.FAILED, at=timezone.now())
    message.error, message.permanent = str(reason), permanent
    message.sending_since = None
    message.save()


@transaction.atomic
def _record_unknown(message_id: UUID, reason: str | Promise) -> None:
    _mark_unknown(lock_message(message_id), reason)


def _mark_unknown(message: Message, reason: str | Promise) -> None:
    if advance(message, MessageStatus.UNKNOWN, at=timezone.now()):
        message.error = str(reason)
    message.sending_since = None
    message.save()
