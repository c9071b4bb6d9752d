"""Leads, their notes and their history over HTTP."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import exceptions, generics, status
from rest_framework.request import Request
from rest_framework.response import Response

from events.models import Event
from events.serializers import EventSerializer
from leads import queries, services
from leads.capturing import capture_lead
from leads.filters import LeadFilter
from leads.models import Lead, Note, Pipeline
from leads.serializers import (
    CaptureInputSerializer,
    CaptureSerializer,
    LeadInputSerializer,
    LeadSerializer,
    NoteInputSerializer,
    NoteSerializer,
    PipelineSerializer,
)
from salesflow.accounts.rest.authentication import person_of
from salesflow.accounts.rest.idempotency import IdempotentPostMixin
from salesflow.accounts.rest.routes import api_path
from salesflow.accounts.rest.serializers import read_body

UNSET = object()


class LeadList(IdempotentPostMixin, generics.ListAPIView[Lead]):
    """The tenant's leads."""

    serializer_class = LeadSerializer
    filterset_class = LeadFilter
    orderings = {
        "updated_at": ("updated_at", "id"),
        "created_at": ("created_at", "id"),
        "name": ("name", "id"),
        "company": ("company", "id"),
        "value": ("sorted_value", "id"),
    }
    default_ordering = "-updated_at"

    def get_queryset(self) -> QuerySet[Lead]:
        """All of the tenant."""
        return queries.sortable(queries.leads())

    @extend_schema(summary=gettext_lazy("List leads, the last changed first"))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with one page."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary=gettext_lazy("Create a lead"),
        request=LeadInputSerializer,
        responses={201: LeadSerializer},
    )
    def post(self, request: Request) -> Response:
        """Create a lead; it needs a name, a company or an e-mail address."""
        given = read_body(LeadInputSerializer, request)
        lead = services.create_lead(**{"source": "api", **given})
        return Response(told(lead.pk), status=status.HTTP_201_CREATED)


class LeadExtract(IdempotentPostMixin, generics.GenericAPIView[Lead]):
    """Makes leads from text."""

    serializer_class = CaptureInputSerializer

    @extend_schema(
        summary=gettext_lazy("Make a lead from a text"),
        request=CaptureInputSerializer,
        responses={200: CaptureSerializer, 201: CaptureSerializer},
    )
    def post(self, request: Request) -> Response:
        """Find a lead in a mail, a web form or a signature, by rules that are documented.

        201 tells a new lead with the text as its first note. 200 tells the lead that has one of
        the addresses or numbers, and got the text as a note; or the result of a dry run.
        """
        author = person_of(request)
        given = read_body(CaptureInputSerializer, request)
        capture = capture_lead(**given, author=author)
        answer = CaptureSerializer(capture).data
        answer["lead"] = told(capture.lead.pk) if capture.lead else None
        made = capture.created and not capture.dry_run
        return Response(answer, status=status.HTTP_201_CREATED if made else status.HTTP_200_OK)


class LeadDetail(IdempotentPostMixin, generics.RetrieveAPIView[Lead]):
    """One lead."""

    serializer_class = LeadSerializer
    lookup_url_kwarg = "lead_id"

    def get_queryset(self) -> QuerySet[Lead]:
        """All of the tenant."""
        return queries.leads()

    @extend_schema(summary=gettext_lazy("Read a lead"))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with the lead."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary=gettext_lazy("Edit, move or assign a lead"),
        request=LeadInputSerializer,
        responses={200: LeadSerializer},
    )
    def patch(self, request: Request, lead_id: UUID) -> Response:
        """Change what the body names, all of it or nothing; a stage moves, wins or loses it."""
        with transaction.atomic():
            lead = lock_lead(lead_id)
            serializer = LeadInputSerializer(lead, data=request.data, partial=True)
            serializer.is_valid(raise_exception=True)
            change_lead(lead, **serializer.validated_data)
        return Response(told(lead_id))

    @extend_schema(summary=gettext_lazy("Delete a lead"), responses={204: None})
    def delete(self, request: Request, lead_id: UUID) -> Response:
        """Delete the lead with its contact points and notes; its events stay."""
        with transaction.atomic():
            services.delete_lead(lock_lead(lead_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


def lock_lead(lead_id: UUID) -> Lead:
    """The lead, locked until the transaction ends; 404 if the tenant has none of that id."""
    try:
        return services.lock_lead(Lead(pk=lead_id))
    except Lead.DoesNotExist:
        raise Http404 from None


def change_lead(
    lead: Lead, *, stage: Any = None, owner: Any = UNSET, lost_reason: str = "", **fields: Any
) -> None:
    """Edit, assign and move a lead, whatever of it is asked for.

    Raises:
        ValidationError: something of it cannot be; the caller takes the rest back.
    """
    if fields:
        services.edit_lead(lead, **fields)
    if owner is not UNSET:
        services.assign_lead(lead, owner)
    if stage and stage.pk == lead.stage_id and lost_reason not in ("", lead.lost_reason):
        raise exceptions.ValidationError({"lost_reason": _("The lead was lost before.")})
    if stage:
        services.move_lead(lead, stage, lost_reason=lost_reason)


def refuse_unknown_lead(lead_id: UUID) -> None:
    """Raise Http404 unless the tenant has the lead."""
    if not Lead.objects.filter(pk=lead_id).exists():
        raise Http404


def told(lead_id: UUID) -> Any:
    """The lead as the API tells it."""
    return LeadSerializer(queries.leads().get(pk=lead_id)).data


@extend_schema_view(
    get=extend_schema(summary=gettext_lazy("List what happened to a lead, the last first"))
)
class LeadEvents(IdempotentPostMixin, generics.ListAPIView[Event]):
    """A lead's history."""

    serializer_class = EventSerializer
    orderings = {"occurred_at": ("occurred_at", "position")}
    default_ordering = "-occurred_at"

    def get_queryset(self) -> QuerySet[Event]:
        """The events about the lead."""
        return queries.lead_events(Lead(pk=self.kwargs.get("lead_id")))

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with one page."""
        refuse_unknown_lead(kwargs["lead_id"])
        return super().get(request, *args, **kwargs)


class LeadNotes(IdempotentPostMixin, generics.ListAPIView[Note]):
    """The notes on a lead."""

    serializer_class = NoteSerializer
    orderings = {"created_at": ("created_at", "id")}
    default_ordering = "-created_at"

    def get_queryset(self) -> QuerySet[Note]:
        """The notes on the lead."""
        notes: QuerySet[Note] = Note.objects.filter(lead=self.kwargs.get("lead_id"))
        return notes.select_related("author")

    @extend_schema(summary=gettext_lazy("List the notes on a lead, the last written first"))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with one page."""
        refuse_unknown_lead(kwargs["lead_id"])
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary=gettext_lazy("Write a note on a lead"),
        request=NoteInputSerializer,
        responses={201: NoteSerializer},
    )
    def post(self, request: Request, lead_id: UUID) -> Response:
        """Write a note; behind an API key it has no author."""
        author = person_of(request)
        given = read_body(NoteInputSerializer, request)
        with transaction.atomic():
            lead = lock_lead(lead_id)
            note = services.add_note(lead, given["body"], author=author)
        return Response(NoteSerializer(note).data, status=status.HTTP_201_CREATED)


@extend_schema_view(get=extend_schema(summary=gettext_lazy("List the pipelines with their stages")))
class PipelineList(IdempotentPostMixin, generics.ListAPIView[Pipeline]):
    """The tenant's pipelines."""

    serializer_class = PipelineSerializer
    orderings = {"position": ("position", "id")}
    default_ordering = "position"

    def get_queryset(self) -> QuerySet[Pipeline]:
        """All of the tenant, with their stages."""
        return queries.pipelines()


urlpatterns: list[Any] = [
    api_path("leads", LeadList.as_view(), "api-leads"),
    api_path("leads/extract", LeadExtract.as_view(), "api-leads-extract"),
    api_path("leads/<uuid:lead_id>", LeadDetail.as_view(), "api-lead"),
    api_path("leads/<uuid:lead_id>/events", LeadEvents.as_view(), "api-lead-events"),
    api_path("leads/<uuid:lead_id>/notes", LeadNotes.as_view(), "api-lead-notes"),
    api_path("pipelines", PipelineList.as_view(), "api-pipelines"),
]
