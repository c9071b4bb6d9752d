"""Failure groups over HTTP: those of one tenant."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response

from events.failures import triage
from events.failures.filters import FailureFilter
from events.failures.queries import SeenFailure, read_failures
from events.failures.serializers import FailureSerializer, TriageSerializer
from events.models import AuditLine, FailureGroup
from events.permissions import MayTriage
from salesflow.accounts.context import current_tenant
from salesflow.accounts.models import User
from salesflow.accounts.rest.authentication import person_of
from salesflow.accounts.rest.errors import Conflict
from salesflow.accounts.rest.idempotency import IdempotentPostMixin
from salesflow.accounts.rest.routes import api_path
from salesflow.accounts.rest.serializers import read_body


@extend_schema_view(get=extend_schema(summary=gettext_lazy("List failures, the latest first")))
class FailureList(IdempotentPostMixin, generics.ListAPIView[FailureGroup]):
    """What fails at the tenant."""

    serializer_class = FailureSerializer
    filterset_class = FailureFilter
    orderings = {
        "last_seen_at": ("last_seen_at", "id"),
        "first_seen_at": ("first_seen_at", "id"),
        "occurrences": ("occurrences", "id"),
    }
    default_ordering = "-last_seen_at"

    def get_queryset(self) -> QuerySet[FailureGroup]:
        """All of the tenant."""
        groups: QuerySet[FailureGroup] = FailureGroup.objects.defer("traceback")
        return groups

    def paginate_queryset(self, queryset: Any) -> list[Any]:
        """The failures of a page, with their counts."""
        page = super().paginate_queryset(queryset) or []
        read = read_failures(FailureGroup.objects.filter(pk__in=[group.pk for group in page]))
        by_fingerprint = {failure.fingerprint: failure for failure in read}
        keys = [group.fingerprint for group in page]
        return [by_fingerprint[key] for key in keys if key in by_fingerprint]


@extend_schema_view(get=extend_schema(summary=gettext_lazy("Read a failure")))
class FailureDetail(IdempotentPostMixin, generics.GenericAPIView[FailureGroup]):
    """One failure."""

    serializer_class = FailureSerializer

    def get(self, request: Request, fingerprint: UUID) -> Response:
        """Answer with the failure."""
        return Response(FailureSerializer(found(fingerprint)).data)


class FailureTriage(IdempotentPostMixin, generics.GenericAPIView[FailureGroup]):
    """Decides about one failure."""

    permission_classes = [MayTriage]
    serializer_class = TriageSerializer

    @extend_schema(
        summary=gettext_lazy("Acknowledge, mute, resolve, reopen, assign or annotate a failure"),
        responses={200: FailureSerializer},
    )
    def post(self, request: Request, fingerprint: UUID) -> Response:
        """Answer with the failure as it is then; what was so before is no error.

        Of who sends the `version` that they have read and comes second, nothing is changed: 409.
        """
        given = read_body(TriageSerializer, request)
        person = person_of(request)
        try:
            with transaction.atomic():
                decide(person, fingerprint, given)
        except FailureGroup.DoesNotExist:
            raise Http404 from None
        except triage.Stale:
            raise Conflict(_changed_since(fingerprint)) from None
        return Response(FailureSerializer(found(fingerprint)).data)


def _changed_since(fingerprint: UUID) -> str:
    """Who has decided about a failure last, as far as its tenant's audit tells."""
    target = {"target_type": triage.TARGET, "target_id": str(fingerprint)}
    lines = AuditLine.objects.filter(**target, tenant=current_tenant(), details__changed__gt=0)
    line = lines.select_related("actor").order_by("-id").first()
    if line is None:
        return _("Somebody has decided about this failure since you read it.")
    text = _("Decided since you read it: %(action)s, by %(who)s at %(when)s.")
    who = line.actor or _("somebody with an API key")
    return text % {"action": line.action, "who": who, "when": line.created_at.isoformat()}


def decide(person: User | None, fingerprint: UUID, given: dict[str, Any]) -> None:
    """Do what a request asks for, within the current tenant.

    Raises:
        FailureGroup.DoesNotExist: it has no such failure.
        Stale: it is not any more what the request says that its sender saw.
        ValidationError: naming the field that is wrong.
    """
    rows = FailureGroup.objects.all()
    note = given.get("note")
    if "version" in given:
        triage.refuse_stale(person, fingerprint, given["version"], rows=rows)
    if "state" in given:
        triage.change_state(given["state"], person, fingerprint, note or "", rows=rows)
    if "ticket_url" in given or (note is not None and "state" not in given):
        triage.annotate(person, fingerprint, note, given.get("ticket_url"), rows=rows)
    if "owner" in given:
        triage.assign(person, fingerprint, given["owner"], rows=rows)


def found(fingerprint: UUID) -> SeenFailure:
    """The current tenant's failure.

    Raises:
        Http404: it has none with that fingerprint.
    """
    for failure in read_failures(FailureGroup.objects.filter(fingerprint=fingerprint)):
        return failure
    raise Http404


urlpatterns: list[Any] = [
    api_path("failures", FailureList.as_view(), "api-failures"),
    api_path("failures/<uuid:fingerprint>", FailureDetail.as_view(), "api-failure"),
    api_path("failures/<uuid:fingerprint>/triage", FailureTriage.as_view(), "api-failure-triage"),
]
