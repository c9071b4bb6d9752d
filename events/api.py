"""Events and replays over HTTP."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import exceptions, generics, status
from rest_framework.request import Request
from rest_framework.response import Response

from events.filters import EventFilter, PendingEventFilter, ReplayFilter
from events.models import Event, EventStatus, Replay
from events.queries import events_with_deliveries, replays
from events.replays import replay_event, start_replay
from events.serializers import (
    EventDetailSerializer,
    EventSerializer,
    ReplayProgressSerializer,
    ReplayRequestSerializer,
    StartedReplaySerializer,
    replay_options,
)
from salesflow.accounts.models import User
from salesflow.accounts.rest.authentication import MayReplay
from salesflow.accounts.rest.filters import filtered, parameters_of
from salesflow.accounts.rest.idempotency import IdempotentPostMixin
from salesflow.accounts.rest.pagination import whole_number
from salesflow.accounts.rest.routes import api_path

DEFAULT_SELECTION, LARGEST_SELECTION = 100, 10_000


@extend_schema_view(get=extend_schema(summary=gettext_lazy("List events, the newest first")))
class EventList(IdempotentPostMixin, generics.ListAPIView[Event]):
    """The tenant's events."""

    serializer_class = EventSerializer
    filterset_class = EventFilter
    orderings = {"id": ("id",)}

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


class EventReplay(IdempotentPostMixin, generics.GenericAPIView[Event]):
    """Replays one event."""

    permission_classes = [MayReplay]
    serializer_class = ReplayRequestSerializer

    @extend_schema(
        summary=gettext_lazy("Replay an event"), responses={202: StartedReplaySerializer}
    )
    def post(self, request: Request, event_id: UUID) -> Response:
        """Start the replay; its progress is at /api/replays/{id}."""
        options = replay_options(request.data)
        event = get_object_or_404(Event.objects.all(), pk=event_id)
        return started(replay_event(event.pk, actor=person_of(request), **options))


class EventReplayBatch(IdempotentPostMixin, generics.GenericAPIView[Event]):
    """Replays the oldest events of a selection."""

    permission_classes = [MayReplay]
    serializer_class = ReplayRequestSerializer

    @extend_schema(
        summary=gettext_lazy("Replay failed events"),
        parameters=[
            *parameters_of(ReplayFilter),
            OpenApiParameter(
                "limit",
                {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": LARGEST_SELECTION,
                    "default": DEFAULT_SELECTION,
                },
                description=gettext_lazy("How many events at most, the oldest first."),
            ),
        ],
        responses={202: StartedReplaySerializer},
    )
    def post(self, request: Request) -> Response:
        """Start the replay; its progress is at /api/replays/{id}."""
        options = replay_options(request.data)
        selection = selection_of(request)
        return started(start_replay(selection, actor=person_of(request), **options))


def selection_of(request: Request) -> QuerySet[Event]:
    """The events that the query parameters of a batch name.

    Raises:
        ValidationError: an unknown parameter, or one that is empty: a slip in a script must
            not replay everything.
    """
    empty = [name for name, value in request.GET.items() if not str(value).strip()]
    if empty:
        raise exceptions.ValidationError(dict.fromkeys(empty, _("Give a value, or leave it out.")))
    given = request.query_params.get("limit", str(DEFAULT_SELECTION))
    limit = whole_number("limit", given, LARGEST_SELECTION)
    events = filtered(request, Event.objects.all(), ReplayFilter, also=["limit"])
    if "status" not in request.query_params:
        events = events.filter(status=EventStatus.FAILED)
    oldest = events.order_by("position").values("pk")[:limit]
    selection: QuerySet[Event] = Event.objects.filter(pk__in=oldest)
    return selection


def started(replay: Replay) -> Response:
    """202 with the replay's id."""
    return Response(StartedReplaySerializer(replay).data, status=status.HTTP_202_ACCEPTED)


def person_of(request: Request) -> User | None:
    """Who is logged in; nobody in particular behind an API key."""
    return request.user if isinstance(request.user, User) else None


@extend_schema_view(get=extend_schema(summary=gettext_lazy("Read how far a replay has come")))
class ReplayDetail(IdempotentPostMixin, generics.RetrieveAPIView[Replay]):
    """One replay."""

    serializer_class = ReplayProgressSerializer
    lookup_url_kwarg = "replay_id"

    def get_queryset(self) -> QuerySet[Replay]:
        """All of the tenant."""
        return replays()


urlpatterns: list[Any] = [
    api_path("events", EventList.as_view(), "api-events"),
    api_path("events/status/pending", PendingEventList.as_view(), "api-events-pending"),
    api_path("events/replay/batch", EventReplayBatch.as_view(), "api-events-replay"),
    api_path("events/<uuid:event_id>", EventDetail.as_view(), "api-event"),
    api_path("events/<uuid:event_id>/replay", EventReplay.as_view(), "api-event-replay"),
    api_path("replays/<uuid:replay_id>", ReplayDetail.as_view(), "api-replay"),
]
