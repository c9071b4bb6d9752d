"""Who is in sequences, over HTTP: taken in, paused, taken out."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import exceptions, generics, status
from rest_framework.request import Request
from rest_framework.response import Response

from channels.models import Account
from channels.sequences import models, queries
from channels.sequences.api import SequenceMixin
from channels.sequences.by_hand import let_wait, take_out
from channels.sequences.enrolling import (
    Source,
    check_account,
    enrol_leads,
    published_version,
    resume_enrolment,
)
from channels.sequences.filters import EnrolmentFilter
from channels.sequences.models import Enrolment
from channels.sequences.previewing import Unpreviewable, survey
from channels.sequences.refusing import Refusal
from channels.sequences.serializers import (
    EnrolmentSerializer,
    EnrolReportSerializer,
    EnrolSerializer,
)
from salesflow.accounts.models import User
from salesflow.accounts.rest.authentication import HasTenant, person_of
from salesflow.accounts.rest.errors import Conflict
from salesflow.accounts.rest.idempotency import IdempotentPostMixin
from salesflow.accounts.rest.routes import api_path
from salesflow.accounts.rest.serializers import read_body


class SequenceEnrolments(SequenceMixin, generics.GenericAPIView[Enrolment]):
    """Takes leads into a sequence; whoever may write to a lead may."""

    permission_classes = [HasTenant]
    serializer_class = EnrolSerializer

    @extend_schema(
        summary=gettext_lazy("Take leads into a sequence"),
        request=EnrolSerializer,
        responses={200: EnrolReportSerializer, 201: EnrolReportSerializer},
    )
    def post(self, request: Request, sequence_id: UUID) -> Response:
        """Take in who may come in; the others are told with their reasons.

        A dry run answers 200 and tells what would come of it.
        """
        sequence, given = self.sequence, read_body(EnrolSerializer, request)
        leads, is_rehearsal = given.pop("leads"), given.pop("dry_run")
        if is_rehearsal:
            return Response(rehearsed(sequence, leads, **given))
        report = enrol_leads(leads, sequence, source=Source.API, actor=person_of(request), **given)
        answer = {
            "dry_run": False,
            "starting": len(report.enrolled),
            "enrolled": EnrolmentSerializer(report.enrolled, many=True).data,
            "refused": refused_in_words(report.refused),
            "obstacles": {},
        }
        return Response(answer, status=status.HTTP_201_CREATED)


@extend_schema_view(
    get=extend_schema(
        summary=gettext_lazy("List who is or was in sequences, the last who came in first")
    )
)
class EnrolmentList(IdempotentPostMixin, generics.ListAPIView[Enrolment]):
    """Who is or was in a sequence."""

    serializer_class = EnrolmentSerializer
    filterset_class = EnrolmentFilter
    orderings = {"enrolled_at": ("enrolled_at", "id")}
    default_ordering = "-enrolled_at"

    def get_queryset(self) -> QuerySet[Enrolment]:
        """All of the tenant."""
        return queries.enrolments()


class EnrolmentVerb(IdempotentPostMixin, generics.GenericAPIView[Enrolment]):
    """Lets somebody wait, go on, or leave a sequence."""

    serializer_class = EnrolmentSerializer

    def post(self, request: Request, enrolment_id: UUID) -> Response:
        """Do it, and answer with the enrolment as it is then."""
        row = queries.enrolments().filter(pk=enrolment_id).first()
        if row is None:
            raise Http404
        try:
            self.act(row)
        except Enrolment.DoesNotExist:
            raise Http404 from None
        except ValidationError as error:
            raise Conflict(" ".join(error.messages)) from None
        return Response(EnrolmentSerializer(queries.enrolments().get(pk=enrolment_id)).data)

    def act(self, row: Enrolment) -> None:
        """Call the service."""
        raise NotImplementedError


@extend_schema_view(
    post=extend_schema(
        summary=gettext_lazy("Let a lead wait where it is in a sequence"),
        request=None,
        responses={200: EnrolmentSerializer},
    )
)
class EnrolmentPause(EnrolmentVerb):
    """Pauses an enrolment."""

    def act(self, row: Enrolment) -> None:
        let_wait(row)


@extend_schema_view(
    post=extend_schema(
        summary=gettext_lazy("Let a lead go on in a sequence"),
        request=None,
        responses={200: EnrolmentSerializer},
    )
)
class EnrolmentResume(EnrolmentVerb):
    """Resumes an enrolment."""

    def act(self, row: Enrolment) -> None:
        resume_enrolment(row)


@extend_schema_view(
    post=extend_schema(
        summary=gettext_lazy("Take a lead out of a sequence"),
        request=None,
        responses={200: EnrolmentSerializer},
    )
)
class EnrolmentStop(EnrolmentVerb):
    """Stops an enrolment; one that has finished stays as it was."""

    def act(self, row: Enrolment) -> None:
        take_out([row.pk])


def rehearsed(
    sequence: models.Sequence,
    leads: list[Any],
    *,
    sender: User | None = None,
    account: Account | None = None,
) -> dict[str, Any]:
    """What would come of taking these leads in.

    Raises:
        ValidationError: nobody can come in, or not like this.
    """
    check_account(account)
    version = published_version(sequence)
    try:
        found = survey(leads, version, sender=sender, account=account)
    except Unpreviewable as reason:
        raise exceptions.ValidationError({"sequence": str(reason.reason)}) from None
    return {
        "dry_run": True,
        "starting": found.starting,
        "enrolled": [],
        "refused": refused_in_words(found.refused_leads),
        "obstacles": found.obstacles,
    }


def refused_in_words(refused: dict[UUID, Refusal]) -> list[dict[str, str]]:
    """Who did not come in, and why."""
    return [
        {"lead": str(lead_id), "reason": reason.value, "message": str(reason.label)}
        for lead_id, reason in refused.items()
    ]


urlpatterns: list[Any] = [
    api_path(
        "sequences/<uuid:sequence_id>/enrolments",
        SequenceEnrolments.as_view(),
        "api-sequence-enrolments",
    ),
    api_path("enrolments", EnrolmentList.as_view(), "api-enrolments"),
    api_path(
        "enrolments/<uuid:enrolment_id>/pause", EnrolmentPause.as_view(), "api-enrolment-pause"
    ),
    api_path(
        "enrolments/<uuid:enrolment_id>/resume", EnrolmentResume.as_view(), "api-enrolment-resume"
    ),
    api_path("enrolments/<uuid:enrolment_id>/stop", EnrolmentStop.as_view(), "api-enrolment-stop"),
]
