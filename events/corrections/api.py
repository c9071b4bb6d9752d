"""Corrections over HTTP: the twin of “edit and replay”."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from events.corrections.checking import CorrectionRefused
from events.corrections.correcting import correct_event
from events.models import Event
from events.permissions import EXTERNAL, MayEdit, require
from events.serializers import EventSerializer
from salesflow.accounts.rest.authentication import person_of
from salesflow.accounts.rest.errors import Conflict
from salesflow.accounts.rest.idempotency import IdempotentPostMixin
from salesflow.accounts.rest.routes import api_path
from salesflow.accounts.rest.serializers import StrictSerializer, TextField, read_body

EXTERNAL_HELP = _(
    "Also handlers whose effects leave the database; takes the permission for external effects."
)


class CorrectionRequestSerializer(StrictSerializer):
    """The corrected payload, and for whom it is."""

    payload = serializers.DictField(
        help_text=_("The whole payload, corrected. Fixed fields have to be as they were.")
    )
    reason = TextField(max_length=2000, help_text=_("Why, for the record."))
    handlers = serializers.ListField(
        child=TextField(),
        default=list,
        help_text=_("Some of those that failed; by default all."),
    )
    include_external = serializers.BooleanField(default=False, help_text=EXTERNAL_HELP)


class CorrectionSerializer(EventSerializer):
    """An event that was published in the place of another."""

    class Meta(EventSerializer.Meta):
        fields = [*dict.fromkeys([*EventSerializer.Meta.fields, "corrects_id"])]
        read_only_fields = fields


class EventCorrection(IdempotentPostMixin, generics.GenericAPIView[Event]):
    """Corrects one event."""

    permission_classes = [MayEdit]
    serializer_class = CorrectionRequestSerializer

    @extend_schema(
        summary=_("Publish a failed event anew, with a corrected payload"),
        responses={201: CorrectionSerializer},
    )
    def post(self, request: Request, event_id: UUID) -> Response:
        """Answer with the correction; 409 when somebody was faster."""
        given = read_body(CorrectionRequestSerializer, request)
        if given["include_external"]:
            require(request, EXTERNAL)
        event = get_object_or_404(Event.objects.defer("payload"), pk=event_id)
        person = person_of(request)
        try:
            made = correct_event(event, actor=person, source="api", **given)
        except CorrectionRefused as refused:
            raise Conflict(str(refused)) from None
        return Response(CorrectionSerializer(made).data, status=status.HTTP_201_CREATED)


urlpatterns: list[Any] = [
    api_path("events/<uuid:event_id>/correct", EventCorrection.as_view(), "api-event-correct"),
]
