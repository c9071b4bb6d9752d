"""Whether a queued message may go now: asked in the transaction that notes its call."""

from datetime import timedelta

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels.health import circuit_key
from channels.models import Account, Message, MessageStatus, MessageType
from channels.pacing import draw_place
from channels.services.consent import why_not
from channels.transports import transport_named
from channels.windows import window_of
from events import BreakerPolicy, Postpone
from events.breakers import begin_call, end_call

POLICY = BreakerPolicy(failure_rate=0.5, minimum=10, window=60, cooldown=10)
# Seconds after which a call that is a circuit's probe counts as lost.
TIMEOUT = 150.0
# Seconds after which somebody looks whether a stopped account may be used again.
LOOK_AGAIN = 60.0
# Seconds for the message before it in the conversation, and how long it is waited for at all.
TURN, PATIENCE = 0.5, timedelta(seconds=30)
# A place that is so near is taken at once: sleeping would take longer.
NEAR = timedelta(milliseconds=50)


def why_never(message: Message) -> str | Promise | None:
    """Why this message must not go out, whenever; None: it may."""
    account = message.account
    if account is None or not account.is_active:
        return _("The account that was to send it is not connected any more.")
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
        reason = _("The account is stopped: {reason}")
        return Postpone(LOOK_AGAIN, format_lazy(reason, reason=account.stopped_reason))
    if _is_overtaking(message):
        return Postpone(TURN, _("An earlier message of the conversation goes first."))
    return _wait_for_place(message, account)


def ask_circuit(message: Message) -> None:
    """Raise Postpone while the account's server is left alone."""
    begin_call(_circuit_of(message), _call_id(message), TIMEOUT)


def tell_circuit(message: Message, error: Exception | None) -> None:
    """Say what came of the call; only what speaks against the server counts as its failure."""
    is_fault = error is not None and getattr(error, "at_fault", True)
    end_call(_circuit_of(message), _call_id(message), POLICY, error if is_fault else None)


def _is_overtaking(message: Message) -> bool:
    """Whether an earlier message of the conversation has still to go, and is about to."""
    now = timezone.now()
    if message.created_at < now - PATIENCE:
        return False
    earlier = Message.objects.filter(
        conversation=message.conversation_id,
        created_at__gte=message.created_at - PATIENCE,
        created_at__lt=message.created_at,
        status=MessageStatus.QUEUED,
        attempts__lte=1,
    )
    found: bool = earlier.exists()
    return found


def _wait_for_place(message: Message, account: Account) -> Postpone | None:
    now = timezone.now()
    place = message.slot_at
    if place is None:
        limits = transport_named(account.transport).limits
        place, now = draw_place(account, limits, message.address)
    if place <= now + NEAR:
        message.slot_at = None
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
