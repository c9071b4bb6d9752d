"""What makes a draft out of date: the world has moved on since it was written."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels.autopilot.models import Draft
from channels.models import (
    Account,
    Automatic,
    Conversation,
    Direction,
    Message,
    MessageStatus,
    Purpose,
)
from channels.services.accounts import default_account
from channels.services.consent import why_not

# Of a thread, so many messages are looked at for the one that came in last.
LOOKING_BACK = 20


@dataclass(frozen=True)
class Flaw:
    """Why a draft may not go out.

    Attributes:
        is_final: it never may again.
    """

    reason: str | Promise
    is_final: bool = False


def why_outdated(draft: Draft) -> Flaw | None:
    """Why a draft may not go out as things are now; None: it may.

    Asked when somebody approves it, again in the transaction that queues its message, and whenever
    something happens to the lead.
    """
    return _why_never(draft) or _why_not_now(draft)


def _why_never(draft: Draft) -> Flaw | None:
    conversation, answered = draft.conversation, draft.based_on
    if answered is None:
        return Flaw(_("The message that it answers is gone."), is_final=True)
    if is_answered(conversation, answered):
        return Flaw(_("Somebody has answered meanwhile."), is_final=True)
    if conversation.state == Conversation.State.CLOSED:
        return Flaw(_("The conversation was closed."), is_final=True)
    if not draft.lead.is_open:
        return Flaw(_("The deal is closed."), is_final=True)
    return Flaw(_("The draft is too old."), is_final=True) if is_too_old(draft) else None


def _why_not_now(draft: Draft) -> Flaw | None:
    conversation = draft.conversation
    if overtaken := _why_overtaken(draft):
        return Flaw(overtaken)
    account = account_for(conversation)
    if account is None or account.pk != draft.account_id:
        return Flaw(_("It would go out through another account now."))
    refusal = why_not(conversation.channel, draft.to_address, Purpose.PERSONAL, conversation)
    return Flaw(refusal) if refusal else None


def _why_overtaken(draft: Draft) -> str | Promise:
    """What the lead has written since, in words; empty: nothing.

    Each channel has one conversation with a lead.
    """
    rows = Message.objects.filter(
        lead=draft.lead_id,
        direction=Direction.INBOUND,
        automatic=Automatic.NO,
        stored_at__gt=_came_in(draft),
    )
    newer = rows.exclude(pk=draft.based_on_id).order_by()
    newest = dict(newer.values_list("conversation").annotate(Max("stored_at")))
    if newest.pop(draft.conversation_id, None):
        return _("They have written again since.")
    if any(at > considered_until(draft) for at in newest.values()):
        return _("They have written on another channel since.")
    return ""


def considered_until(draft: Draft) -> datetime:
    """Until when what they wrote on other channels keeps a draft from nothing.

    An event has one message answered, and knows of no other. Whoever asks for a draft themselves
    wants it in spite of what has come in until then.
    """
    asked = draft.run.created_at if draft.run.asked_by_id else None
    came_in = _came_in(draft)
    return max(asked, came_in) if asked else came_in


def _came_in(draft: Draft) -> datetime:
    """When the message that it answers did; when it was drafted, where that is gone."""
    answered = draft.based_on
    return answered.stored_at or answered.created_at if answered else draft.created_at


def is_answered(conversation: Conversation, answered: Message) -> bool:
    """Whether somebody has written to the lead in the conversation since."""
    since = answered.stored_at or answered.created_at
    lost = [MessageStatus.FAILED, MessageStatus.WITHDRAWN]
    rows = Message.objects.filter(
        conversation=conversation, direction=Direction.OUTBOUND, created_at__gt=since
    )
    found: bool = rows.exclude(status__in=lost).exists()
    return found


def last_inbound(conversation: Conversation) -> Message | None:
    """What the lead wrote, and came in, last."""
    rows = Message.objects.filter(
        conversation=conversation, direction=Direction.INBOUND, automatic=Automatic.NO
    )
    newest = list(rows.order_by("-created_at", "-id")[:LOOKING_BACK])
    return max(newest, key=lambda row: (row.stored_at or row.created_at, row.id), default=None)


def is_too_old(draft: Draft) -> bool:
    """Whether nobody has decided about it in time."""
    return bool(draft.good_until and draft.good_until < timezone.now())


def account_for(conversation: Conversation) -> Account | None:
    """Through which account an answer goes: where the lead wrote last, else the channel's."""
    own = conversation.account
    return own if own and own.is_active else default_account(conversation.channel)
