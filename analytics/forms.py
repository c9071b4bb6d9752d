"""What people choose on the pages with numbers."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from leads.models import Pipeline


def _day(label: Any) -> forms.DateField:
    # Browsers give and take dates of date inputs in this format alone.
    widget = forms.DateInput({"type": "date"}, format="%Y-%m-%d")
    return forms.DateField(label=label, required=False, widget=widget)


class FunnelForm(forms.Form):
    """Which leads the funnel counts; the choice of a pipeline is there when there are several."""

    since = _day(pgettext_lazy("day", "From"))
    until = _day(pgettext_lazy("day", "To"))
    pipeline = forms.ChoiceField(label=_("Pipeline"), required=False)

    def __init__(self, data: Any, pipelines: list[Pipeline]) -> None:
        super().__init__(data)
        self.pipelines = {str(pipeline.id): pipeline for pipeline in pipelines}
        self.fields["pipeline"].choices = [  # type: ignore[attr-defined]
            (key, pipeline.name) for key, pipeline in self.pipelines.items()
        ]
        self.default = next(pipeline for pipeline in pipelines if pipeline.is_default)
        self.initial["pipeline"] = str(self.default.id)
        if len(pipelines) == 1:
            del self.fields["pipeline"]

    def clean(self) -> dict[str, Any]:
        """Refuse a range that ends before it begins."""
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        if since and until and until < since:
            self.add_error("until", _("That is before the first day."))
        return self.cleaned_data

    @property
    def chosen_pipeline(self) -> Pipeline:
        """The chosen pipeline, else the default one."""
        return self.pipelines.get(self.cleaned_data.get("pipeline", ""), self.default)
