"""Runs: what a model is asked for, asked for once, and ended once.

A run is requested in the transaction of what sets it off, with the event that has it performed; see
`channels.autopilot.performing` for the call. However often the same thing sets it off, a replay of
an old event included, its key is used already, and nothing is asked.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Sum
from django.utils import timezone
from django.utils.functional import Promise

from channels.autopilot.models import ActionType, Draft, Endpoint, Run
from channels.autopilot.outcomes import FAULTS, Outcome
from channels.autopilot.payloads import AutopilotActionExecuted, AutopilotRunRequested
from channels.models import Conversation
from events import publish
from leads.models import Lead
from salesflow.accounts.models import User

TOKENS = ("prompt_tokens", "cached_tokens", "completion_tokens")


@transaction.atomic
def request_run(
    action: ActionType,
    *,
    key: str,
    lead: Lead | None = None,
    conversation: Conversation | None = None,
    asked_by: User | None = None,
    endpoint: Endpoint | None = None,
) -> Run | None:
    """Have a model asked, by a worker, after the caller's transaction.

    Args:
        key: what sets it off, such as "draft:<id of the message>".
        asked_by: None: an event did.
        endpoint: which one is to be tried; all else asks the one that the team uses then.

    Returns:
        None: that key was used before, and nothing is asked.
    """
    given = {
        "action": action,
        "lead": lead,
        "conversation": conversation,
        "asked_by": asked_by,
        "endpoint": endpoint,
    }
    run: Run
    run, is_new = Run.objects.get_or_create(key=key, defaults=given)
    if not is_new:
        return None
    lead_id = lead.pk if lead else None
    publish(AutopilotRunRequested(run_id=run.pk, action_type=action, lead_id=lead_id))
    return run


def lock_run(run_id: UUID) -> Run | None:
    """The run, locked until the transaction ends, and its lead with it; None: it was deleted.

    The lead comes first, as it does for whoever deletes it.
    """
    lead_id = Run.objects.filter(pk=run_id).values_list("lead_id", flat=True).first()
    if lead_id:
        # As `leads.services.lock_lead` does it: what is made of an answer locks it so, too.
        list(Lead.objects.select_for_update().filter(pk=lead_id).values_list("pk"))
    run: Run | None = Run.objects.select_for_update(no_key=True).filter(pk=run_id).first()
    return run


def is_repeatable(run: Run) -> bool:
    """Whether a run that has ended may be performed again, when somebody replays its event."""
    return run.state == Run.State.FINISHED and run.outcome in FAULTS


def reopen_run(run: Run) -> None:
    """Begin a run anew, as a replay wants it; what it has cost until now was told then."""
    last = run.calls.aggregate(last=Max("number"))["last"]
    run.earlier_calls = last or 0
    run.state, run.outcome, run.error = Run.State.WAITING, "", ""
    run.started_at = run.finished_at = None
    run.save()


def finish_run(run: Run, outcome: Outcome, reason: str | Promise = "") -> None:
    """End a run, and tell what it came to and cost: an end without an action costs money, too.

    Args:
        reason: for people; empty: as the run says already.
    """
    run.state, run.outcome = Run.State.FINISHED, outcome
    run.error = str(reason) or run.error
    run.finished_at = timezone.now()
    _take_sums(run, run.calls.aggregate(**_sums()))
    run.save()
    _publish_end(run)


def _publish_end(run: Run) -> None:
    told = run.calls.filter(number__gt=run.earlier_calls)
    spent = told.aggregate(**_sums())
    draft = Draft.objects.filter(run=run).values_list("pk", flat=True).order_by("-id").first()
    publish(
        AutopilotActionExecuted(
            lead_id=run.lead_id,
            action_type=run.action,
            model=run.model,
            cost=spent["cost"] or 0,
            latency_ms=run.latency_ms or 0,
            outcome=run.outcome,
            run_id=run.pk,
            conversation_id=run.conversation_id,
            draft_id=draft if run.outcome == Outcome.DRAFTED else None,
            prompt_version=run.prompt_version,
            estimated=told.filter(is_estimated=True).exists(),
            **{name: spent[name] or 0 for name in TOKENS},
        )
    )


def _sums() -> dict[str, Sum]:
    return {name: Sum(name) for name in (*TOKENS, "cost")}


def _take_sums(run: Run, sums: Mapping[str, Any]) -> None:
    """What all calls of a run have used and cost together."""
    for name, value in sums.items():
        setattr(run, name, value or 0)
    run.is_estimated = run.calls.filter(is_estimated=True).exists()
