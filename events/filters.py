"""What the API's lists of events can be narrowed by."""

from datetime import datetime

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_filters import rest_framework as filters
from rest_framework import exceptions

from events.models import Event, EventStatus
from events.payloads import payload_types
from events.queries import type_was_published
from events.windows import end_of_ids_before, first_id_since
from salesflow.accounts.rest.filters import MomentFilter


class EventFilter(filters.FilterSet):  # type: ignore[misc]
    """The filters of `GET /api/events`."""

    status = filters.ChoiceFilter(choices=EventStatus.choices)
    type = filters.CharFilter(method="filter_type", help_text=gettext_lazy("Such as lead.created."))
    source = filters.CharFilter(help_text=gettext_lazy("Such as api, web, import."))
    request_id = filters.CharFilter(help_text=gettext_lazy("The X-Request-ID that caused it."))
    subject = filters.UUIDFilter(
        "subject_id", help_text=gettext_lazy("What it is about, such as a lead's id.")
    )
    created_after = MomentFilter(method="filter_created_after")
    created_before = MomentFilter(method="filter_created_before")

    class Meta:
        model = Event
        fields: list[str] = []

    def filter_type(self, events: QuerySet[Event], name: str, value: str) -> QuerySet[Event]:
        """Narrow by a type that is declared, or was when it was published."""
        if value not in payload_types() and not type_was_published(value):
            raise exceptions.ValidationError(
                {name: _("There is no event type “%(type)s”.") % {"type": value}}
            )
        return events.filter(type=value)

    # Pages are sorted by id. Ids rise with time, so a bound on them lets every index that ends in
    # the id begin near the time that is asked for, instead of at the newest event.

    def filter_created_after(
        self, events: QuerySet[Event], name: str, value: datetime
    ) -> QuerySet[Event]:
        """Narrow to what was recorded at that time or later."""
        return events.filter(created_at__gte=value, id__gte=first_id_since(value))

    def filter_created_before(
        self, events: QuerySet[Event], name: str, value: datetime
    ) -> QuerySet[Event]:
        """Narrow to what was recorded earlier."""
        return events.filter(created_at__lt=value, id__lt=end_of_ids_before(value))


class PendingEventFilter(EventFilter):
    """The filters of `GET /api/events/status/pending`, whose path tells the status."""

    status = None


class ReplayFilter(EventFilter):
    """What selects the events of `POST /api/events/replay/batch`."""

    type = None
    event_type = filters.CharFilter(
        method="filter_type", help_text=gettext_lazy("Such as lead.created.")
    )
    status = filters.ChoiceFilter(
        choices=EventStatus.choices, help_text=gettext_lazy("By default: failed.")
    )
