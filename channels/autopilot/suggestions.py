"""The next steps that a model proposed: kept, and taken or dismissed by people."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from channels.autopilot.drafts import lock_lead
from channels.autopilot.models import KnownSequence, Run, Suggestion
from channels.autopilot.payloads import SuggestionAccepted
from events import publish
from leads.models import Lead, Stage
from leads.models import Outcome as DealOutcome
from leads.services import move_lead
from leads.services.tasks import add_task
from salesflow.accounts.models import User
from salesflow.accounts.queries import team_members

State, Kind = Suggestion.State, Suggestion.Kind
SOURCE = "autopilot"
# On a lead's page.
MOST_SHOWN = 5


def suggest(
    run: Run,
    lead: Lead,
    *,
    kind: str,
    target: str,
    due_at: datetime | None = None,
    reasons: Sequence[dict[str, str]] = (),
) -> Suggestion:
    """Propose a step; it takes the place of what was open for the lead. The caller holds the lead.

    The same step proposed again keeps its row, with the new reasons.
    """
    given: dict[str, Any] = {"run": run, "due_at": due_at, "reasons": list(reasons)}
    wanted = {"lead": lead, "kind": kind, "target": target, "state": State.OPEN}
    suggestion: Suggestion
    suggestion, _made = Suggestion.objects.update_or_create(**wanted, defaults=given)
    others = Suggestion.objects.filter(lead=lead, state=State.OPEN).exclude(pk=suggestion.pk)
    others.update(state=State.SUPERSEDED, decided_at=timezone.now())
    return suggestion


@transaction.atomic
def accept_suggestion(suggestion_id: UUID, actor: User) -> Suggestion:
    """Do what was proposed: make the task, move the lead; whoever has sequences enrols it.

    Raises:
        Suggestion.DoesNotExist: the tenant has no such suggestion.
        ValidationError: it is decided, or cannot be done any more.
    """
    suggestion = _lock_open(suggestion_id)
    if not suggestion.lead.is_open:
        raise ValidationError(_("The deal is closed."))
    if suggestion.kind == Kind.TASK:
        _make_task(suggestion, actor)
    elif suggestion.kind == Kind.STAGE:
        move_lead(suggestion.lead, _stage_of(suggestion))
    else:
        _refuse_unknown_sequence(suggestion)
    _decide(suggestion, State.ACCEPTED, actor)
    publish(
        SuggestionAccepted(
            lead_id=suggestion.lead_id,
            suggestion_id=suggestion.pk,
            kind=suggestion.kind,
            target=suggestion.target,
            due_at=suggestion.due_at,
            actor_id=actor.pk,
        )
    )
    return suggestion


@transaction.atomic
def dismiss_suggestion(suggestion_id: UUID, actor: User) -> Suggestion:
    """Decide against it.

    Raises:
        Suggestion.DoesNotExist: the tenant has no such suggestion.
        ValidationError: it is decided.
    """
    suggestion = _lock_open(suggestion_id)
    _decide(suggestion, State.DISMISSED, actor)
    return suggestion


def open_suggestions(lead: Lead) -> list[Suggestion]:
    """What is proposed for a lead, the newest first; nothing once the deal is closed."""
    if not lead.is_open:
        return []
    rows = Suggestion.objects.filter(lead=lead, state=State.OPEN).order_by("-id")
    return list(rows.select_related("run", "lead__stage")[:MOST_SHOWN])


def in_words(suggestion: Suggestion) -> str:
    """The step as people read it."""
    is_task = suggestion.kind == Kind.TASK
    label = suggestion.target if is_task else suggestion.run.result.get("label")
    return str(label or suggestion.get_kind_display())


def _make_task(suggestion: Suggestion, actor: User) -> None:
    lines = (f"{each['text']} “{each['quote']}”".strip() for each in suggestion.reasons)
    add_task(
        suggestion.lead,
        title=suggestion.target,
        body="\n".join(lines),
        due_at=suggestion.due_at,
        assignee=_whose(suggestion.lead, actor),
        source=SOURCE,
        source_id=str(suggestion.pk),
    )


def _whose(lead: Lead, actor: User) -> User:
    """The lead's owner, if they still work here."""
    if lead.owner_id is None:
        return actor
    return team_members().filter(pk=lead.owner_id).first() or actor


def _stage_of(suggestion: Suggestion) -> Stage:
    pipeline = suggestion.lead.stage.pipeline_id
    rows = Stage.objects.filter(pipeline=pipeline, kind=DealOutcome.OPEN)
    stage: Stage | None = rows.filter(pk=suggestion.target).first()
    if stage is None:
        raise ValidationError(_("There is no such stage any more."))
    return stage


def _refuse_unknown_sequence(suggestion: Suggestion) -> None:
    rows = KnownSequence.objects.filter(sequence_id=suggestion.target, is_active=True)
    if not rows.exists():
        raise ValidationError(_("There is no such step any more."))


def _lock_open(suggestion_id: UUID) -> Suggestion:
    lock_lead(Suggestion.objects.values_list("lead_id", flat=True).get(pk=suggestion_id))
    rows = Suggestion.objects.select_for_update(no_key=True, of=("self",))
    suggestion: Suggestion = rows.select_related("lead__stage", "lead__owner", "run").get(
        pk=suggestion_id
    )
    if suggestion.state != State.OPEN:
        raise ValidationError(_("It is decided already."))
    return suggestion


def _decide(suggestion: Suggestion, state: str, actor: User) -> None:
    suggestion.state, suggestion.decided_at, suggestion.decided_by = state, timezone.now(), actor
    suggestion.save(update_fields=["state", "decided_at", "decided_by"])
