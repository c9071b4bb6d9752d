"""The addresses of the pages about messages, below a lead's."""

from django.urls import path

from channels.views.composing import ComposerView

app_name = "channels"

urlpatterns = [path("/new", ComposerView.as_view(), name="composer")]
