"""Who takes care of a conversation, and when: the buttons above a thread."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import View
from django_htmx.http import trigger_client_event

from channels.forms import AssigneeForm, SnoozeForm
from channels.models import Conversation
from channels.services.conversations import (
    assign_conversation,
    close_conversation,
    mark_conversation_unread,
    reopen_conversation,
    snooze_conversation,
)
from salesflow.accounts.models import User
from salesflow.accounts.views import TenantRequiredMixin


class ConversationVerbView(TenantRequiredMixin, View):
    """Does one thing with a conversation of the tenant; the page then asks what has changed."""

    http_method_names = ["post"]
    request: Any

    def post(self, request: HttpRequest, conversation_id: Any) -> HttpResponse:
        """Do it, or say why not."""
        conversation = Conversation.objects.filter(pk=conversation_id).first()
        if conversation is None:
            raise Http404(_("There is no such conversation."))
        try:
            self.change(conversation)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        except Conversation.DoesNotExist as error:
            raise Http404(_("There is no such conversation.")) from error
        if not request.htmx:  # type: ignore[attr-defined]
            query = request.POST.get("query", "")
            address = reverse("inbox:conversation", args=[conversation_id])
            return redirect(address + (query if query.startswith("?") else ""))
        toasts = render_to_string("components/toasts.html", {"oob": True}, request)
        return trigger_client_event(HttpResponse(toasts), "thread-changed")

    def change(self, conversation: Conversation) -> None:
        """Call the service."""
        raise NotImplementedError


class AssignView(ConversationVerbView):
    """Give it to a colleague, or to nobody."""

    def change(self, conversation: Conversation) -> None:
        form = AssigneeForm(self.request.POST)
        if not form.is_valid():
            raise ValidationError({"assignee": form.errors["assignee"].data})
        assignee: User | None = form.cleaned_data["assignee"]
        assign_conversation(conversation, assignee)


class SnoozeView(ConversationVerbView):
    """Hide it until a time."""

    def change(self, conversation: Conversation) -> None:
        form = SnoozeForm(self.request.POST)
        if not form.is_valid():
            raise ValidationError({"until": form.errors["until"].data})
        snooze_conversation(conversation, form.cleaned_data["until"])


class CloseView(ConversationVerbView):
    """Be done with it."""

    def change(self, conversation: Conversation) -> None:
        close_conversation(conversation)


class ReopenView(ConversationVerbView):
    """Put it among the open ones."""

    def change(self, conversation: Conversation) -> None:
        reopen_conversation(conversation)


class UnreadView(ConversationVerbView):
    """Let somebody look at it once more."""

    def change(self, conversation: Conversation) -> None:
        mark_conversation_unread(conversation)
