"""Drafts: asked for, kept, and taken back where the world has moved on.

What people decide about them is in `channels.autopilot.deciding`. Rows are locked in one order, the
lead before its draft, as everywhere.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from channels.autopilot.cleaning import clean_inbound
from channels.autopilot.differences import share_changed
from channels.autopilot.models import ActionType, Draft, Run
from channels.autopilot.outdating import (
    Flaw,
    account_for,
    is_too_old,
    last_inbound,
    why_outdated,
)
from channels.autopilot.payloads import AutopilotDraftCreated, AutopilotDraftDecided
from channels.autopilot.policies import rule_of
from channels.autopilot.runs import request_run
from channels.models import Channel, Conversation, Message
from channels.queries import addresses_of, hidden_addresses_of
from channels.services.queueing import answered_subject
from events import publish
from leads.models import Lead
from salesflow.accounts.models import User

State = Draft.State
OPEN = [State.PENDING, State.APPROVED]
# Of its run, what decides nothing.
LONG_RUN = ("run__messages", "run__output", "run__result", "run__report", "run__prices")
# --- Asking for one -----------------------------------------------------------------------------


def request_draft(conversation: Conversation, *, asked_by: User | None = None) -> Run | None:
    """Have the reply to what the lead wrote last drafted; None: that is under way, or done.

    Raises:
        ValidationError: there is nothing to answer, the autopilot is off in the conversation, or
            the deal is closed.
    """
    last = last_inbound(conversation)
    if last is None:
        raise ValidationError(_("There is no message to answer."))
    if not rule_of(conversation).is_on:
        raise ValidationError(_("The autopilot is off in this conversation."))
    if not conversation.lead.is_open:
        raise ValidationError(_("The deal is closed: no reply is drafted."))
    # Somebody who asks for another draft gets one; an event gets one for each message.
    runs = Run.objects.filter(conversation=conversation, action=ActionType.DRAFT)
    again = runs.filter(key__startswith=draft_key(last), state=Run.State.FINISHED).count()
    return request_run(
        ActionType.DRAFT,
        key=draft_key(last, again if asked_by else 0),
        lead=conversation.lead,
        conversation=conversation,
        asked_by=asked_by,
    )


def draft_key(message: Message, again: int = 0) -> str:
    """What a run is asked for by: the message that it answers, and how often that was asked for."""
    return f"draft:{message.pk}" + (f":{again}" if again else "")


def answered_by(run: Run) -> UUID:
    """The message that a run of this key answers."""
    return UUID(run.key.split(":")[1])


# --- Keeping one --------------------------------------------------------------------------------


@transaction.atomic
def create_draft(
    run: Run, conversation: Conversation, answered: Message, *, body: str, flags: Sequence[str]
) -> Draft:
    """Keep what a model wrote; what was open in the conversation is superseded.

    To whom it goes is decided here: to the address from which the lead wrote, through the account
    through which they did, as every answer does.
    """
    lock_lead(conversation.lead_id)
    supersede_drafts(conversation, _("A newer draft took its place."))
    rule = rule_of(conversation)
    draft: Draft = Draft.objects.create(
        run=run,
        lead=conversation.lead,
        conversation=conversation,
        account=account_for(conversation),
        to_address=_address_for(answered),
        subject=_subject_for(answered),
        body=body,
        original_body=body,
        based_on=answered,
        flags=list(flags),
        good_until=timezone.now() + timedelta(hours=rule.limits.good_for_hours),
    )
    publish(
        AutopilotDraftCreated(
            lead_id=draft.lead_id,
            draft_id=draft.pk,
            channel=conversation.channel,
            run_id=run.pk,
            mode=rule.mode,
        )
    )
    return draft


def _address_for(answered: Message) -> str:
    lead, channel = answered.lead, answered.channel
    known = addresses_of(lead, channel) or hidden_addresses_of(lead, channel)
    return answered.address if answered.address in known else next(iter(known), "")


def _subject_for(answered: Message) -> str:
    if answered.channel != Channel.EMAIL or not answered.subject:
        return ""
    return answered_subject(" ".join(clean_inbound(answered.subject, 190).text.split()))


# --- What happens meanwhile ---------------------------------------------------------------------


def supersede_drafts(conversation: Conversation, reason: str) -> None:
    """Close what is open in a conversation. The caller holds the lead."""
    for draft in _open_drafts(conversation=conversation):
        close_draft(draft, State.SUPERSEDED, reason, None)


def leads_with_drafts(lead_ids: Iterable[UUID]) -> list[UUID]:
    """Those of the leads for whom something is open, in the order in which leads are locked."""
    rows = Draft.objects.filter(lead__in=set(lead_ids), state__in=OPEN)
    return list(rows.order_by("lead_id").values_list("lead_id", flat=True).distinct())


@transaction.atomic
def review_drafts(lead_id: UUID) -> int:
    """Look again at what is open for a lead, after something happened to them; returns how many
    drafts it concerned.

    What was approved has to be looked at again, and what can never go out is superseded.
    """
    lock_lead(lead_id)
    return sum(map(_review, _open_drafts(lead=lead_id)))


def _review(draft: Draft) -> bool:
    flaw = why_outdated(draft)
    if flaw:
        take_back(draft, flaw)
    return flaw is not None


def take_back(draft: Draft, flaw: Flaw) -> None:
    """Let people look again at what may not go now; close what never may. The caller holds it."""
    if flaw.is_final:
        close_draft(draft, State.SUPERSEDED, str(flaw.reason), None)
    else:
        put_back(draft, flaw.reason)


def put_back(draft: Draft, reason: str | Promise) -> None:
    """Let people look at it again. The caller holds the draft."""
    draft.state, draft.send_after, draft.reason = State.PENDING, None, str(reason)
    draft.decided_at = draft.decided_by = None
    draft.save()


@transaction.atomic
def expire_draft(draft_id: UUID) -> bool:
    """Close a draft that nobody has decided about in time; whether it was one."""
    try:
        draft = lock_draft(draft_id)
    except Draft.DoesNotExist:
        return False
    if draft.state != State.PENDING or not is_too_old(draft):
        return False
    close_draft(draft, State.EXPIRED, _("Nobody has decided about it in time."), None)
    return True


def sent_by_rule_since(at: datetime) -> int:
    """How many drafts of the tenant went, or are to go, out without a person since then."""
    rows = Draft.objects.filter(decided_at__gte=at, decided_by=None)
    return int(rows.filter(state__in=[State.APPROVED, State.SENT]).count())


# --- Locks and small steps ----------------------------------------------------------------------


def lock_lead(lead_id: UUID) -> None:
    """Hold a lead until the transaction ends, but not against those who only refer to it."""
    list(Lead.objects.select_for_update(no_key=True).filter(pk=lead_id).values_list("pk"))


def lock_draft(draft_id: UUID) -> Draft:
    """The draft, locked until the transaction ends, after its lead.

    Raises:
        Draft.DoesNotExist: the tenant has no such draft.
    """
    lock_lead(Draft.objects.values_list("lead_id", flat=True).get(pk=draft_id))
    locked: Draft = _with_relations().get(pk=draft_id)
    return locked


def _with_relations() -> Any:
    rows = Draft.objects.select_for_update(no_key=True, of=("self",))
    rows = rows.select_related("lead", "conversation__account", "account", "based_on", "run")
    return rows.defer(*LONG_RUN)


def _open_drafts(**only: Any) -> list[Draft]:
    return list(_with_relations().filter(state__in=OPEN, **only).order_by("pk"))


def close_draft(draft: Draft, state: str, reason: str, actor: User | None) -> None:
    """Decide about it for good. The caller holds the draft."""
    draft.state, draft.reason, draft.send_after = state, reason, None
    draft.decided_at, draft.decided_by = timezone.now(), actor
    draft.save()
    publish_decision(draft, state)


def publish_decision(draft: Draft, decision: str) -> None:
    """Tell what was decided about it."""
    decided = draft.decided_at or timezone.now()
    publish(
        AutopilotDraftDecided(
            lead_id=draft.lead_id,
            draft_id=draft.pk,
            decision=decision,
            edited=share_changed(draft.original_body, draft.body),
            seconds=max(0.0, (decided - draft.created_at).total_seconds()),
            decided_by_id=draft.decided_by_id,
        )
    )
