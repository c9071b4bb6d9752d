"""The log of what models were asked: what they answered, what was believed of it, what it cost."""

from functools import cached_property
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import TemplateView, View

from channels.autopilot.actions.extracting import adopt_person
from channels.autopilot.costs import dollars, exact_dollars
from channels.autopilot.models import ActionType, Run
from channels.autopilot.outcomes import Outcome
from channels.autopilot.queries import OUTCOMES, outcome_in_words, page_of_runs
from channels.autopilot.views.base import AutopilotMixin

FILTERS = ("action", "outcome")
GOOD = frozenset(
    {
        Outcome.DRAFTED,
        Outcome.PROPOSED,
        Outcome.QUALIFIED,
        Outcome.SUMMARISED,
        Outcome.EXTRACTED,
    }
)
QUIET = frozenset({Outcome.OFF, Outcome.SUPERSEDED, Outcome.NOTHING_GROUNDED})


class RunListView(AutopilotMixin, TemplateView):
    """The runs, the newest first."""

    template_name = "autopilot/runs.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What autopilot/runs.html names."""
        query = self.request.GET
        known = {"action": ActionType.values, "outcome": list(OUTCOMES)}
        chosen = {name: query[name] for name in FILTERS if query.get(name) in known[name]}
        keys = {name: query.get(name, "") for name in ("after", "before")}
        page = page_of_runs(**chosen, **keys)
        return super().get_context_data(
            **self.shell_context("runs"),
            runs=[
                (run, tone_of(run), outcome_in_words(run), dollars(run.cost)) for run in page.rows
            ],
            chosen=chosen,
            actions=ActionType.choices,
            outcomes=list(OUTCOMES.items()),
            previous_url=_page_url(chosen, "before", page.before),
            next_url=_page_url(chosen, "after", page.after),
            **kwargs,
        )


class RunMixin(AutopilotMixin):
    """A page about one run of the tenant; anything else is not found."""

    @cached_property
    def run(self) -> Run:
        """The run that the address names."""
        rows = Run.objects.select_related("lead", "asked_by", "endpoint", "conversation")
        found: Run = get_object_or_404(rows, pk=self.kwargs["run_id"])
        return found


class RunView(RunMixin, TemplateView):
    """One run: the prompt is shown to those who lead the team, for a while."""

    template_name = "autopilot/run.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What autopilot/run.html names."""
        run = self.run
        return super().get_context_data(
            **self.shell_context("runs"),
            run=run,
            tone=tone_of(run),
            outcome_label=outcome_in_words(run),
            cost=exact_dollars(run.cost),
            calls=[
                (call, OUTCOMES.get(call.outcome, call.outcome))
                for call in run.calls.order_by("number")
            ],
            drafts=list(run.drafts.order_by("-id")),
            prompt=run.messages if self.is_leading else [],
            gates=run.report.get("gates", []),
            is_under_way=run.state != Run.State.FINISHED,
            **kwargs,
        )


class AdoptView(RunMixin, View):
    """Make a lead of somebody whom a run has found."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, run_id: UUID, number: int) -> HttpResponse:
        """Make it, and show it."""
        try:
            lead = adopt_person(self.run, number)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
            return redirect(reverse("autopilot:run", args=[run_id]))
        except Run.DoesNotExist as gone:
            raise Http404(_("There is no such run.")) from gone
        messages.success(request, _("%(name)s is a lead now.") % {"name": lead.name})
        return redirect(reverse("leads:detail", args=[lead.pk]))


def tone_of(run: Run) -> str:
    """How a run ended, as a tone."""
    if run.state != Run.State.FINISHED:
        return "accent"
    return "good" if run.outcome in GOOD else "" if run.outcome in QUIET else "bad"


def _page_url(chosen: dict[str, str], name: str, key: str | None) -> str | None:
    return f"?{urlencode({**chosen, name: key})}" if key else None
