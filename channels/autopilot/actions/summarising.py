"""Summarising what was said with a lead.

Each point stands on words that were said. A sentence that claims more than the messages say goes,
and its point with it: half a point says something else.
"""

from collections.abc import Iterator

from django.utils.translation import gettext as _
from pydantic import BaseModel

from channels.autopilot.actions import Prompt, register_action
from channels.autopilot.asking import (
    Quoted,
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
from channels.autopilot.models import ActionType, Run
from channels.autopilot.outcomes import Ended, Outcome
from channels.autopilot.policies import rule_of_tenant
from channels.models import Conversation
from leads.models import Lead

MOST_POINTS, LONGEST_POINT = 6, 400
LONGEST_ANSWER = 700


class Point(BaseModel):
    """Something that matters, and the words that show it."""

    text: str
    quote: str


class Summary(BaseModel):
    """What the model answers."""

    points: list[Point]


class Summarising:
    """Summarises one conversation, or all of a lead's."""

    def build(self, run: Run) -> Prompt:
        """The messages.

        Raises:
            Ended: there is nothing to summarise.
        """
        data = _known(run).as_data()
        return prompt_of(run, "summarise", data, schema=Summary, max_tokens=LONGEST_ANSWER)

    def apply(self, run: Run, completion: Completion) -> Outcome:
        """Keep the points that hold.

        Raises:
            Ended: there is nothing to summarise any more.
        """
        known = _known(run)
        summary = completion.parsed
        assert isinstance(summary, Summary)
        if gives_itself_away(run, completion):
            run.report = {"refused": "leak"}
            return Outcome.REFUSED
        points = list(_held(summary.points, known))
        run.result = {"points": told(points), "last": str(known.said[-1].message_id)}
        run.report = {"dropped": len(summary.points) - len(points)}
        return Outcome.SUMMARISED if points else Outcome.NOTHING_GROUNDED


def _known(run: Run) -> Known:
    lead = Lead.objects.filter(pk=run.lead_id).first()
    if lead is None:
        raise Ended(Outcome.SUPERSEDED, _("The lead is gone."))
    if rule_of_tenant().actions.is_held:
        raise Ended(Outcome.OFF, _("The autopilot is held."))
    rows = Conversation.objects.select_related("assignee").filter(pk=run.conversation_id)
    known = facts_of(lead, rows.first(), is_internal=True, untold=untold(run))
    if not known.said:
        raise Ended(Outcome.SUPERSEDED, _("Nothing was said yet."))
    return known


def _held(points: list[Point], known: Known) -> Iterator[tuple[str, Quoted]]:
    for point in points[:MOST_POINTS]:
        found = find_quote(point.quote, known)
        text = first_line(clean_draft(point.text).text, LONGEST_POINT)
        if found and text and not check(text, known.facts).cut:
            yield text, found


register_action(ActionType.SUMMARISE, Summarising())
