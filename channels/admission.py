"""Whether a queued message may go now, or at all: asked in the transaction that notes its call."""

from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels.health import circuit_key
from channels.models import Account, Message, MessageStatus, MessageType, Withdrawal
from channels.pacing import draw_place
from channels.queries import has_unread_inbound, has_written_since
from channels.services.consent import why_not
from channels.transports import TransportError, transport_named
from channels.windows import window_of
from events import BreakerPolicy, Postpone
from events.breakers import begin_call, end_call

POLICY = BreakerPolicy(failure_rate=0.5, minimum=10, window=60, cooldown=10)
# Seconds after which a call that is a circuit's probe counts as lost.
TIMEOUT = 150.0
# Seconds after which somebody looks whether a stopped account may be used again.
LOOK_AGAIN = 60.0
# Seconds for what has come in to be read, and for the message before it in the conversation, at
# least; and how long that one is waited for at all: longer than it may take until it is looked at
# again.
TURN, PATIENCE = 0.5, timedelta(seconds=LOOK_AGAIN + 10)
# How much older it may be, and for how long it may be tried a second time.
REACH, SECOND_TRY = timedelta(days=1), timedelta(seconds=30)
# A place that is so near is taken at once: sleeping would take longer.
NEAR = timedelta(milliseconds=50)


def why_withdrawn(message: Message) -> Withdrawal | None:
    """Why this message shall not go out any more, and nobody has to be told; None: it may."""
    if message.not_after and message.not_after < timezone.now():
        return Withdrawal.LATE
    since = message.unless_answered_since
    answered = message.in_reply_to_id
    if since and has_written_since(message.lead_id, since, besides=answered):
        return Withdrawal.ANSWERED
    return None


def why_never(message: Message) -> str | Promise | None:
    """Why this message must not go out, whenever; None: it may."""
    account = message.account
    if account is None or not account.is_active:
        return _("The account that was to send it is not connected any more.")
    try:
        transport_named(account.transport)
    except TransportError as error:
        return error.reason
    refusal = why_not(message.channel, message.address, message.purpose, message.conversation)
    if refusal:
        return refusal
    is_template = message.type == MessageType.TEMPLATE
    if not is_template and not window_of(message.conversation, account).is_open:
        return _("The 24 hours since the lead's last message are over: only a template may go.")
    return None


def wait_of(message: Message) -> Postpone | None:
    """What it has to wait for; None: nothing. Saves the place that it draws."""
    account = message.account
    assert account
    if account.stopped_at:
        _hold(message, None)
        reason = _("The account is stopped: {reason}")
        return Postpone(LOOK_AGAIN, format_lazy(reason, reason=account.stopped_reason))
    return (
        _wait_for_reading(message) or _wait_for_turn(message) or _wait_for_place(message, account)
    )


def ask_circuit(message: Message) -> None:
    """Raise Postpone while the account's server is left alone."""
    begin_call(_circuit_of(message), _call_id(message), TIMEOUT)


def tell_circuit(message: Message, error: Exception | None) -> None:
    """Say what came of the call; only what speaks against the server counts as its failure."""
    is_fault = error is not None and getattr(error, "at_fault", True)
    end_call(_circuit_of(message), _call_id(message), POLICY, error if is_fault else None)


def _wait_for_reading(message: Message) -> Postpone | None:
    """The wait for what has just come in, for a message that an answer would stop."""
    if message.unless_answered_since is None or not has_unread_inbound():
        return None
    return Postpone(TURN, _("Something has come in that may be an answer: it is read first."))


def _wait_for_turn(message: Message) -> Postpone | None:
    """The wait for an earlier message of the conversation that is about to go."""
    if not _is_overtaking(message):
        return None
    now = timezone.now()
    held = now - (message.held_since or now)
    if held > PATIENCE:
        return None
    _hold(message, message.held_since or now)
    # The longer it takes, the more seldom it is looked at.
    wait = max(TURN, held.total_seconds() / 10)
    return Postpone(wait, _("An earlier message of the conversation goes first."))


def _is_overtaking(message: Message) -> bool:
    """Whether an earlier one goes the same way: not tried yet, under way, or refused just now."""
    once = Q(attempts=1, created_at__gt=timezone.now() - SECOND_TRY)
    earlier = Message.objects.filter(
        Q(attempts=0) | Q(sending_since__isnull=False) | once,
        conversation=message.conversation_id,
        account=message.account_id,
        created_at__gte=message.created_at - REACH,
        created_at__lt=message.created_at,
        status=MessageStatus.QUEUED,
    )
    found: bool = earlier.exists()
    return found


def _hold(message: Message, since: datetime | None) -> None:
    """Note since when it waits for another; while its account is stopped that does not count."""
    if message.held_since != since:
        message.held_since = since
        message.save(update_fields=["held_since"])


def _wait_for_place(message: Message, account: Account) -> Postpone | None:
    now = timezone.now()
    place = message.slot_at
    if place is None:
        limits = transport_named(account.transport).limits
        place, now = draw_place(account, limits, message.address)
    if place <= now + NEAR:
        message.slot_at = message.held_since = None
        return None
    message.slot_at = place
    message.save(update_fields=["slot_at"])
    wait = (place - now).total_seconds()
    return Postpone(wait, _("The account's limit is reached."))


def _circuit_of(message: Message) -> str:
    return circuit_key(message.account_id)


def _call_id(message: Message) -> int:
    # A positive bigint: the random half of the id.
    return message.id.int & ((1 << 62) - 1)
