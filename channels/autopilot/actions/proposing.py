"""Proposing the next step with a lead: one of the steps that are offered, by number.

The offers are made here: tasks in words of ours, the pipeline's open stages, the team's sequences.
A reason counts if its quote stands somewhere. Nothing is done before somebody accepts it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _
from pydantic import BaseModel

from channels.autopilot.actions import Prompt, register_action
from channels.autopilot.asking import (
    Quoted,
    data_of,
    find_quote,
    first_line,
    gives_itself_away,
    prompt_of,
    told,
    untold,
)
from channels.autopilot.cleaning import clean_draft
from channels.autopilot.completions import Completion
from channels.autopilot.facts import Known, facts_of
from channels.autopilot.grounding import check
from channels.autopilot.models import ActionType, KnownSequence, Run, Suggestion
from channels.autopilot.outcomes import Ended, Outcome
from channels.autopilot.policies import rule_of_tenant
from channels.autopilot.suggestions import suggest
from leads.models import Lead, Stage
from leads.models import Outcome as DealOutcome

MOST_REASONS, LONGEST_REASON = 3, 300
MOST_SEQUENCES = 8
LONGEST_ANSWER = 400


class Reason(BaseModel):
    """Why, in a sentence, and the words that show it."""

    text: str
    quote: str


class Choice(BaseModel):
    """What the model answers."""

    choice: int
    reasons: list[Reason]


@dataclass(frozen=True)
class Offer:
    """A step that can be chosen.

    Attributes:
        label: as the model and people read it.
        target: see `Suggestion`.
        days: until it is due.
    """

    label: str
    kind: Suggestion.Kind
    target: str
    days: int | None = None


class Proposing:
    """Proposes one step, or none."""

    def build(self, run: Run) -> Prompt:
        """What is known about the lead, and what can be chosen.

        Raises:
            Ended: the lead is gone, or its deal is closed.
        """
        known = _known(run)
        options = [{"number": 0, "step": "nothing now"}]
        offers = enumerate(offers_for(known.lead), start=1)
        options += [{"number": number, "step": offer.label} for number, offer in offers]
        data = known.as_data() | {"options": options}
        return prompt_of(run, "propose", data, schema=Choice, max_tokens=LONGEST_ANSWER)

    def apply(self, run: Run, completion: Completion) -> Outcome:
        """Keep the step as a suggestion, with the reasons that hold.

        Raises:
            Ended: the lead is gone, or its deal is closed.
        """
        known = _known(run)
        choice = completion.parsed
        assert isinstance(choice, Choice)
        labels = {option["number"]: option["step"] for option in data_of(run)["options"]}
        if gives_itself_away(run, completion) or choice.choice not in labels:
            run.report = {"refused": "leak or no such step"}
            return Outcome.REFUSED
        reasons = list(_held(choice.reasons, known))
        run.report = {"dropped": len(choice.reasons) - len(reasons)}
        if not choice.choice:
            run.result = {"label": _("Nothing to do now"), "reasons": told(reasons)}
            return Outcome.PROPOSED
        if not reasons:
            return Outcome.NOTHING_GROUNDED
        offer = _still_offered(labels[choice.choice], known.lead)
        run.result = {"label": offer.label, "reasons": told(reasons)}
        _keep(run, known.lead, offer, reasons)
        return Outcome.PROPOSED


def offers_for(lead: Lead) -> list[Offer]:
    """The steps that can be chosen for a lead, in a fixed order."""
    return [*_tasks(lead), *_stages(lead), *_sequences()]


def _tasks(lead: Lead) -> Iterator[Offer]:
    name = {"name": lead.name[:120]}
    task = Suggestion.Kind.TASK
    for text, days in (
        (_("Answer %(name)s"), 0),
        (_("Call %(name)s"), 1),
        (_("Propose a meeting to %(name)s"), 1),
        (_("Prepare an offer for %(name)s"), 2),
        (_("Ask %(name)s what they need"), 1),
        (_("Follow up with %(name)s"), 3),
    ):
        yield Offer(text % name, task, text % name, days)


def _stages(lead: Lead) -> Iterator[Offer]:
    """The open stages of its pipeline: nobody but a person wins or loses a deal."""
    rows = Stage.objects.filter(pipeline=lead.stage.pipeline_id, kind=DealOutcome.OPEN)
    for stage in rows.exclude(pk=lead.stage_id).order_by("position", "name"):
        label = _("Move to the stage “%(stage)s”") % {"stage": stage.name}
        yield Offer(label, Suggestion.Kind.STAGE, str(stage.pk))


def _sequences() -> Iterator[Offer]:
    for row in KnownSequence.objects.filter(is_active=True).order_by("name", "id")[:MOST_SEQUENCES]:
        label = _("Enrol in the sequence “%(name)s”") % {"name": row.name}
        yield Offer(label, Suggestion.Kind.SEQUENCE, str(row.sequence_id))


def _known(run: Run) -> Known:
    lead = Lead.objects.filter(pk=run.lead_id).first()
    if lead is None or not lead.is_open:
        raise Ended(Outcome.SUPERSEDED, _("The lead is gone, or its deal is closed."))
    if rule_of_tenant().actions.is_held:
        raise Ended(Outcome.OFF, _("The autopilot is held."))
    return facts_of(lead, is_internal=True, untold=untold(run))


def _still_offered(label: str, lead: Lead) -> Offer:
    offer = next((offer for offer in offers_for(lead) if offer.label == label), None)
    if offer is None:
        raise Ended(Outcome.SUPERSEDED, _("There is no such step any more."))
    return offer


def _held(reasons: list[Reason], known: Known) -> Iterator[tuple[str, Quoted]]:
    """The reasons whose quote somebody has said; a sentence that claims more goes without it."""
    for reason in reasons[:MOST_REASONS]:
        found = find_quote(reason.quote, known)
        if found:
            text = first_line(clean_draft(reason.text).text, LONGEST_REASON)
            yield ("" if check(text, known.facts).cut else text), found


def _keep(run: Run, lead: Lead, offer: Offer, reasons: list[tuple[str, Quoted]]) -> None:
    due_at = None if offer.days is None else timezone.now() + timedelta(days=offer.days)
    suggest(run, lead, kind=offer.kind, target=offer.target, due_at=due_at, reasons=told(reasons))


register_action(ActionType.PROPOSE, Proposing())
