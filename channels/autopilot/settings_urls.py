"""The addresses of the settings of models: endpoints, and what they cost."""

from django.urls import path

from channels.autopilot.views import costs, endpoints

app_name = "autopilot-settings"

ENDPOINT = "/models/<uuid:endpoint_id>"

urlpatterns = [
    path("/models", endpoints.EndpointListView.as_view(), name="endpoints"),
    path("/models/new", endpoints.ConnectView.as_view(), name="connect"),
    path("/models/costs", costs.CostsView.as_view(), name="costs"),
    path(ENDPOINT, endpoints.EndpointView.as_view(), name="endpoint"),
    path(f"{ENDPOINT}/state", endpoints.EndpointStateView.as_view(), name="state"),
    path(f"{ENDPOINT}/check", endpoints.CheckView.as_view(), name="check"),
    *(
        path(f"{ENDPOINT}/{deed}", endpoints.DeedView.as_view(deed=deed), name=deed)
        for deed in endpoints.DO
    ),
]
