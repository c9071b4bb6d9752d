"""What the autopilot has for a conversation: a line above the composer of its thread."""

from functools import cached_property
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import View

from channels.autopilot.drafts import request_draft
from channels.autopilot.endpoints import endpoint_for
from channels.autopilot.models import ActionType, Run
from channels.autopilot.outdating import is_answered, last_inbound
from channels.autopilot.policies import rule_of
from channels.autopilot.queries import open_draft_of
from channels.autopilot.views.base import AutopilotMixin, parts
from channels.models import Conversation
from salesflow.accounts.context import current_tenant


class ConversationView(AutopilotMixin, View):
    """The line: a draft that waits, one that is being written, or a button that asks for one."""

    @cached_property
    def conversation(self) -> Conversation:
        """The conversation that the address names."""
        rows = Conversation.objects.select_related("lead")
        found: Conversation | None = rows.filter(pk=self.kwargs["conversation_id"]).first()
        if found is None:
            raise Http404(_("There is no such conversation."))
        return found

    def get(self, request: HttpRequest, conversation_id: UUID) -> HttpResponse:
        """The line; nothing where there is nothing to say."""
        return parts(request, ("autopilot/_conversation.html", self._context()))

    def post(self, request: HttpRequest, conversation_id: UUID) -> HttpResponse:
        """Ask for a draft."""
        try:
            request_draft(self.conversation, asked_by=self.user)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        if not request.htmx:  # type: ignore[attr-defined]
            return redirect(reverse("inbox:conversation", args=[conversation_id]))
        return parts(request, ("autopilot/_conversation.html", self._context()))

    def _context(self) -> dict[str, Any]:
        """What autopilot/_conversation.html names."""
        conversation = self.conversation
        endpoint = endpoint_for(current_tenant())
        is_on = rule_of(conversation).is_on and endpoint is not None
        last = last_inbound(conversation) if is_on else None
        under_way = Run.objects.filter(conversation=conversation, action=ActionType.DRAFT)
        return {
            "conversation": conversation,
            "draft": open_draft_of(conversation),
            "is_under_way": under_way.exclude(state=Run.State.FINISHED).exists(),
            "is_stopped": endpoint is not None and endpoint.stopped_at is not None,
            "may_ask": bool(last and not is_answered(conversation, last)),
            "is_closed": not conversation.lead.is_open,
        }
