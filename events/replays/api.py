"""Replays over HTTP: at once, or planned, started, paused, resumed and cancelled."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import exceptions, generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from events import replays as verbs
from events.filters import ReplayFilter
from events.models import Event, EventStatus, Replay, ReplayItem
from events.permissions import EDIT, EXTERNAL, MayReplay, require
from events.queries import replays
from events.replays.actions import NoReason, NothingRuns, TooLate
from events.replays.serializers import (
    ActRequestSerializer,
    PlanRequestSerializer,
    ReplayItemSerializer,
    ReplayProgressSerializer,
    ReplayRequestSerializer,
    StartedReplaySerializer,
    StartRequestSerializer,
    checked,
)
from salesflow.accounts.context import current_tenant
from salesflow.accounts.rest.authentication import HasTenant, person_of
from salesflow.accounts.rest.errors import Conflict
from salesflow.accounts.rest.filters import filtered, parameters_of
from salesflow.accounts.rest.idempotency import IdempotentPostMixin
from salesflow.accounts.rest.pagination import whole_number
from salesflow.accounts.rest.routes import api_path

DEFAULT_SELECTION, LARGEST_SELECTION = 100, 10_000


# --- At once ------------------------------------------------------------------------------------


class EventReplay(IdempotentPostMixin, generics.GenericAPIView[Event]):
    """Replays one event."""

    permission_classes = [MayReplay]
    serializer_class = ReplayRequestSerializer

    @extend_schema(
        summary=gettext_lazy("Replay an event"), responses={202: StartedReplaySerializer}
    )
    def post(self, request: Request, event_id: UUID) -> Response:
        """Start the replay; its progress is at /api/replays/{id}."""
        options = run_options(request)
        event = get_object_or_404(Event.objects.all(), pk=event_id)
        return started(verbs.replay_event(event.pk, actor=person_of(request), **options))


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
        options = run_options(request)
        selection = selection_of(request)
        return started(verbs.start_replay(selection, actor=person_of(request), **options))


def run_options(request: Request) -> Any:
    """How to replay at once, if who asks may do so.

    Raises:
        PermissionDenied: external effects are wanted of somebody who may not have them.
    """
    options = checked(ReplayRequestSerializer, request)
    if options["include_external"]:
        require(request, EXTERNAL)
    return options


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


# --- Step by step -------------------------------------------------------------------------------


class ReplayListFilter(filters.FilterSet):  # type: ignore[misc]
    """The filters of `GET /api/replays`."""

    status = filters.ChoiceFilter(choices=Replay.Status.choices)


@extend_schema_view(get=extend_schema(summary=gettext_lazy("List replays, the newest first")))
class ReplayList(IdempotentPostMixin, generics.ListAPIView[Replay]):
    """The tenant's replays, and new plans."""

    serializer_class = ReplayProgressSerializer
    filterset_class = ReplayListFilter
    orderings = {"id": ("id",)}

    def get_permissions(self) -> list[Any]:
        """Whoever may see events may see their replays; planning needs more."""
        return [MayReplay() if self.request.method == "POST" else HasTenant()]

    def get_queryset(self) -> QuerySet[Replay]:
        """All of the tenant."""
        return replays()

    @extend_schema(
        summary=gettext_lazy("Plan a replay, or giving up: freeze a selection and count it"),
        request=PlanRequestSerializer,
        responses={201: ReplayProgressSerializer, 202: ReplayProgressSerializer},
    )
    def post(self, request: Request) -> Response:
        """Answer with the plan; nothing runs before it is started.

        Of a large selection it is still being made: 202, with the status “planning”.
        """
        options = checked(PlanRequestSerializer, request)
        replay = verbs.plan_for_page(
            options["selection"],
            handlers=options["handlers"],
            kind=options["kind"],
            actor=person_of(request),
            tenant=current_tenant(),
        )
        is_made = replay.status == Replay.Status.PLANNED
        code = status.HTTP_201_CREATED if is_made else status.HTTP_202_ACCEPTED
        return Response(ReplayProgressSerializer(replay).data, status=code)


@extend_schema_view(get=extend_schema(summary=gettext_lazy("Read how far a replay has come")))
class ReplayDetail(IdempotentPostMixin, generics.RetrieveAPIView[Replay]):
    """One replay."""

    serializer_class = ReplayProgressSerializer
    lookup_url_kwarg = "replay_id"

    def get_queryset(self) -> QuerySet[Replay]:
        """All of the tenant."""
        return replays()


class ReplayItemFilter(filters.FilterSet):  # type: ignore[misc]
    """The filters of `GET /api/replays/{id}/items`."""

    status = filters.ChoiceFilter(choices=ReplayItem.Status.choices)


@extend_schema_view(
    get=extend_schema(summary=gettext_lazy("List what came of each event of a replay"))
)
class ReplayItemList(IdempotentPostMixin, generics.ListAPIView[ReplayItem]):
    """The items of one replay, in the order of the log."""

    serializer_class = ReplayItemSerializer
    filterset_class = ReplayItemFilter
    orderings = {"id": ("id",)}
    default_ordering = "id"

    def get_queryset(self) -> QuerySet[ReplayItem]:
        """All of the replay."""
        return ReplayItem.objects.filter(replay_id=self.kwargs.get("replay_id"))

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """A page of them, if the replay is the tenant's."""
        get_object_or_404(replays(), pk=kwargs["replay_id"])
        return super().list(request, *args, **kwargs)


class ReplayAct(IdempotentPostMixin, generics.GenericAPIView[Replay]):
    """Does something with one replay; 409 where somebody else was faster.

    Attributes:
        has_effects: whether handlers run because of it.
    """

    permission_classes = [MayReplay]
    serializer_class: type[serializers.Serializer[Any]] = ActRequestSerializer
    has_effects = False
    verb: Callable[..., None]

    def post(self, request: Request, replay_id: UUID) -> Response:
        """Answer with the replay as it is now."""
        options = checked(self.serializer_class, request)
        replay = get_object_or_404(replays(), pk=replay_id)
        if self.has_effects:
            require_to_run(request, replay, **options)
        try:
            type(self).verb(replay, actor=person_of(request), **options)
        except NoReason as missing:
            raise exceptions.ValidationError({"reason": [str(missing)]}) from None
        except TooLate as late:
            raise Conflict(str(late)) from None
        except NothingRuns as refused:
            raise exceptions.ValidationError(str(refused)) from None
        except ValueError as unplanned:
            raise exceptions.ValidationError({"handlers": [str(unplanned)]}) from None
        return Response(ReplayProgressSerializer(replay).data)


def require_to_run(
    request: Request, replay: Replay, *, include_external: bool | None = None, **_options: Any
) -> None:
    """Refuse who may not have done what the replay does.

    Args:
        include_external: as a start decides it; None: as the replay has it.

    Raises:
        PermissionDenied: it has external effects, or it edits.
    """
    if replay.include_external if include_external is None else include_external:
        require(request, EXTERNAL)
    if replay.kind == Replay.Kind.CORRECTION:
        require(request, EDIT)


def documented(summary: Any) -> Callable[[type[ReplayAct]], type[ReplayAct]]:
    """Tell the API's document what an act does."""
    return extend_schema_view(
        post=extend_schema(summary=summary, responses={200: ReplayProgressSerializer})
    )


@documented(gettext_lazy("Start a planned replay"))
class ReplayStart(ReplayAct):
    """Starts what was planned."""

    serializer_class = StartRequestSerializer
    has_effects = True
    verb = verbs.start


@documented(gettext_lazy("Pause a replay: release nothing more for now"))
class ReplayPause(ReplayAct):
    """Pauses a running replay."""

    verb = verbs.pause


@documented(gettext_lazy("Resume a replay that was paused, or that stopped by itself"))
class ReplayResume(ReplayAct):
    """Resumes a replay."""

    has_effects = True
    verb = verbs.resume


@documented(gettext_lazy("Cancel a replay: release nothing more for ever"))
class ReplayCancel(ReplayAct):
    """Cancels a plan or a replay."""

    verb = verbs.cancel


urlpatterns: list[Any] = [
    api_path("events/replay/batch", EventReplayBatch.as_view(), "api-events-replay"),
    api_path("events/<uuid:event_id>/replay", EventReplay.as_view(), "api-event-replay"),
    api_path("replays", ReplayList.as_view(), "api-replays"),
    api_path("replays/<uuid:replay_id>", ReplayDetail.as_view(), "api-replay"),
    api_path("replays/<uuid:replay_id>/items", ReplayItemList.as_view(), "api-replay-items"),
    api_path("replays/<uuid:replay_id>/start", ReplayStart.as_view(), "api-replay-start"),
    api_path("replays/<uuid:replay_id>/pause", ReplayPause.as_view(), "api-replay-pause"),
    api_path("replays/<uuid:replay_id>/resume", ReplayResume.as_view(), "api-replay-resume"),
    api_path("replays/<uuid:replay_id>/cancel", ReplayCancel.as_view(), "api-replay-cancel"),
]
