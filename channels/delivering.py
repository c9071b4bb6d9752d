"""Giving a queued message to its transport, so that no message goes out twice.

1. Whether it may go now is asked (`channels.admission`): an answer in the meantime, consent,
   window, account, limits, circuit. If not yet, it waits without having been tried.
2. The call is noted on the row (`sending_since`) and committed.
3. The transport is called, outside any transaction.
4. Its answer is recorded, and with it `message.sent` or `message.failed` is published.

Whoever finds a message whose call was noted but not answered (a worker that died in between)
cannot know whether it went out: it becomes `unknown` and is never sent again by itself.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Subquery
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels.admission import (
    LOOK_AGAIN,
    ask_circuit,
    tell_circuit,
    wait_of,
    why_never,
    why_withdrawn,
)
from channels.faults import TransportBroke
from channels.files import files_of
from channels.identifying import remember
from channels.models import Message, MessageStatus, Purpose, Withdrawal
from channels.noting import note_template
from channels.services.accounts import note_error, note_sent, stop_account
from channels.services.consent import mark_bounced, opt_out
from channels.services.messages import SENT_AGAIN, lock_message
from channels.services.outcomes import note_failed, note_sent_at
from channels.services.withdrawing import note_withdrawn
from channels.statuses import advance
from channels.tracking.links import track
from channels.transports import (
    AccountRefused,
    Outgoing,
    Receipt,
    Sender,
    TransportError,
    transport_named,
)
from channels.unsubscribing import unsubscribe_url
from events import Permanent, Postpone, Retry
from leads.models import Lead

log = structlog.get_logger(__name__)

T = TypeVar("T")

# Tries in all before a message that is refused for the time being is given up.
MOST_ATTEMPTS = 8
SENDABLE = (MessageStatus.QUEUED, MessageStatus.FAILED)
# Seconds for which an answer is tried to be written down, and between two tries.
PERSISTENCE, PAUSE = 20.0, 0.5


class Call(NamedTuple):
    """A call that was noted, and is to be made."""

    message: Message
    outgoing: Outgoing


def deliver(message_id: UUID) -> None:
    """Send a queued message, or one that failed and was replayed; what was sent stays sent.

    Raises:
        Postpone: it may not go now, and was not tried.
        Retry: the transport asks for another try after so many seconds.
        TransportError: it asks for another try, and leaves the time to us.
        Permanent: the message was refused for good, its tries ran out, it was deleted, or nobody
            knows whether it went out; the reason is on its row too.
    """
    call = _note_call(message_id)
    if call is None:
        return
    # What ends neither way was interrupted: its time was over.
    error: Exception | None = TransportError(_("The call was interrupted."), unknown=True)
    try:
        receipt = _make(call)
    except TransportError as refusal:
        error = refusal
        if follows := _persistently(partial(_record_refusal, call.message, refusal)):
            raise follows from refusal
        raise
    except TransportBroke as broke:  # it may have sent the message
        error = broke
        reason = format_lazy(_("The transport broke: {error}"), error=str(broke))
        _persistently(partial(_record_unknown, message_id, reason))
        raise Permanent(reason) from broke
    else:
        error = None
        _persistently(partial(_record_acceptance, call.message, receipt))
    finally:
        tell_circuit(call.message, error)


def _note_call(message_id: UUID) -> Call | None:
    """The call, noted on the message; None when there is nothing left to do."""
    try:
        with transaction.atomic():
            _let_answers_in(message_id)
            message = lock_message(message_id)
            step = _next_step(message)
    except Message.DoesNotExist:
        raise Permanent(_("The message was deleted before it was sent.")) from None
    if isinstance(step, Exception):
        raise step
    return Call(message, step) if step else None


def _let_answers_in(message_id: UUID) -> None:
    """Hold the lead of a message that an answer would stop: either the answer that is just coming
    in is there by now, or it waits until the call is noted.

    Leads are locked before their messages, as everywhere.
    """
    stoppable = Message.objects.filter(pk=message_id, unless_answered_since__isnull=False)
    # One value, no join: that is planned alike however little is known of a table that has grown.
    leads = Lead.objects.filter(pk=Subquery(stoppable.values("lead")))
    # Evaluated for its lock; whoever has no lead any more has no message either.
    list(leads.select_for_update(no_key=True).values_list("pk"))


def _next_step(message: Message) -> Outgoing | Exception | None:
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
    if message.details.get(SENT_AGAIN):
        return Permanent(_("A colleague has sent it again, as a message of its own."))
    if withdrawal := why_withdrawn(message):
        return _take_back(message, withdrawal)
    if refusal := why_never(message):
        _mark_failed(message, refusal, permanent=True)
        return Permanent(refusal)
    if wait := wait_of(message):
        return wait
    ask_circuit(message)
    return _begin_attempt(message)


def _take_back(message: Message, reason: Withdrawal) -> Exception | None:
    """Nobody gets it, and nobody is alarmed; one that had failed, and is replayed, stays so."""
    if not note_withdrawn(message, reason):
        return Permanent(reason.label)
    message.save()
    log.info("message_withdrawn", message_id=str(message.pk), reason=reason.value)
    return None


def _begin_attempt(message: Message) -> Outgoing:
    if advance(message, MessageStatus.QUEUED, at=timezone.now()):
        _begin_anew(message)
    assert message.account
    message.sending_since = timezone.now()
    message.attempts += 1
    # What is told before the call finds its message even if nobody hears the answer, and what
    # follows it goes on in its thread.
    account, transport = message.account, transport_named(message.account.transport)
    outgoing = _outgoing(message)
    message.vendor_id = transport.foretell_id(account, message.id, message.attempts)
    message.references = transport.foretell_references(account, outgoing)
    message.save()
    return outgoing


def _begin_anew(message: Message) -> None:
    """It had failed, and is being replayed: what it comes to is told and measured again.

    Its tries go on being counted: a late report about an earlier one is told by that number.
    """
    message.failed_at = message.sent_at = None
    message.latency_ms = message.answer_ms = None
    message.earlier_attempts = message.attempts


def _outgoing(message: Message) -> Outgoing:
    answered = message.in_reply_to
    is_marketing = message.purpose == Purpose.MARKETING
    tracks = track(message)
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
        pixel_url=tracks.pixel_url,
        links=tracks.links,
        files=files_of(message),
        attempt=message.attempts,
    )


def _make(call: Call) -> Receipt:
    """The transport's answer.

    Raises:
        TransportError: it does not take the message; without what that was made of.
        TransportBroke: anything else.
    """
    account = call.message.account
    assert account
    try:
        return transport_named(account.transport).send(account, call.outgoing)
    except TransportError as refusal:
        raise refusal from None
    except Exception as fault:  # a transport may raise anything
        raise TransportBroke.of(fault) from None


def _persistently(record: Callable[[], T]) -> T:
    """Write down what a transport answered even if the database was away for a while.

    Nobody could find it out again: the message would be `unknown`.
    """
    give_up_at = time.monotonic() + PERSISTENCE
    while True:
        try:
            return record()
        except (OperationalError, InterfaceError) as error:
            if connection.in_atomic_block or time.monotonic() > give_up_at:
                raise
            log.warning("answer_not_recorded_yet", error=str(error).strip())
            connection.close()
            time.sleep(PAUSE)


def _record_acceptance(called: Message, receipt: Receipt) -> None:
    assert called.account
    with transaction.atomic():
        message, now = lock_message(called.id), timezone.now()
        message.transport, message.vendor_id = called.account.transport, receipt.vendor_id
        message.references = receipt.references or message.references
        # A report may have come in before the answer did, and said more than it.
        if advance(message, MessageStatus.SENT, at=now):
            message.error, message.permanent = "", False
        if message.sent_at and message.latency_ms is None:
            note_sent_at(message, message.sent_at)
        message.sending_since = None
        message.save()
        _note_identity(message, receipt)
    note_sent(called.account.pk)
    log.info("message_sent", message_id=str(message.pk), latency_ms=message.latency_ms)


def _note_identity(message: Message, receipt: Receipt) -> None:
    """Remember under which id the vendor knows the lead: their answer comes from there."""
    if receipt.external_id and message.account:
        sender = Sender(receipt.external_id, name=message.lead.name)
        remember(message.account, sender, message.lead)


def _record_refusal(called: Message, error: TransportError) -> Exception | None:
    """Note why the transport did not take the message.

    Returns:
        What tells the engine what follows; None: another try, when it thinks fit.
    """
    assert called.account_id
    note_error(called.account_id, error.reason)
    if error.unknown:
        _record_unknown(called.id, error.reason)
        return Permanent(error.reason)
    if isinstance(error, AccountRefused):
        _put_back(called.id)
        stop_account(called.account_id, error.reason)
        return Postpone(LOOK_AGAIN, error.reason)
    with transaction.atomic():
        message = lock_message(called.id)
        given_up = error.permanent or _is_given_up(message)
        if given_up:
            _mark_failed(message, error.reason, permanent=error.permanent)
        else:
            message.error, message.sending_since = str(error.reason), None
            message.save()
        _note_recipient(message, error)
    if given_up:
        return Permanent(error.reason)
    return None if error.retry_after is None else Retry(error.retry_after, error.reason)


def _is_given_up(message: Message) -> bool:
    """Whether nobody will try it again: its tries ran out, or this worker was taken for dead."""
    tries = message.attempts - message.earlier_attempts
    return tries >= MOST_ATTEMPTS or message.status == MessageStatus.UNKNOWN


def _note_recipient(message: Message, error: TransportError) -> None:
    """Remember what the vendor says of the recipient, and of the template."""
    lead, channel, address = message.lead, message.channel, message.address
    said = str(error.reason)
    if error.opted_out:
        proof = {"message": str(message.id), "said": said}
        opt_out(lead, channel=channel, address=address, source="vendor", proof=proof)
    if error.bounced:
        mark_bounced(
            lead, channel=channel, address=address, hard=True, reason=said, message_id=message.id
        )
    if error.template_status:
        note_template(message, error.template_status)


@transaction.atomic
def _put_back(message_id: UUID) -> None:
    """As if it had not been tried: the account is at fault, and no message suffers for it."""
    message = lock_message(message_id)
    if message.sending_since:
        message.attempts -= 1
        message.sending_since = None
        message.save()


def _mark_failed(message: Message, reason: str | Promise, *, permanent: bool) -> None:
    if advance(message, MessageStatus.FAILED, at=timezone.now()):
        note_failed(message)
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
