"""Pages that the world calls without a login: opting out with one click."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from channels.models import Message
from channels.services.consent import opt_out
from channels.unsubscribing import message_id_of
from salesflow.accounts.context import tenant_context


@method_decorator(csrf_exempt, name="dispatch")
class UnsubscribeView(View):
    """Opt out of a channel: a GET asks, a POST acts, without cookies, login or redirect (RFC 8058).

    Link scanners follow every address of a mail with a GET: that one changes nothing.
    """

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """Ask, with a button that posts."""
        return self._page(request, _message(token), is_done=False)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        """Opt out; to do so twice is no error."""
        message = _message(token)
        with tenant_context(message.tenant):
            opt_out(
                message.lead,
                channel=message.channel,
                address=message.address,
                source="unsubscribe_link",
                proof={
                    "message": str(message.pk),
                    "one_click": request.POST.get("List-Unsubscribe") == "One-Click",
                    "user_agent": request.headers.get("User-Agent", "")[:300],
                },
            )
        return self._page(request, message, is_done=True)

    def _page(self, request: HttpRequest, message: Message, *, is_done: bool) -> HttpResponse:
        context: dict[str, Any] = {
            "company": message.tenant.name,
            "address": message.address,
            "is_done": is_done,
        }
        with translation.override(message.tenant.language):
            return render(request, "channels/unsubscribe.html", context)


def _message(token: str) -> Message:
    rows = Message.unscoped.select_related("tenant", "lead")
    message_id = message_id_of(token)
    message = rows.filter(pk=message_id).first() if message_id else None
    if message is None:
        raise Http404(_("This address is not valid any more."))
    return message
