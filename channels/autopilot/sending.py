"""Sending what was approved: everything is asked once more in the transaction that queues it.

The message carries until when its draft takes into account what they wrote: whatever the lead
writes between that and the vendor withdraws it there (`Message.unless_answered_since`).
"""

from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels.autopilot.drafts import (
    State,
    lock_draft,
    put_back,
    sent_by_rule_since,
    take_back,
)
from channels.autopilot.gates import is_within_hours
from channels.autopilot.models import Draft, Mode
from channels.autopilot.outdating import Flaw, considered_until, why_outdated
from channels.autopilot.policies import rule_of
from channels.health import hears
from channels.models import Message, Purpose
from channels.services.queueing import MessageDraft, Refusal, queue_messages
from events import Postpone
from salesflow.accounts.context import current_tenant


@transaction.atomic
def send_draft(draft_id: UUID) -> Message | None:
    """Queue an approved draft's message; or put the draft back where it may not go any more.

    Called as often as you like: one message goes out.

    Returns:
        None: nothing was queued.

    Raises:
        Postpone: it can still be stopped.
    """
    try:
        draft = lock_draft(draft_id)
    except Draft.DoesNotExist:
        return None
    if draft.state != State.APPROVED or draft.send_after is None:
        return None
    left = (draft.send_after - timezone.now()).total_seconds()
    if left > 0:
        raise Postpone(left, _("It can still be stopped."))
    if flaw := why_outdated(draft) or _why_not_by_rule(draft):
        take_back(draft, flaw)
        return None
    return _queue(draft)


def note_withdrawn(message_id: UUID) -> None:
    """Note that a draft's message was taken back on its way: the lead had written."""
    row = Draft.objects.filter(message=message_id, state=State.SENT).values_list("pk").first()
    if row is None:
        return
    draft = lock_draft(row[0])
    draft.state, draft.reason = State.FAILED, _("It was withdrawn before it went out.")
    draft.save(update_fields=["state", "reason"])


def _queue(draft: Draft) -> Message | None:
    [queued] = queue_messages([_message_of(draft)])
    if isinstance(queued, Refusal):
        put_back(draft, " ".join(queued.error.messages))
        return None
    draft.state, draft.message, draft.reason = State.SENT, queued, ""
    draft.save()
    return queued


def _message_of(draft: Draft) -> MessageDraft:
    answered = draft.based_on
    assert answered
    return MessageDraft(
        lead=draft.lead,
        channel=draft.conversation.channel,
        body=draft.body,
        subject=draft.subject,
        to_address=draft.to_address,
        account=draft.account,
        author=draft.decided_by,
        purpose=Purpose.PERSONAL,
        details={"draft": str(draft.pk)},
        answers=answered,
        unless_answered_since=considered_until(draft),
    )


def _why_not_by_rule(draft: Draft) -> Flaw | None:
    """What rules say now: those that let it go may have been changed since."""
    rule = rule_of(draft.conversation)
    if not rule.is_on:
        return Flaw(gettext_lazy("The autopilot was switched off."))
    if draft.decided_by_id is not None:
        return None
    deafness = hears(draft.account) if draft.account else ""
    now = timezone.now().astimezone(ZoneInfo(current_tenant().time_zone))
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    reasons: list[tuple[bool, str | Promise]] = [
        (rule.mode != Mode.AUTO, gettext_lazy("A person has to approve here.")),
        (bool(deafness), deafness),
        (not is_within_hours(rule.limits, now), gettext_lazy("It is outside the hours.")),
        # It counts itself.
        (
            sent_by_rule_since(midnight) > rule.limits.per_day,
            gettext_lazy("Enough has gone out today."),
        ),
    ]
    return next((Flaw(reason) for is_so, reason in reasons if is_so), None)
