"""What the API's lists of sequences and enrolments can be narrowed by."""

from django.utils.translation import gettext_lazy
from django_filters import rest_framework as filters

from channels.sequences import models
from channels.sequences.models import Enrolment


class SequenceFilter(filters.FilterSet):  # type: ignore[misc]
    """The filters of `GET /api/sequences`."""

    name = filters.CharFilter(help_text=gettext_lazy("The whole name."))
    state = filters.ChoiceFilter(choices=models.Sequence.State.choices)

    class Meta:
        model = models.Sequence
        fields: list[str] = []


class EnrolmentFilter(filters.FilterSet):  # type: ignore[misc]
    """The filters of `GET /api/enrolments`."""

    lead = filters.UUIDFilter("lead_id", help_text=gettext_lazy("The id of a lead."))
    sequence = filters.UUIDFilter("sequence_id", help_text=gettext_lazy("The id of a sequence."))
    state = filters.ChoiceFilter(choices=Enrolment.State.choices)

    class Meta:
        model = Enrolment
        fields: list[str] = []
