"""Every address of the product, outermost first."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from salesflow import api, health
from salesflow.accounts.rest.routes import api_path

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="leads:list"), name="home"),
    path("", include("salesflow.accounts.urls")),
    path("leads", include("leads.urls")),
    path("tasks", include("leads.task_urls")),
    path("leads/<uuid:lead_id>/messages", include("channels.urls")),
    path("leads/<uuid:lead_id>/consents", include("channels.consent_urls")),
    path("inbox", include("channels.inbox_urls")),
    path("settings", include("channels.settings_urls")),
    path("sequences", include("channels.sequences.urls")),
    path("settings", include("channels.sequences.settings_urls")),
    path("settings", include("channels.autopilot.settings_urls")),
    path("", include("channels.mail_urls")),
    path("", include("channels.public_urls")),
    path("autopilot", include("channels.autopilot.urls")),
    path("analytics", include("analytics.urls")),
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("admin/", admin.site.urls),
    api_path("api", api.Root.as_view(), "api"),
    path("api/", include("salesflow.api")),
]

handler400 = "salesflow.accounts.views.bad_request"
handler404 = "salesflow.accounts.views.page_not_found"
handler500 = "salesflow.accounts.views.server_error"
