"""The numbers over HTTP."""

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.queries import funnel
from analytics.serializers import (
    DaysParameters,
    FunnelParameters,
    FunnelSerializer,
    ServiceLevelsSerializer,
)
from analytics.service_levels import service_levels
from leads.models import Pipeline
from leads.queries import default_pipeline, pipelines
from salesflow.accounts.rest.filters import refuse_unknown_parameters
from salesflow.accounts.rest.idempotency import IdempotentPostMixin
from salesflow.accounts.rest.routes import api_path


class FunnelView(IdempotentPostMixin):
    """How leads become deals."""

    @extend_schema(
        summary=gettext_lazy("Read the funnel of a pipeline, by stage and by source"),
        parameters=[FunnelParameters],
        responses=FunnelSerializer,
    )
    def get(self, request: Request) -> Response:
        """Answer with the leads that came in within a range of days, and what became of them."""
        refuse_unknown_parameters(request, FunnelParameters().fields)
        parameters = FunnelParameters(data=request.query_params)
        parameters.is_valid(raise_exception=True)
        asked = parameters.validated_data
        pipeline = _pipeline(asked.get("pipeline"))
        found = funnel(pipeline, asked.get("since"), asked.get("until"))
        return Response(FunnelSerializer(found).data)


class ServiceLevelsView(IdempotentPostMixin):
    """How fast messages are."""

    @extend_schema(
        summary=gettext_lazy("Read how fast messages are stored, answered, sent and delivered"),
        parameters=[DaysParameters],
        responses=ServiceLevelsSerializer,
    )
    def get(self, request: Request) -> Response:
        """Answer with the times by channel and step, of steps that ended within the days."""
        refuse_unknown_parameters(request, DaysParameters().fields)
        parameters = DaysParameters(data=request.query_params)
        parameters.is_valid(raise_exception=True)
        days = {name: parameters.validated_data.get(name) for name in ("since", "until")}
        found = {**days, "levels": service_levels(**days)}
        return Response(ServiceLevelsSerializer(found).data)


def _pipeline(pipeline_id: UUID | None) -> Pipeline:
    """The pipeline that was asked for.

    Raises:
        NotFound: the tenant has no such pipeline.
    """
    if pipeline_id is None:
        return default_pipeline()
    try:
        return pipelines().get(id=pipeline_id)
    except Pipeline.DoesNotExist:
        raise exceptions.NotFound(
            _("There is no pipeline “%(id)s”.") % {"id": pipeline_id}
        ) from None


urlpatterns: list[Any] = [
    api_path("analytics/funnel", FunnelView.as_view(), "api-funnel"),
    api_path("analytics/slo", ServiceLevelsView.as_view(), "api-slo"),
]
