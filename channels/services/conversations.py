"""Who takes care of a conversation, and when."""

from datetime import UTC, datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from channels.models import Channel, Conversation, Replying
from channels.payloads import (
    ConversationAssigned,
    ConversationClosed,
    ConversationPayload,
    ConversationReopened,
    ConversationSnoozed,
)
from events import publish
from leads.models import Lead
from salesflow.accounts.models import User
from salesflow.accounts.queries import team_members

State = Conversation.State
# Before any message.
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
# Times at the end of the calendar have none in some time zones.
LONGEST_SNOOZE = timedelta(days=100 * 365)


def open_conversation(lead: Lead, channel: Channel) -> Conversation:
    """The lead's conversation on the channel, locked; the caller dates and saves it.

    A new one is as old as can be: what is read from a mailbox first may be of last year.
    """
    rows = Conversation.objects.select_for_update()
    conversation: Conversation = rows.get_or_create(
        lead=lead, channel=channel, defaults={"last_message_at": NEVER}
    )[0]
    return conversation


def lock_conversation(conversation: Conversation) -> Conversation:
    """The conversation as it is in the database, locked until the transaction ends.

    Raises:
        Conversation.DoesNotExist: it was deleted, or belongs to another tenant.
    """
    locked: Conversation = Conversation.objects.select_for_update().get(pk=conversation.pk)
    return locked


@transaction.atomic
def assign_conversation(conversation: Conversation, assignee: User | None) -> Conversation:
    """Give a conversation to a member of the tenant, or to nobody.

    Raises:
        ValidationError: under "assignee": they are no active member.
    """
    if assignee and not team_members().filter(pk=assignee.pk).exists():
        reason = _("%(name)s is no member of this team.") % {"name": assignee}
        raise ValidationError({"assignee": reason})
    conversation = lock_conversation(conversation)
    before, conversation.assignee = conversation.assignee_id, assignee
    conversation.save(update_fields=["assignee", "changed_at"])
    if conversation.assignee_id != before:
        name = str(assignee) if assignee else ""
        assigned = {"from_assignee_id": before, "assignee_id": conversation.assignee_id}
        publish(ConversationAssigned.about(conversation, assignee=name, **assigned))
    return conversation


@transaction.atomic
def snooze_conversation(conversation: Conversation, until: datetime) -> Conversation:
    """Hide a conversation until a time, or until the lead writes.

    Raises:
        ValidationError: under "until": that is past, or beyond all plans.
    """
    now = timezone.now()
    if until <= now:
        raise ValidationError({"until": _("Choose a time that is yet to come.")})
    if until > now + LONGEST_SNOOZE:
        raise ValidationError({"until": _("Choose a time within the next hundred years.")})
    conversation = lock_conversation(conversation)
    _enter(conversation, State.SNOOZED, until)
    return conversation


@transaction.atomic
def close_conversation(conversation: Conversation) -> Conversation:
    """Be done with a conversation until the lead writes again."""
    conversation = lock_conversation(conversation)
    # Whoever closes it has decided that there is nothing to answer.
    conversation.waiting_since = None
    _enter(conversation, State.CLOSED)
    return conversation


@transaction.atomic
def reopen_conversation(conversation: Conversation) -> Conversation:
    """Put a conversation among the open ones."""
    conversation = lock_conversation(conversation)
    _enter(conversation, State.OPEN)
    return conversation


def wake_conversations() -> int:
    """Open the snoozed conversations of all tenants whose time has come; returns how many."""
    due = Conversation.unscoped.filter(state=State.SNOOZED, snoozed_until__lte=Now())
    return due.update(state=State.OPEN, snoozed_until=None, changed_at=Now())


def mark_conversation_read(conversation: Conversation) -> None:
    """Note that somebody has looked at the conversation; what has come in since stays unread."""
    if not conversation.unread:
        return
    now = timezone.now()
    rows = Conversation.objects.filter(pk=conversation.pk)
    if rows.filter(unread=conversation.unread).update(unread=0, changed_at=now):
        conversation.unread, conversation.changed_at = 0, now
    else:
        conversation.refresh_from_db(fields=["unread", "changed_at"])


def mark_conversation_unread(conversation: Conversation) -> None:
    """Let somebody look at the conversation once more."""
    rows = Conversation.objects.filter(pk=conversation.pk, unread=0)
    rows.update(unread=1, changed_at=timezone.now())


def note_replying(conversation: Conversation, user: User) -> None:
    """Note that somebody is writing an answer just now."""
    Replying.objects.update_or_create(
        conversation=conversation, user=user, defaults={"seen_at": timezone.now()}
    )


def stop_replying(conversation: Conversation, user: User) -> None:
    """Note that somebody is not writing any more."""
    Replying.objects.filter(conversation=conversation, user=user).delete()


def _enter(conversation: Conversation, state: str, until: datetime | None = None) -> None:
    before = conversation.state, conversation.snoozed_until
    conversation.state, conversation.snoozed_until = state, until
    conversation.save(update_fields=["state", "snoozed_until", "waiting_since", "changed_at"])
    if before != (state, until):
        publish(_entered(conversation))


def _entered(conversation: Conversation) -> ConversationPayload:
    if conversation.snoozed_until:
        return ConversationSnoozed.about(conversation, until=conversation.snoozed_until)
    is_closed = conversation.state == State.CLOSED
    return (ConversationClosed if is_closed else ConversationReopened).about(conversation)
