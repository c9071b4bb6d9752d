"""What the admin's list of events can be narrowed by; all of it stands in the address."""

from datetime import datetime, time
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.forms import DateField, TimeField, ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter, RangeDateTimeFilter

from events.models import Event, EventStatus, Replay
from events.payloads import payload_types
from events.types import EventType
from salesflow.accounts.admin_scope import ChosenFilter

# Where the product's own events come from; other apps may name sources of their own.
KNOWN_SOURCES = ["web", "api", "admin", "import", "handler", "system"]


class StatusFilter(ChosenFilter):
    """Pending, failed or processed."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The aggregate's three values."""
        return list(EventStatus.choices)


class TypeFilter(ChosenFilter):
    """By event type."""

    title = _("type")
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The types that installed apps declare."""
        labels = dict(EventType.choices)
        return [(name, f"{name} · {labels.get(name, '')}") for name in sorted(payload_types())]


class SourceFilter(DropdownFilter):
    """By source; one that is not offered can be named in the address."""

    title = _("source")
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The known sources, and the one in the address."""
        named = request.GET.get("source") or KNOWN_SOURCES[0]
        return [(name, name) for name in dict.fromkeys([*KNOWN_SOURCES, named])]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        """Events with exactly this source."""
        source = self.value()
        if source and "\x00" in source:
            raise IncorrectLookupParameters("source")
        return queryset.filter(source=source) if source else queryset


class RecordedFilter(RangeDateTimeFilter):
    """Recorded from … to …; without a time a day counts whole."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        """Events within the range, both ends included.

        Raises:
            IncorrectLookupParameters: no date or time can be read from the address.
        """
        since, until = self._moment("from", time.min), self._moment("to", time.max)
        queryset = queryset.filter(created_at__gte=since) if since else queryset
        return queryset.filter(created_at__lte=until) if until else queryset

    def _moment(self, end: str, default: time) -> datetime | None:
        date, clock = (self.used_parameters.get(f"created_at_{end}_{n}") for n in (0, 1))
        if not date:
            return None
        try:
            day = DateField().clean(date)
            moment = TimeField(required=False).clean(clock) or default
        except ValidationError as error:
            raise IncorrectLookupParameters(error) from None
        # Twelve o'clock and one second is meant to include all of that second.
        moment = moment.replace(microsecond=999_999) if end == "to" else moment
        return timezone.make_aware(datetime.combine(day, moment))


class ReplayStatusFilter(ChosenFilter):
    """Running or finished."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """A replay's statuses."""
        return list(Replay.Status.choices)
