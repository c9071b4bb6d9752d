"""The addresses of the team's inbox."""

from django.urls import path

from channels.views import conversations, inbox

app_name = "inbox"

urlpatterns = [
    path("", inbox.InboxView.as_view(), name="list"),
    path("/pulse", inbox.PulseView.as_view(), name="pulse"),
    path("/<uuid:conversation_id>", inbox.InboxView.as_view(), name="conversation"),
    path("/<uuid:conversation_id>/assign", conversations.AssignView.as_view(), name="assign"),
    path("/<uuid:conversation_id>/snooze", conversations.SnoozeView.as_view(), name="snooze"),
    path("/<uuid:conversation_id>/close", conversations.CloseView.as_view(), name="close"),
    path("/<uuid:conversation_id>/reopen", conversations.ReopenView.as_view(), name="reopen"),
    path("/<uuid:conversation_id>/unread", conversations.UnreadView.as_view(), name="unread"),
]
