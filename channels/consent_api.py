"""Consent over HTTP: what was recorded of a lead, and recording more."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from channels.consents import consent_records
from channels.models import Channel, ConsentRecord, LawfulBasis
from channels.services.consent import record_consent
from leads.api import lock_lead, refuse_unknown_lead
from leads.models import Lead
from leads.serializers import PersonSerializer
from salesflow.accounts.rest.authentication import person_of
from salesflow.accounts.rest.idempotency import IdempotentPostMixin
from salesflow.accounts.rest.routes import api_path
from salesflow.accounts.rest.serializers import StrictSerializer, TextField, read_body


class ConsentSerializer(serializers.ModelSerializer[ConsentRecord]):
    """That a person allowed to be written to, or forbade it."""

    proof = serializers.DictField(read_only=True)
    actor = PersonSerializer(read_only=True, allow_null=True)

    class Meta:
        model = ConsentRecord
        fields = [
            "id",
            "channel",
            "address",
            "decision",
            "basis",
            "source",
            "proof",
            "actor",
            "created_at",
        ]
        read_only_fields = fields


class ConsentInputSerializer(StrictSerializer):
    """A decision of a lead; whose the address is, is the service's to check."""

    channel = serializers.ChoiceField(Channel.choices)
    address = TextField(help_text=gettext_lazy("One of the lead's addresses on the channel."))
    decision = serializers.ChoiceField(ConsentRecord.Decision.choices)
    basis = serializers.ChoiceField(
        LawfulBasis.choices,
        required=False,
        help_text=gettext_lazy("Why they may be written to; needed for what is allowed."),
    )
    words = TextField(
        required=False,
        allow_blank=True,
        max_length=2000,
        help_text=gettext_lazy("What shows it; needed for what is allowed."),
    )


class LeadConsents(IdempotentPostMixin, generics.ListAPIView[ConsentRecord]):
    """What was recorded of a lead's consent."""

    serializer_class = ConsentSerializer
    orderings = {"created_at": ("created_at", "id")}
    default_ordering = "-created_at"

    def get_queryset(self) -> QuerySet[ConsentRecord]:
        """The records of the lead and of their addresses."""
        # The schema is made without a lead, and without a database.
        lead_id = self.kwargs.get("lead_id")
        lead = Lead.objects.filter(pk=lead_id).first() if lead_id else None
        nothing: QuerySet[ConsentRecord] = ConsentRecord.objects.none()
        return consent_records(lead) if lead else nothing

    @extend_schema(summary=gettext_lazy("List what a lead allowed and forbade, the last first"))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with one page."""
        refuse_unknown_lead(kwargs["lead_id"])
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary=gettext_lazy("Record that a lead allows to be written to, or forbids it"),
        request=ConsentInputSerializer,
        responses={201: ConsentSerializer},
    )
    def post(self, request: Request, lead_id: Any) -> Response:
        """Record it with its proof; it holds for the address from now on."""
        given = read_body(ConsentInputSerializer, request)
        with transaction.atomic():
            record = record_consent(
                lock_lead(lead_id),
                source="api",
                actor=person_of(request),
                **given,
            )
        record.refresh_from_db()
        return Response(ConsentSerializer(record).data, status=status.HTTP_201_CREATED)


urlpatterns: list[Any] = [
    api_path("leads/<uuid:lead_id>/consents", LeadConsents.as_view(), "api-lead-consents"),
]
