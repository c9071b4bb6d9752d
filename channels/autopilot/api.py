"""Drafts, suggestions and runs over HTTP. A key may read, edit, dismiss and ask; to approve, and to
take what was proposed, is a person's."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, generics, permissions, status
from rest_framework.request import Request
from rest_framework.response import Response

from channels.autopilot import queries
from channels.autopilot.costs import costs_of
from channels.autopilot.deciding import (
    Outdated,
    approve_draft,
    dismiss_draft,
    edit_draft,
    stop_draft,
)
from channels.autopilot.filters import DraftFilter, RunFilter
from channels.autopilot.models import ActionType, Draft, Run, Suggestion
from channels.autopilot.runs import request_run
from channels.autopilot.serializers import (
    CostsSerializer,
    DismissSerializer,
    DraftSerializer,
    EditSerializer,
    RevisionSerializer,
    RunInputSerializer,
    RunSerializer,
    SuggestionSerializer,
)
from channels.autopilot.suggestions import accept_suggestion, dismiss_suggestion
from salesflow.accounts.context import current_tenant
from salesflow.accounts.models import User
from salesflow.accounts.rest.authentication import HasTenant, person_of
from salesflow.accounts.rest.errors import Conflict
from salesflow.accounts.rest.filters import refuse_unknown_parameters
from salesflow.accounts.rest.idempotency import IdempotentPostMixin
from salesflow.accounts.rest.routes import api_path
from salesflow.accounts.rest.serializers import read_body

DAYS, MOST_DAYS = 30, 366


class IsPerson(permissions.BasePermission):
    """What goes out in somebody's name needs somebody."""

    message = gettext_lazy("A person has to decide this: log in; a key cannot.")

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether somebody is logged in."""
        return person_of(request) is not None


class DraftView(IdempotentPostMixin, generics.GenericAPIView[Draft]):
    """A view of the tenant's drafts."""

    serializer_class = DraftSerializer
    lookup_url_kwarg = "draft_id"

    def get_queryset(self) -> QuerySet[Draft]:
        """All of the tenant."""
        return queries.drafts()


class DraftList(DraftView, generics.ListAPIView[Draft]):
    """The tenant's drafts."""

    filterset_class = DraftFilter
    orderings = {"created_at": ("created_at", "id")}
    default_ordering = "-created_at"

    @extend_schema(summary=gettext_lazy("List the autopilot's drafts, the newest first"))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with one page."""
        return super().get(request, *args, **kwargs)


class DraftDetail(DraftView, generics.RetrieveAPIView[Draft]):
    """One draft."""

    @extend_schema(summary=gettext_lazy("Read a draft"))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with the draft."""
        return super().get(request, *args, **kwargs)


class DraftVerb(DraftView):
    """A decision about one draft."""

    def decide(self, service: Callable[..., Draft], draft_id: UUID, **given: Any) -> Response:
        """Call the service; what was changed meanwhile is a 409."""
        try:
            service(draft_id, **given)
        except Draft.DoesNotExist:
            raise Http404 from None
        except Outdated as outdated:
            raise Conflict(str(outdated.reason)) from None
        return Response(DraftSerializer(self.get_object()).data)


class DraftApprove(DraftVerb):
    """Approves one revision."""

    permission_classes = [HasTenant, IsPerson]

    @extend_schema(
        summary=gettext_lazy("Approve one revision of a draft"),
        request=RevisionSerializer,
        responses={200: DraftSerializer},
    )
    def post(self, request: Request, draft_id: UUID) -> Response:
        """It goes out in ten seconds unless it is stopped; all is checked again then."""
        given = read_body(RevisionSerializer, request)
        actor = person_of(request)
        return self.decide(approve_draft, draft_id, actor=actor, **given)


class DraftEdit(DraftVerb):
    """Writes a draft otherwise."""

    @extend_schema(
        summary=gettext_lazy("Edit a draft"),
        request=EditSerializer,
        responses={200: DraftSerializer},
    )
    def post(self, request: Request, draft_id: UUID) -> Response:
        """It gets a new revision; an approval is taken back."""
        given = read_body(EditSerializer, request)
        actor = person_of(request)
        return self.decide(edit_draft, draft_id, actor=actor, **given)


class DraftDismiss(DraftVerb):
    """Decides against a draft."""

    @extend_schema(
        summary=gettext_lazy("Dismiss a draft"),
        request=DismissSerializer,
        responses={200: DraftSerializer},
    )
    def post(self, request: Request, draft_id: UUID) -> Response:
        """It does not go out."""
        given = read_body(DismissSerializer, request)
        actor = person_of(request)
        return self.decide(dismiss_draft, draft_id, actor=actor, **given)


class DraftStop(DraftVerb):
    """Takes an approval back."""

    @extend_schema(
        summary=gettext_lazy("Stop an approved draft before it goes"),
        request=None,
        responses={200: DraftSerializer},
    )
    def post(self, request: Request, draft_id: UUID) -> Response:
        """It waits to be decided again."""
        return self.decide(stop_draft, draft_id)


class SuggestionVerb(IdempotentPostMixin, generics.GenericAPIView[Suggestion]):
    """A decision about what was proposed."""

    permission_classes = [HasTenant, IsPerson]
    serializer_class = SuggestionSerializer
    lookup_url_kwarg = "suggestion_id"

    def get_queryset(self) -> QuerySet[Suggestion]:
        """All of the tenant."""
        rows: QuerySet[Suggestion] = Suggestion.objects.all()
        return rows

    def decided(
        self, service: Callable[[UUID, User], Suggestion], request: Request, suggestion_id: UUID
    ) -> Response:
        """Call the service."""
        actor = person_of(request)
        assert actor
        try:
            suggestion = service(suggestion_id, actor)
        except Suggestion.DoesNotExist:
            raise Http404 from None
        return Response(SuggestionSerializer(suggestion).data)


class SuggestionAccept(SuggestionVerb):
    """Takes what was proposed."""

    @extend_schema(
        summary=gettext_lazy("Take a step that the autopilot proposed"),
        request=None,
        responses={200: SuggestionSerializer},
    )
    def post(self, request: Request, suggestion_id: UUID) -> Response:
        """Make the task, move the lead, or have it enrolled."""
        return self.decided(accept_suggestion, request, suggestion_id)


class SuggestionDismiss(SuggestionVerb):
    """Decides against what was proposed."""

    @extend_schema(
        summary=gettext_lazy("Dismiss a step that the autopilot proposed"),
        request=None,
        responses={200: SuggestionSerializer},
    )
    def post(self, request: Request, suggestion_id: UUID) -> Response:
        """Nothing is done."""
        return self.decided(dismiss_suggestion, request, suggestion_id)


class RunList(IdempotentPostMixin, generics.ListAPIView[Run]):
    """What models were asked."""

    serializer_class = RunSerializer
    filterset_class = RunFilter
    orderings = {"id": ("id",)}
    default_ordering = "-id"

    def get_queryset(self) -> QuerySet[Run]:
        """All of the tenant, without their prompts."""
        rows: QuerySet[Run] = Run.objects.defer("messages", "output", "report")
        return rows

    @extend_schema(summary=gettext_lazy("List what models were asked, the newest first"))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with one page."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary=gettext_lazy("Have a model asked about a lead"),
        request=RunInputSerializer,
        responses={202: RunSerializer},
    )
    def post(self, request: Request) -> Response:
        """A worker asks it; GET /api/autopilot/runs/{id} tells what came of it."""
        given = read_body(RunInputSerializer, request)
        run = request_run(
            ActionType(given["action"]),
            key=f"{given['action']}:{given['lead'].pk}:{uuid4().hex}",
            lead=given["lead"],
            asked_by=person_of(request),
        )
        return Response(RunSerializer(run).data, status=status.HTTP_202_ACCEPTED)


class RunDetail(IdempotentPostMixin, generics.RetrieveAPIView[Run]):
    """One question to a model."""

    serializer_class = RunSerializer
    lookup_url_kwarg = "run_id"

    def get_queryset(self) -> QuerySet[Run]:
        """All of the tenant."""
        rows: QuerySet[Run] = Run.objects.defer("messages", "output", "report")
        return rows

    @extend_schema(summary=gettext_lazy("Read what a model was asked and what came of it"))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with the run."""
        return super().get(request, *args, **kwargs)


class CostsRead(IdempotentPostMixin, generics.GenericAPIView[Run]):
    """What models cost."""

    serializer_class = CostsSerializer
    filter_backends: list[Any] = []
    pagination_class = None

    @extend_schema(
        summary=gettext_lazy("Read what models cost"),
        parameters=[
            OpenApiParameter(
                "days", int, description=gettext_lazy("Days up to today, 1 to 366; by default 30.")
            )
        ],
        responses={200: CostsSerializer},
    )
    def get(self, request: Request) -> Response:
        """By day of the tenant's zone, by what was asked for, and by model."""
        refuse_unknown_parameters(request, ["days"])
        given = request.query_params.get("days", str(DAYS))
        is_short = given.isascii() and given.isdigit() and len(given) <= 3
        if not is_short or not 1 <= int(given) <= MOST_DAYS:
            raise exceptions.ValidationError({"days": _("A number from 1 to 366.")})
        today = timezone.now().astimezone(ZoneInfo(current_tenant().time_zone)).date()
        return Response(CostsSerializer(costs_of(today, int(given))).data)


DRAFT = "autopilot/drafts/<uuid:draft_id>"
SUGGESTION = "autopilot/suggestions/<uuid:suggestion_id>"
urlpatterns: list[Any] = [
    api_path("autopilot/drafts", DraftList.as_view(), "api-drafts"),
    api_path(DRAFT, DraftDetail.as_view(), "api-draft"),
    api_path(f"{DRAFT}/approve", DraftApprove.as_view(), "api-draft-approve"),
    api_path(f"{DRAFT}/edit", DraftEdit.as_view(), "api-draft-edit"),
    api_path(f"{DRAFT}/dismiss", DraftDismiss.as_view(), "api-draft-dismiss"),
    api_path(f"{DRAFT}/stop", DraftStop.as_view(), "api-draft-stop"),
    api_path(f"{SUGGESTION}/accept", SuggestionAccept.as_view(), "api-suggestion-accept"),
    api_path(f"{SUGGESTION}/dismiss", SuggestionDismiss.as_view(), "api-suggestion-dismiss"),
    api_path("autopilot/costs", CostsRead.as_view(), "api-autopilot-costs"),
    api_path("autopilot/runs", RunList.as_view(), "api-runs"),
    api_path("autopilot/runs/<uuid:run_id>", RunDetail.as_view(), "api-run"),
]
