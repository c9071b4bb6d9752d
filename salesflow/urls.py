"""Every address of the product, outermost first."""

from django.contrib import admin
from django.urls import include, path

from salesflow import health

urlpatterns = [
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
]

handler404 = "salesflow.accounts.views.page_not_found"
handler500 = "salesflow.accounts.views.server_error"
