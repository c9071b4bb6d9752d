"""Giving a queued message to its transport, so that no message goes out twice.

1. The call is noted on the row (`sending_since`) and committed.
2. The transport is called, outside any transaction.
3. Its answer is recorded, and with it `message.sent` or `message.failed` is published.

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

from channels.models import Message, MessageStatus
from channels.services import lock_message, milliseconds_between
from channels.statuses import advance
from channels.transports import Outgoing, Receipt, TransportError, transport_for
from events import Permanent, Retry

log = structlog.get_logger(__name__)

# Tries in all before a message that is refused for the time being is given up.
MOST_ATTEMPTS = 8


def deliver(message_id: UUID) -> None:
    """Send a queued message, or one that failed and was replayed; what was sent stays sent.

    Raises:
        Retry: the transport asks for another try after so many seconds.
        TransportError: it asks for another try, and leaves the time to us.
        Permanent: the message was refused for good, its tries ran out, it was deleted, or nobody
            knows whether it went out; the reason is on its row too.
    """
    message = _note_call(message_id)
    if message is None:
        return
    try:
        transport = transport_for(message.channel)
        receipt = transport.send(_outgoing(message))
    except TransportError as error:
        _record_refusal(message_id, error)
    except Exception as error:  # a transport that breaks may have sent the message
        said = f"{type(error).__name__}: {error}"
        reason = format_lazy(_("The transport broke: {error}"), error=said)
        _record_unknown(message_id, reason)
        raise Permanent(reason) from error
    else:
        _record_acceptance(message_id, transport.name, receipt)


def _note_call(message_id: UUID) -> Message | None:
    """The message, its call noted; None when there is nothing left to do."""
    try:
        with transaction.atomic():
            message = lock_message(message_id)
            interrupted = message.sending_since is not None
            if _may_be_sent(message):
                _begin_attempt(message)
                return message
    except Message.DoesNotExist:
        raise Permanent(_("The message was deleted before it was sent.")) from None
    if interrupted:
        reason = _("The worker was interrupted while it handed the message over.")
        _record_unknown(message_id, reason)
        raise Permanent(reason)
    if message.status == MessageStatus.UNKNOWN:
        raise Permanent(message.error)
    return None


def _may_be_sent(message: Message) -> bool:
    sendable = (MessageStatus.QUEUED, MessageStatus.FAILED)
    return message.sending_since is None and message.status in sendable


def _begin_attempt(message: Message) -> None:
    if advance(message, MessageStatus.QUEUED, at=timezone.now()):
        # It had failed, and is being replayed.
        message.failed_at, message.attempts = None, 0
    message.sending_since = timezone.now()
    message.attempts += 1
    message.save()


def _outgoing(message: Message) -> Outgoing:
    return Outgoing(
        message_id=message.id,
        channel=message.channel,
        message_type=message.type,
        address=message.address,
        subject=message.subject,
        body=message.body,
        attempt=message.attempts,
    )


@transaction.atomic
def _record_acceptance(message_id: UUID, transport: str, receipt: Receipt) -> None:
    message, now = lock_message(message_id), timezone.now()
    message.transport, message.vendor_id = transport, receipt.vendor_id
    message.error, message.permanent, message.sending_since = "", False, None
    message.latency_ms = milliseconds_between(message.created_at, now)
    advance(message, MessageStatus.SENT, at=now)
    message.save()
    log.info("message_sent", message_id=str(message_id), latency_ms=message.latency_ms)


def _record_refusal(message_id: UUID, error: TransportError) -> None:
    """Note why the transport did not take the message, and tell the engine what follows."""
    if error.unknown:
        _record_unknown(message_id, error.reason)
        raise Permanent(error.reason) from error
    with transaction.atomic():
        message = lock_message(message_id)
        message.error, message.permanent = str(error.reason), error.permanent
        message.sending_since = None
        given_up = error.permanent or message.attempts >= MOST_ATTEMPTS
        if given_up:
            advance(message, MessageStatus.FAILED, at=timezone.now())
        message.save()
    if given_up:
        raise Permanent(error.reason) from error
    if error.retry_after is not None:
        raise Retry(error.retry_after, error.reason) from error
    raise error


@transaction.atomic
def _record_unknown(message_id: UUID, reason: str | Promise) -> None:
    message = lock_message(message_id)
    if advance(message, MessageStatus.UNKNOWN, at=timezone.now()):
        message.error = str(reason)
    message.sending_since = None
    message.save()
