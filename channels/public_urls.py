"""Addresses that the world calls without a login."""

from django.urls import path

from channels.views.public import UnsubscribeView
from channels.views.tracking import TrackedClickView, TrackedOpenView
from channels.views.webhooks import WhatsAppWebhook

app_name = "channels-public"
urlpatterns = [
    path("u/<str:token>", UnsubscribeView.as_view(), name="unsubscribe"),
    path("t/o/<str:token>.gif", TrackedOpenView.as_view(), name="tracked-open"),
    path("t/c/<str:token>", TrackedClickView.as_view(), name="tracked-click"),
    path(
        "webhooks/whatsapp/<uuid:account_id>",
        WhatsAppWebhook.as_view(),
        name="whatsapp-webhook",
    ),
]
