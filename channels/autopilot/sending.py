"""Sending what was approved: everything is asked once more in the transaction that queues it.

The message carries until when its draft takes into account what they wrote: whatever the lead
writes between that and the vendor withdraws it there (`Message.unless_answered_since`).
"""

from collections.abc import Iterator
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels.autopilot.drafts import (
    State,
    lock_draft,
    put_back,
    sent_by_rule_since,
    take_back,
)
from channels.autopilot.gates import Flag, Gate, is_within_hours, limit_gates
from channels.autopilot.models import Draft, Mode, Run
from channels.autopilot.outdating import Flaw, considered_until, why_outdated
from channels.autopilot.policies import Rule, rule_of
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
    closed = (Flaw(gate.why) for gate in _gates_now(draft, rule) if not gate.is_open)
    return next(closed, None)


def _gates_now(draft: Draft, rule: Rule) -> Iterator[Gate]:
    """What may have closed since the draft was made: by the clock, or by other limits."""
    limits, now = rule.limits, timezone.now().astimezone(ZoneInfo(current_tenant().time_zone))
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    deafness = hears(draft.account) if draft.account else ""
    yield Gate("mode", rule.mode == Mode.AUTO, gettext_lazy("A person has to approve here."))
    yield Gate("hears", not deafness, deafness)
    yield Gate("hours", is_within_hours(limits, now), gettext_lazy("It is outside the hours."))
    # It counts itself.
    is_few = sent_by_rule_since(midnight) <= limits.per_day
    yield Gate("count", is_few, gettext_lazy("Enough has gone out today."))
    found = Run.objects.only("result", "report").get(pk=draft.run_id)
    is_new = Flag.FIRST_CONTACT in draft.flags
    yield from limit_gates(
        limits,
        topic=found.result.get("topic", ""),
        is_first_contact=is_new,
        is_own_words=found.report.get("own_words", False),
        sure=found.report.get("confidence", 0.0),
    )
