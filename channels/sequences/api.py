"""Sequences over HTTP; who is in them: `enrolment_api`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema
from rest_framework import generics, permissions, status
from rest_framework.request import Request
from rest_framework.response import Response

from channels.sequences import models, pausing, queries, versions
from channels.sequences.documents import Document
from channels.sequences.filters import SequenceFilter
from channels.sequences.publishing import publish_version
from channels.sequences.serializers import (
    CloneSerializer,
    PublishSerializer,
    SequenceChangeSerializer,
    SequenceDetailSerializer,
    SequenceInputSerializer,
    SequenceSerializer,
    StatisticsSerializer,
)
from channels.sequences.statistics import statistics_of
from salesflow.accounts.models import ApiKey
from salesflow.accounts.rest.authentication import HasTenant, person_of
from salesflow.accounts.rest.errors import Conflict
from salesflow.accounts.rest.idempotency import IdempotentPostMixin
from salesflow.accounts.rest.routes import api_path
from salesflow.accounts.rest.serializers import read_body
from salesflow.accounts.views import LEADING

State = models.Sequence.State
# From which state to which → what does it.
TURNS = {
    (State.ACTIVE, State.PAUSED): pausing.pause_sequence,
    (State.PAUSED, State.ACTIVE): pausing.resume_sequence,
    (State.ACTIVE, State.ARCHIVED): versions.archive_sequence,
    (State.PAUSED, State.ARCHIVED): versions.archive_sequence,
    (State.ARCHIVED, State.ACTIVE): versions.restore_sequence,
}


class MayBuild(permissions.BasePermission):
    """Everybody of the team reads sequences; its managers and admins, and its keys, write them."""

    message = gettext_lazy("Only managers and admins of your team may do this.")

    def has_permission(self, request: Request, view: Any) -> bool:
        """As on the pages."""
        if request.method in permissions.SAFE_METHODS or isinstance(request.auth, ApiKey):
            return True
        membership = getattr(request._request, "membership", None)
        return membership is not None and membership.role in LEADING


class SequenceList(IdempotentPostMixin, generics.ListAPIView[models.Sequence]):
    """The tenant's sequences."""

    permission_classes = [HasTenant, MayBuild]
    serializer_class = SequenceSerializer
    filterset_class = SequenceFilter
    orderings = {"name": ("name", "id"), "created_at": ("created_at", "id")}
    default_ordering = "name"

    def get_queryset(self) -> QuerySet[models.Sequence]:
        """All of the tenant."""
        return queries.sequences()

    @extend_schema(summary=gettext_lazy("List sequences by name"))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with one page."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary=gettext_lazy("Write a sequence"),
        request=SequenceInputSerializer,
        responses={201: SequenceDetailSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make a sequence with a draft; nobody comes in before it is published."""
        given = read_body(SequenceInputSerializer, request)
        sequence = versions.create_sequence(
            given["name"], owner=person_of(request), document=given.get("content")
        )
        return Response(told(sequence.pk), status=status.HTTP_201_CREATED)


class SequenceMixin(IdempotentPostMixin):
    """What is about one sequence; anything else is not found."""

    permission_classes = [HasTenant, MayBuild]
    kwargs: dict[str, Any]

    @property
    def sequence(self) -> models.Sequence:
        """The sequence that the address names."""
        found = queries.sequences().filter(pk=self.kwargs["sequence_id"]).first()
        if found is None:
            raise Http404
        return found


class SequenceDetail(SequenceMixin, generics.GenericAPIView[models.Sequence]):
    """One sequence."""

    serializer_class = SequenceDetailSerializer

    @extend_schema(summary=gettext_lazy("Read a sequence with its steps"))
    def get(self, request: Request, sequence_id: UUID) -> Response:
        """Answer with the sequence."""
        return Response(told(self.sequence.pk))

    @extend_schema(
        summary=gettext_lazy("Rename, pause, archive or edit a sequence"),
        request=SequenceChangeSerializer,
        responses={200: SequenceDetailSerializer},
    )
    @transaction.atomic
    def patch(self, request: Request, sequence_id: UUID) -> Response:
        """Change what the body names, all of it or nothing; steps are edited as a draft."""
        given = read_body(SequenceChangeSerializer, request)
        change_sequence(self.sequence, request, **given)
        return Response(told(sequence_id))


class SequencePublish(SequenceMixin, generics.GenericAPIView[models.Sequence]):
    """Publishes what was edited."""

    serializer_class = PublishSerializer

    @extend_schema(
        summary=gettext_lazy("Publish the draft of a sequence"),
        request=PublishSerializer,
        responses={200: SequenceDetailSerializer},
    )
    def post(self, request: Request, sequence_id: UUID) -> Response:
        """Let those who come in from now on begin with the draft."""
        sequence, given = self.sequence, read_body(PublishSerializer, request)
        with conflicts_told():
            publish_version(sequence, actor=person_of(request), **given)
        return Response(told(sequence_id))


class SequenceClone(SequenceMixin, generics.GenericAPIView[models.Sequence]):
    """Copies a sequence."""

    serializer_class = CloneSerializer

    @extend_schema(
        summary=gettext_lazy("Clone a sequence"),
        request=CloneSerializer,
        responses={201: SequenceDetailSerializer},
    )
    def post(self, request: Request, sequence_id: UUID) -> Response:
        """Make another sequence with the same steps; nobody is in it."""
        sequence, given = self.sequence, read_body(CloneSerializer, request)
        made = versions.clone_sequence(sequence, given["name"], owner=person_of(request))
        return Response(told(made.pk), status=status.HTTP_201_CREATED)


class SequenceStatistics(SequenceMixin, generics.GenericAPIView[models.Sequence]):
    """What came of a sequence."""

    serializer_class = StatisticsSerializer

    @extend_schema(summary=gettext_lazy("Read what came of a sequence, step by step"))
    def get(self, request: Request, sequence_id: UUID) -> Response:
        """Answer with the figures; what they allow to say is in `verdict`."""
        return Response(StatisticsSerializer(statistics_of(self.sequence)).data)


def change_sequence(
    sequence: models.Sequence,
    request: Request,
    *,
    name: str = "",
    state: str = "",
    content: Document | None = None,
    revision: int | None = None,
) -> None:
    """Rename, edit and turn a sequence, whatever of it is asked for.

    Raises:
        ValidationError: something of it cannot be; the caller takes the rest back.
        Conflict: somebody else has edited it meanwhile, or it cannot go into that state.
    """
    if name:
        versions.rename_sequence(sequence, name)
    if content is not None:
        with conflicts_told():
            versions.edit_draft(sequence, lambda _before: content, revision=revision)
    if state and state != sequence.state:
        turn = TURNS.get((State(sequence.state), State(state)))
        if turn is None:
            told = {"before": sequence.state, "after": state}
            raise Conflict(_("It cannot go from %(before)s to %(after)s.") % told)
        turn(sequence, actor=person_of(request))


@contextmanager
def conflicts_told() -> Iterator[None]:
    """Tell a ValidationError with the code "stale" as a conflict."""
    try:
        yield
    except ValidationError as error:
        if getattr(error, "code", "") == "stale":
            raise Conflict(" ".join(error.messages)) from None
        raise


def told(sequence_id: UUID) -> Any:
    """The sequence as the API tells it."""
    sequence: Any = queries.sequences().get(pk=sequence_id)
    sequence.draft = versions.draft_of(sequence)
    return SequenceDetailSerializer(sequence).data


urlpatterns: list[Any] = [
    api_path("sequences", SequenceList.as_view(), "api-sequences"),
    api_path("sequences/<uuid:sequence_id>", SequenceDetail.as_view(), "api-sequence"),
    api_path(
        "sequences/<uuid:sequence_id>/publish", SequencePublish.as_view(), "api-sequence-publish"
    ),
    api_path("sequences/<uuid:sequence_id>/clone", SequenceClone.as_view(), "api-sequence-clone"),
    api_path(
        "sequences/<uuid:sequence_id>/statistics",
        SequenceStatistics.as_view(),
        "api-sequence-statistics",
    ),
]
