"""Events over HTTP."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics

from events.filters import EventFilter, PendingEventFilter
from events.models import Event, EventStatus
from events.queries import events_with_deliveries
from events.serializers import EventDetailSerializer, EventSerializer
from salesflow.accounts.rest.idempotency import IdempotentPostMixin
from salesflow.accounts.rest.routes import api_path


@extend_schema_view(get=extend_schema(summary=gettext_lazy("List events, the newest first")))
class EventList(IdempotentPostMixin, generics.ListAPIView[Event]):
    """The tenant's events."""

    serializer_class = EventSerializer
    filterset_class = EventFilter
    orderings = {"id": ("id",)}
    # Else what failed of a type is looked for in events_failed_by_id, among all that failed.
    ids_first = True

    def get_queryset(self) -> QuerySet[Event]:
        """All of the tenant."""
        events: QuerySet[Event] = Event.objects.all()
        return events


@extend_schema_view(
    get=extend_schema(summary=gettext_lazy("List events whose handlers have still to run"))
)
class PendingEventList(EventList):
    """The tenant's pending events."""

    filterset_class = PendingEventFilter

    def get_queryset(self) -> QuerySet[Event]:
        """Those that a handler has still to run for, or to be retried for."""
        return super().get_queryset().filter(status=EventStatus.PENDING)


@extend_schema_view(
    get=extend_schema(summary=gettext_lazy("Read an event with its deliveries and attempts"))
)
class EventDetail(IdempotentPostMixin, generics.RetrieveAPIView[Event]):
    """One event."""

    serializer_class = EventDetailSerializer
    lookup_url_kwarg = "event_id"

    def get_queryset(self) -> QuerySet[Event]:
        """All of the tenant."""
        return events_with_deliveries()


urlpatterns: list[Any] = [
    api_path("events", EventList.as_view(), "api-events"),
    api_path("events/status/pending", PendingEventList.as_view(), "api-events-pending"),
    api_path("events/<uuid:event_id>", EventDetail.as_view(), "api-event"),
]
