"""The addresses of mails as they were formatted, and of messages' files."""

from django.urls import path

from channels.views.mail import FileView, MailView

app_name = "mail"

urlpatterns = [
    path("mails/<uuid:message_id>", MailView.as_view(), name="page"),
    path("files/<uuid:attachment_id>", FileView.as_view(), name="file"),
]
