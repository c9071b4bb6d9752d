"""What the autopilot knows and proposes about one lead; it stands on the lead's page too."""

from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import View

from channels.autopilot.drafts import OPEN
from channels.autopilot.models import ActionType, Draft, Run, Suggestion
from channels.autopilot.policies import rule_of_tenant
from channels.autopilot.queries import last_runs_of
from channels.autopilot.runs import request_run
from channels.autopilot.suggestions import (
    accept_suggestion,
    dismiss_suggestion,
    in_words,
    open_suggestions,
)
from channels.autopilot.views.base import AutopilotMixin, parts
from leads.models import Lead
from leads.views.base import LeadMixin, announce_change

# What people may ask for here; drafts are asked for where they are answered.
ASKED = [ActionType.PROPOSE, ActionType.QUALIFY, ActionType.SUMMARISE, ActionType.EXTRACT]


class LeadPanelView(LeadMixin, AutopilotMixin, View):
    """The panel; on a page of its own where nobody asks for the part alone."""

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """It fetches itself anew while something is under way."""
        context = self.panel_context(self.lead)
        if request.htmx:  # type: ignore[attr-defined]
            return parts(request, ("autopilot/_lead.html", context))
        return render(request, "autopilot/lead.html", context)

    def post(self, request: HttpRequest, lead_id: UUID) -> HttpResponse:
        """Ask a model for something, once however often the button is pressed meanwhile."""
        action = request.POST.get("action", "")
        if action not in ASKED:
            raise Http404(_("There is nothing like that to ask for."))
        under_way = Run.objects.filter(lead=self.lead, action=action)
        if not under_way.exclude(state=Run.State.FINISHED).exists():
            request_run(
                ActionType(action),
                key=f"{action}:{lead_id}:{uuid4().hex}",
                lead=self.lead,
                asked_by=self.user,
            )
        return self.shown(self.lead)

    def shown(self, lead: Lead) -> HttpResponse:
        """The panel as it is now."""
        if not self.request.htmx:
            return redirect(reverse("autopilot:lead", args=[lead.pk]))
        return parts(self.request, ("autopilot/_lead.html", self.panel_context(lead)))

    def panel_context(self, lead: Lead) -> dict[str, Any]:
        """What autopilot/_lead.html names."""
        last = last_runs_of(lead)
        under_way = [run for run in last.values() if run.state != Run.State.FINISHED]
        drafts = Draft.objects.filter(lead=lead, state__in=OPEN)
        return {
            **self.shell_context("queue"),
            "lead": lead,
            "last": last,
            "under_way": [run.get_action_display() for run in under_way],
            "suggestions": [(each, in_words(each)) for each in open_suggestions(lead)],
            "drafts": list(drafts.select_related("conversation").order_by("created_at")),
            "asked": [(action.value, action.label) for action in ASKED],
            "has_criteria": bool(rule_of_tenant().criteria),
        }


class SuggestionVerbView(AutopilotMixin, View):
    """Takes what was proposed, or dismisses it."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, suggestion_id: UUID, verb: str) -> HttpResponse:
        """Do it, or say why not; the lead's page then asks what has changed."""
        if verb not in ("accept", "dismiss"):
            raise Http404(_("There is no such suggestion."))
        decide = accept_suggestion if verb == "accept" else dismiss_suggestion
        try:
            decide(suggestion_id, self.user)
        except Suggestion.DoesNotExist as gone:
            raise Http404(_("There is no such suggestion.")) from gone
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        lead_id = Suggestion.objects.values_list("lead_id", flat=True).get(pk=suggestion_id)
        if not request.htmx:  # type: ignore[attr-defined]
            return redirect(reverse("leads:detail", args=[lead_id]))
        return announce_change(parts(request))
