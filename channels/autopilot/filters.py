"""What the API's lists of drafts and runs can be narrowed by."""

from django.utils.translation import gettext_lazy
from django_filters import rest_framework as filters

from channels.autopilot.models import ActionType, Draft, Run
from channels.autopilot.queries import OUTCOME_CHOICES


class DraftFilter(filters.FilterSet):  # type: ignore[misc]
    """The filters of `GET /api/autopilot/drafts`."""

    state = filters.ChoiceFilter(choices=Draft.State.choices)
    lead = filters.UUIDFilter("lead_id", help_text=gettext_lazy("The id of a lead."))

    class Meta:
        model = Draft
        fields: list[str] = []


class RunFilter(filters.FilterSet):  # type: ignore[misc]
    """The filters of `GET /api/autopilot/runs`."""

    action = filters.ChoiceFilter(choices=ActionType.choices)
    outcome = filters.ChoiceFilter(choices=OUTCOME_CHOICES)
    lead = filters.UUIDFilter("lead_id", help_text=gettext_lazy("The id of a lead."))

    class Meta:
        model = Run
        fields: list[str] = []
