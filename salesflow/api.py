"""The whole HTTP API: the apps' routes, what describes them, and a list to begin with."""

from typing import Any

from drf_spectacular import renderers
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

import analytics.api
import channels.api
import channels.autopilot.api
import channels.consent_api
import channels.sequences.api
import channels.sequences.enrolment_api
import channels.template_api
import events.api
import events.corrections.api
import events.failures.api
import events.handler_api
import events.replays.api
import leads.api
import leads.task_api
from salesflow.accounts.rest.routes import api_path

ROUTES: list[Any] = [
    *events.api.urlpatterns,
    *events.corrections.api.urlpatterns,
    *events.failures.api.urlpatterns,
    *events.handler_api.urlpatterns,
    *events.replays.api.urlpatterns,
    *leads.api.urlpatterns,
    *leads.task_api.urlpatterns,
    *channels.api.urlpatterns,
    *channels.autopilot.api.urlpatterns,
    *channels.consent_api.urlpatterns,
    *channels.template_api.urlpatterns,
    *channels.sequences.api.urlpatterns,
    *channels.sequences.enrolment_api.urlpatterns,
    *analytics.api.urlpatterns,
]


class Root(APIView):
    """Where to begin."""

    authentication_classes = []
    permission_classes = [AllowAny]
    schema = None

    def get(self, request: Request) -> Response:
        """List the routes that need no id."""
        plain = [route for route in urlpatterns if not route.pattern.converters]
        return Response(
            {str(route.pattern) or "api": reverse(route.name, request=request) for route in plain}
        )


class Schema(SpectacularAPIView):
    """The OpenAPI document: JSON, or YAML for those who ask for it."""

    renderer_classes = [
        renderers.OpenApiJsonRenderer2,
        renderers.OpenApiJsonRenderer,
        renderers.OpenApiYamlRenderer,
        renderers.OpenApiYamlRenderer2,
    ]


class Docs(SpectacularSwaggerSplitView):
    """The OpenAPI document to browse and to try; its script is a file, so our policy allows it."""

    url_name = "api-schema"
    template_name = "api/docs.html"


urlpatterns: list[Any] = [
    *ROUTES,
    api_path("schema", Schema.as_view(), "api-schema"),
    api_path("docs", Docs.as_view(), "api-docs"),
    api_path("", Root.as_view(), "api-root"),
]
