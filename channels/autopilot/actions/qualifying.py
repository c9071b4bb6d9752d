"""Qualifying a lead by the team's criteria.

The model says of each criterion whether it is met, and gives the words that show it. Without words
that somebody has said, it is unknown; the score is computed here. Where all criteria are met and
the lead is still in its pipeline's first stage, the next one is proposed to a person.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from django.utils.translation import gettext as _
from pydantic import BaseModel

from channels.autopilot.actions import Prompt, register_action
from channels.autopilot.asking import data_of, find_quote, gives_itself_away, prompt_of, untold
from channels.autopilot.completions import Completion
from channels.autopilot.facts import Known, facts_of
from channels.autopilot.models import ActionType, Run, Suggestion
from channels.autopilot.outcomes import Ended, Outcome
from channels.autopilot.policies import rule_of_tenant
from channels.autopilot.suggestions import suggest
from leads.models import Lead, Stage
from leads.models import Outcome as DealOutcome

LONGEST_ANSWER = 900
UNKNOWN = "unknown"


class Finding(BaseModel):
    """What the model says of one criterion."""

    criterion: int
    met: Literal["yes", "no", "unknown"]
    quote: str


class Findings(BaseModel):
    """What the model answers."""

    findings: list[Finding]


class Qualifying:
    """Holds a lead against the criteria."""

    def build(self, run: Run) -> Prompt:
        """What is known about the lead, and the criteria by number.

        Raises:
            Ended: there are no criteria, or no such lead.
        """
        known, criteria = _asked_for(run)
        numbered = [{"number": n, "text": text} for n, text in enumerate(criteria, start=1)]
        data = known.as_data() | {"criteria": numbered}
        return prompt_of(run, "qualify", data, schema=Findings, max_tokens=LONGEST_ANSWER)

    def apply(self, run: Run, completion: Completion) -> Outcome:
        """Keep what is shown by somebody's words, and the score that comes of it.

        Raises:
            Ended: there are no criteria any more, or no such lead.
        """
        known, _now = _asked_for(run)
        answer = completion.parsed
        assert isinstance(answer, Findings)
        if gives_itself_away(run, completion):
            run.report = {"refused": "leak"}
            return Outcome.REFUSED
        criteria = [told["text"] for told in data_of(run)["criteria"]]
        rows = list(_checked(criteria, answer.findings, known))
        met = sum(row["met"] == "yes" for row in rows)
        run.result = {"criteria": rows, "met": met, "of": len(rows)}
        run.report = {"dropped": _dropped(answer.findings, rows)}
        if all(row["met"] == UNKNOWN for row in rows):
            return Outcome.NOTHING_GROUNDED
        if met == len(rows):
            _propose_next_stage(run, known.lead, rows)
        return Outcome.QUALIFIED


def _asked_for(run: Run) -> tuple[Known, tuple[str, ...]]:
    rule = rule_of_tenant()
    if rule.actions.is_held:
        raise Ended(Outcome.OFF, _("The autopilot is held."))
    if not rule.criteria:
        raise Ended(Outcome.OFF, _("There are no criteria: write them down in the rules."))
    lead = Lead.objects.filter(pk=run.lead_id).first()
    if lead is None:
        raise Ended(Outcome.SUPERSEDED, _("The lead is gone."))
    return facts_of(lead, is_internal=True, untold=untold(run)), rule.criteria


def _checked(
    criteria: Iterable[str], findings: Iterable[Finding], known: Known
) -> Iterator[dict[str, Any]]:
    """Each criterion with what is shown of it; of several findings the first counts."""
    said: dict[int, Finding] = {}
    for finding in findings:
        said.setdefault(finding.criterion, finding)
    for number, text in enumerate(criteria, start=1):
        row = {"text": text, "met": UNKNOWN, "quote": "", "source": ""}
        found = said.get(number)
        quoted = find_quote(found.quote, known) if found else None
        if found and quoted and found.met != UNKNOWN:
            row |= {"met": found.met, "quote": quoted.words, "source": quoted.source}
        yield row


def _dropped(findings: Iterable[Finding], rows: Iterable[dict[str, Any]]) -> int:
    """How many answers nobody's words show."""
    claimed = sum(finding.met != UNKNOWN for finding in findings)
    shown = sum(bool(row["met"] != UNKNOWN) for row in rows)
    return claimed - shown


def _propose_next_stage(run: Run, lead: Lead, rows: list[dict[str, Any]]) -> None:
    stages = Stage.objects.filter(pipeline=lead.stage.pipeline_id, kind=DealOutcome.OPEN)
    first, *others = list(stages.order_by("position", "name")[:2]) or [None]
    if first is None or not others or lead.stage_id != first.pk or not lead.is_open:
        return
    run.result["label"] = _("Move to the stage “%(stage)s”") % {"stage": others[0].name}
    reasons = [{name: row[name] for name in ("text", "quote", "source")} for row in rows]
    target = str(others[0].pk)
    suggest(run, lead, kind=Suggestion.Kind.STAGE, target=target, reasons=reasons)


register_action(ActionType.QUALIFY, Qualifying())
