"""Rows of the autopilot, without any model."""

from typing import Any

from django.utils import timezone

from channels.autopilot.models import ActionType, Draft, Endpoint, Expense, Run, Suggestion
from channels.autopilot.outcomes import Outcome
from channels.autopilot.outdating import account_for
from channels.models import Message
from salesflow.accounts.ids import uuid7


def make_draft(message: Message, **fields: Any) -> Draft:
    """A draft that answers a message, by a run that is over."""
    run = Run.objects.create(
        action=ActionType.DRAFT,
        key=f"draft:{message.pk}:{uuid7().hex}",
        lead=message.lead,
        conversation=message.conversation,
        state=Run.State.FINISHED,
        outcome=Outcome.DRAFTED,
    )
    account = account_for(message.conversation)
    given = {"body": "Thank you.", "original_body": "Thank you.", "account": account}
    draft: Draft = Draft.objects.create(
        run=run,
        lead=message.lead,
        conversation=message.conversation,
        to_address=message.address,
        based_on=message,
        **given | fields,
    )
    return draft


def make_suggestion(message: Message) -> Suggestion:
    """A step that was proposed about a message's lead."""
    run = make_draft(message, state=Draft.State.DISMISSED).run
    suggestion: Suggestion = Suggestion.objects.create(
        run=run, lead=message.lead, kind=Suggestion.Kind.TASK, target="Call them"
    )
    return suggestion


def ids_about(message: Message) -> dict[str, Any]:
    """What the addresses of the autopilot's pages take."""
    draft = make_draft(message)
    Expense.objects.create(day=timezone.now().date(), action="draft", model="m", calls=1)
    endpoint = Endpoint.objects.create(
        name=uuid7().hex, base_url="https://api.example.com/v1", model="gpt-4o-mini"
    )
    return {
        "draft_id": draft.pk,
        "run_id": draft.run_id,
        "suggestion_id": make_suggestion(message).pk,
        "endpoint_id": endpoint.pk,
        "channel": "email",
        "number": 0,
    }
