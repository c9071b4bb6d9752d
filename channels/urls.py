"""The addresses of the pages about messages, below a lead's."""

from django.urls import path

from channels.views import composing, messages

app_name = "channels"

urlpatterns = [
    path("", composing.ThreadView.as_view(), name="thread"),
    path("/earlier", composing.EarlierView.as_view(), name="earlier"),
    path("/new", composing.ComposerView.as_view(), name="composer"),
    path("/replying", composing.ReplyingView.as_view(), name="replying"),
    path("/suggestions", composing.SuggestionsView.as_view(), name="suggestions"),
    path("/<uuid:message_id>/<slug:verb>", messages.MessageVerbView.as_view(), name="message-verb"),
]
