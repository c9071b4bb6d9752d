"""The pages with numbers."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.template.defaultfilters import floatformat
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from analytics.forms import FunnelForm
from analytics.queries import Funnel, Money, SourceTally, Step, Tally, funnel
from leads.models import Outcome
from leads.queries import pipelines
from leads.services import default_currency
from salesflow.accounts.context import current_tenant
from salesflow.accounts.views import TenantRequiredMixin

MOST_SOURCES = 20
STAGE_TONES = {Outcome.OPEN: "accent", Outcome.WON: "good", Outcome.LOST: "bad"}


class FunnelView(TenantRequiredMixin, TemplateView):
    """How leads become deals, by stage and by source."""

    template_name = "analytics/funnel.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What analytics/funnel.html names."""
        form = FunnelForm(self.request.GET, list(pipelines()))
        form.is_valid()
        asked = form.cleaned_data
        found = funnel(form.chosen_pipeline, asked.get("since"), asked.get("until"))
        return super().get_context_data(section="funnel", form=form, **_shown(found), **kwargs)


def _shown(found: Funnel) -> dict[str, Any]:
    """The funnel as the page shows it: sums in one currency, shares in percent."""
    currency = _main_currency(found.totals)
    sources = _largest(found.sources)
    return {
        "has_data": bool(found.totals.leads),
        "currency": currency,
        "totals": _totals(found.totals, currency),
        "stages": [_stage(step, currency) for step in found.steps],
        "sources": [_source(tally, currency) for tally in sources],
        "stage_chart": _stage_chart(found.steps),
        "source_chart": _source_chart(sources),
        "other_currencies": _left_out(found.totals.value, currency),
    }


def _main_currency(totals: Tally) -> str:
    """The currency of the largest sum; the page shows the sums in it, and names the others."""
    sums = totals.value
    return max(sums, key=lambda code: sums[code], default=default_currency(current_tenant()))


def _left_out(sums: Money, currency: str) -> str:
    others = [f"{floatformat(sums[code], '0g')} {code}" for code in sums if code != currency]
    if not others:
        return ""
    return _("The sums are in %(currency)s. They leave out leads worth %(others)s.") % {
        "currency": currency,
        "others": ", ".join(others),
    }


def _totals(totals: Tally, currency: str) -> dict[str, Any]:
    return {
        "won_value": totals.won_value.get(currency, Decimal()),
        "won_count": totals.won,
        "lost_count": totals.lost,
        "open_count": totals.open,
        "open_value": totals.open_value.get(currency, Decimal()),
        "conversion": _percent(totals.win_rate),
    }


def _stage(step: Step, currency: str) -> dict[str, Any]:
    return {
        "name": step.stage.name,
        "kind": step.stage.kind,
        "count": step.current.leads,
        "value": step.current.value.get(currency, Decimal()),
        "reached": step.reached,
        "conversion": _percent(step.conversion_overall),
        "conversion_step": _percent(step.conversion_step),
        "median_time": step.median_time,
    }


def _source(tally: SourceTally, currency: str) -> dict[str, Any]:
    return {
        "source": tally.source,
        "count": tally.leads,
        "open": tally.open,
        "won": tally.won,
        "lost": tally.lost,
        "won_value": tally.won_value.get(currency, Decimal()),
        "conversion": _percent(tally.win_rate),
    }


def _percent(share: float | None) -> float | None:
    return None if share is None else share * 100


def _largest(sources: list[SourceTally]) -> list[SourceTally]:
    """The largest sources, and one that stands for the rest."""
    shown, rest = sources[:MOST_SOURCES], sources[MOST_SOURCES:]
    if not rest:
        return shown
    others = SourceTally(source=_("%(count)d others") % {"count": len(rest)})
    for tally in rest:
        others.include(tally)
    return [*shown, others]


def _stage_chart(steps: Iterable[Step]) -> dict[str, Any]:
    shown = {
        "label": _("Leads"),
        "data": [step.current.leads for step in steps],
        "tones": [STAGE_TONES[Outcome(step.stage.kind)] for step in steps],
    }
    return {"labels": [step.stage.name for step in steps], "datasets": [shown]}


def _source_chart(sources: Iterable[SourceTally]) -> dict[str, Any]:
    bars = {
        _("Won"): ("good", [tally.won for tally in sources]),
        _("Open"): ("accent-line", [tally.open for tally in sources]),
        _("Lost"): ("bad-line", [tally.lost for tally in sources]),
    }
    return {
        "labels": [tally.source for tally in sources],
        "datasets": [
            {"label": label, "data": data, "tone": tone} for label, (tone, data) in bars.items()
        ],
    }
