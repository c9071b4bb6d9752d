"""The addresses of the page about a lead's consent, below the lead's."""

from django.urls import path

from channels.views.consents import DECISIONS, ConsentView, RecordConsentView, UseAgainView

app_name = "channels-consent"

urlpatterns = [
    path("", ConsentView.as_view(), name="page"),
    *(path(f"/{deed}", RecordConsentView.as_view(deed=deed), name=deed) for deed in DECISIONS),
    path("/use-again", UseAgainView.as_view(), name="use-again"),
]
