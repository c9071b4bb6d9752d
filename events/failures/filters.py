"""What the API's list of failures can be narrowed by."""

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy
from django_filters import rest_framework as filters

from events.failures.queries import matching
from events.models import FailureGroup
from salesflow.accounts.rest.filters import MomentFilter


class FailureFilter(filters.FilterSet):  # type: ignore[misc]
    """The filters of `GET /api/failures`."""

    state = filters.ChoiceFilter(choices=FailureGroup.State.choices)
    handler = filters.CharFilter(help_text=gettext_lazy("The name of the handler that failed."))
    search = filters.CharFilter(
        method="filter_search",
        max_length=200,
        help_text=gettext_lazy("Words of its handler, exception, message or place."),
    )
    seen_after = MomentFilter("last_seen_at", "gte")
    first_seen_after = MomentFilter("first_seen_at", "gte")

    class Meta:
        model = FailureGroup
        fields: list[str] = []

    def filter_search(
        self, groups: QuerySet[FailureGroup], name: str, value: str
    ) -> QuerySet[FailureGroup]:
        """Narrow to those that have all words in them."""
        return matching(groups, value)
