"""The addresses of the pages with numbers."""

from django.urls import path

from analytics.views import FunnelView

app_name = "analytics"

urlpatterns = [path("/funnel", FunnelView.as_view(), name="funnel")]
