"""What models did cost, and what they may cost a day."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.generic import FormView

from channels.autopilot.budgets import set_limit, standing
from channels.autopilot.costs import costs_of, dollars
from channels.autopilot.endpoint_forms import BudgetForm
from salesflow.accounts.context import current_tenant
from salesflow.accounts.views import LeadingRoleMixin

# Days that are shown, today included.
DAYS = 30


class CostsView(LeadingRoleMixin, FormView[BudgetForm]):
    """Today's budget, and what the last days were spent on."""

    form_class = BudgetForm
    template_name = "autopilot/settings/costs.html"

    def get_initial(self) -> dict[str, Any]:
        """The limit as it is."""
        return {"limit": round(standing(current_tenant()).limit, 2)}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What autopilot/settings/costs.html names."""
        budget = standing(current_tenant())
        costs = costs_of(budget.day, DAYS)
        return super().get_context_data(
            section="settings",
            tab="costs",
            budget=budget,
            amounts={
                name: dollars(getattr(budget, name))
                for name in ("limit", "spent", "reserved", "left")
            },
            percent=int(budget.share * 100),
            costs=costs,
            days=[{"day": parse_date(each.name), "sum": each} for each in costs.days],
            actions=[{"sum": each} for each in costs.actions],
            models=[{"sum": each} for each in costs.models],
            shown_days=DAYS,
            **kwargs,
        )

    def form_valid(self, form: BudgetForm) -> HttpResponse:
        """Set the limit, from today on."""
        limit = form.cleaned_data["limit"]
        user: Any = self.request.user
        if not form.run(lambda: set_limit(current_tenant(), limit, actor=user)):
            return self.form_invalid(form)
        told = {"limit": dollars(limit)}
        messages.success(self.request, _("%(limit)s may be spent a day.") % told)
        return redirect("autopilot-settings:costs")

    def form_invalid(self, form: BudgetForm) -> HttpResponse:
        """The page with what is wrong."""
        return self.render_to_response(self.get_context_data(form=form), status=422)
