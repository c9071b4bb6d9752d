"""What is decided about drafts: edited, approved, stopped, dismissed.

Whoever decides names the revision that they have seen: another one is refused with `Outdated`, so
nobody approves words that they have not read. An approval holds for a few seconds before anything
goes out (`channels.autopilot.sending`); what happens meanwhile takes it back.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels.autopilot.drafts import (
    OPEN,
    State,
    close_draft,
    lock_draft,
    publish_decision,
    put_back,
)
from channels.autopilot.models import Draft, Mode
from channels.autopilot.outdating import why_outdated
from channels.autopilot.policies import Rule, rule_of
from salesflow.accounts.models import User

# For which somebody may take an approval back.
UNDO = timedelta(seconds=10)
LONGEST_BODY, LONGEST_REASON = 10_000, 500
# Why people dismiss drafts: what they choose from.
REASONS: dict[str, str | Promise] = {
    "wrong": gettext_lazy("It is wrong"),
    "tone": gettext_lazy("Not how we write"),
    "not_needed": gettext_lazy("No answer is needed"),
    "by_hand": gettext_lazy("I answer it myself"),
}


class Outdated(Exception):
    """What somebody decides about is not any more what they have seen; `draft` is what there is."""

    def __init__(self, draft: Draft, reason: str | Promise) -> None:
        super().__init__(reason)
        self.draft, self.reason = draft, reason


@transaction.atomic
def edit_draft(
    draft_id: UUID, *, revision: int, body: str, subject: str | None = None, actor: User | None
) -> Draft:
    """Write it otherwise; whoever had approved it, has to look again.

    Args:
        revision: the one that was edited.
        subject: None: as it is.

    Raises:
        Draft.DoesNotExist: the tenant has no such draft.
        Outdated: somebody else was faster, or it is decided.
        ValidationError: by `body` or `subject`.
    """
    draft = _lock_seen(draft_id, revision, OPEN)
    draft.body, subject = _checked(body, subject)
    if subject is not None:
        draft.subject = subject
    draft.revision += 1
    draft.state, draft.send_after = State.PENDING, None
    draft.edited_by, draft.edited_at = actor, timezone.now()
    draft.save()
    return draft


@transaction.atomic
def approve_draft(draft_id: UUID, *, revision: int, actor: User) -> Draft:
    """Let one revision go out, in a few seconds; until then it can be stopped.

    Args:
        actor: an approval is a person's, whose name is on the message.

    Raises:
        Draft.DoesNotExist: the tenant has no such draft.
        Outdated: another revision is there, it is decided, or it answers what is not last any more.
        ValidationError: here nothing goes out that nobody has written, or it may not go at all.
    """
    draft = _lock_seen(draft_id, revision, [State.PENDING])
    if found := why_outdated(draft):
        raise Outdated(draft, found.reason)
    rule = rule_of(draft.conversation)
    _refuse_unapprovable(draft, rule)
    _approve(draft, actor, UNDO)
    return draft


@transaction.atomic
def approve_by_rule(draft: Draft, *, hold: timedelta) -> None:
    """Let a draft that has just been made go out by itself, after `hold`; the gates were asked."""
    _approve(draft, None, hold)


@transaction.atomic
def stop_draft(draft_id: UUID) -> Draft:
    """Take an approval back, somebody's or the rules', as long as nothing went out.

    Raises:
        Draft.DoesNotExist: the tenant has no such draft.
        Outdated: it is not on its way any more.
    """
    draft = lock_draft(draft_id)
    if draft.state != State.APPROVED:
        raise Outdated(draft, _("It is not on its way any more."))
    put_back(draft, "")
    return draft


@transaction.atomic
def dismiss_draft(
    draft_id: UUID, *, revision: int | None = None, reason: str = "", actor: User | None
) -> Draft:
    """Decide that it does not go out. One that somebody has approved is to be stopped before.

    Args:
        revision: the one that was read; None: whichever there is.
        reason: one of `REASONS`, or words.

    Raises:
        Draft.DoesNotExist: the tenant has no such draft.
        Outdated: it is decided, or somebody has changed it.
        ValidationError: under "reason": too long.
    """
    if len(reason) > LONGEST_REASON or "\x00" in reason:
        raise ValidationError({"reason": _("A reason holds up to 500 characters.")})
    draft = _lock_seen(draft_id, revision, [State.PENDING])
    close_draft(draft, State.DISMISSED, str(REASONS.get(reason, reason.strip())), actor)
    return draft


def see_draft(draft: Draft) -> None:
    """Note that somebody has read it."""
    if draft.seen_at is None:
        draft.seen_at = timezone.now()
        Draft.objects.filter(pk=draft.pk, seen_at=None).update(seen_at=draft.seen_at)


# --- Small steps ----------------------------------------------------------------------------------


def _lock_seen(draft_id: UUID, revision: int | None, states: Sequence[str]) -> Draft:
    draft = lock_draft(draft_id)
    if draft.state not in states:
        raise Outdated(draft, _("It is decided already."))
    if revision is not None and draft.revision != revision:
        raise Outdated(draft, _("Somebody has changed it since you read it."))
    return draft


def _refuse_unapprovable(draft: Draft, rule: Rule) -> None:
    if not rule.is_on:
        raise ValidationError(_("The autopilot is off in this conversation."))
    is_own = draft.edited_by_id is not None
    if rule.mode == Mode.DRAFT and not is_own:
        reason = _("Here it only drafts: check the text in the editor, and send it as yours.")
        raise ValidationError({"body": reason})
    if "instructs" in draft.flags and not is_own:
        reason = _(
            "Their message tries to instruct the assistant: check the text in the editor first."
        )
        raise ValidationError({"body": reason})


def _approve(draft: Draft, actor: User | None, hold: timedelta) -> None:
    now = timezone.now()
    draft.state, draft.reason = State.APPROVED, ""
    draft.decided_at, draft.decided_by, draft.send_after = now, actor, now + hold
    draft.save()
    publish_decision(draft, "approved")


def _checked(body: str, subject: str | None) -> tuple[str, str | None]:
    errors = {}
    body = body.strip()
    if not body or len(body) > LONGEST_BODY or "\x00" in body:
        errors["body"] = _("Write something, up to 10,000 characters.")
    if subject is not None:
        subject = subject.strip()
        if len(subject) > 200 or len(subject.splitlines()) > 1 or "\x00" in subject:
            errors["subject"] = _("A subject is one line of up to 200 characters.")
    if errors:
        raise ValidationError(errors)
    return body, subject
