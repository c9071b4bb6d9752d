"""Addresses that the world calls without a login."""

from django.urls import path

from channels.views.public import UnsubscribeView

app_name = "channels-public"
urlpatterns = [
    path("u/<str:token>", UnsubscribeView.as_view(), name="unsubscribe"),
]
