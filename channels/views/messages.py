"""What people settle about single messages: whether one arrived, that one was sent by hand."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.generic import View
from django_htmx.http import trigger_client_event

from channels.files import files_of
from channels.models import Message, MessageStatus
from channels.services.messages import SENT_AGAIN, lock_message, send_message
from channels.services.outcomes import confirm_sent, discard_prepared, settle_unknown
from channels.services.templates import send_template
from leads.views.base import LeadMixin, announce_change, lead_url
from salesflow.accounts.models import User

# Of `Message.details`, what a copy has of its own.
OWN = (SENT_AGAIN, "reactions")


class MessageVerbView(LeadMixin, View):
    """Does one thing with a message to the lead."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, message_id: UUID, verb: str, **_ids: Any) -> HttpResponse:
        """Do it, or say why not."""
        rows = Message.objects.filter(lead=self.lead, pk=message_id)
        message = rows.select_related("template", "account").first()
        if message is None or verb not in VERBS:
            raise Http404(_("There is no such message."))
        try:
            VERBS[verb](message, self.user)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        except Message.DoesNotExist as error:
            raise Http404(_("There is no such message.")) from error
        if not request.htmx:  # type: ignore[attr-defined]
            return redirect(came_from(request) or lead_url(self.lead))
        toasts = render_to_string("components/toasts.html", {"oob": True}, request)
        return trigger_client_event(announce_change(HttpResponse(toasts)), "thread-changed")


def came_from(request: HttpRequest) -> str:
    """The page of ours on which a button was pressed; empty where nobody says."""
    referer = request.headers.get("Referer", "")
    is_ours = url_has_allowed_host_and_scheme(referer, allowed_hosts={request.get_host()})
    return referer if is_ours else ""


def send_again(message: Message, user: User) -> None:
    """Send what failed once more, as a message of its own; pressed twice it goes once.

    Raises:
        ValidationError: it has not failed, or may not be sent.
    """
    with transaction.atomic():
        message = lock_message(message.pk)
        if message.status != MessageStatus.FAILED:
            raise ValidationError(_("This message has not failed."))
        if not message.details.get(SENT_AGAIN):
            _send_copy(message, user)
            message.details = {**message.details, SENT_AGAIN: True}
            message.save(update_fields=["details"])


def _send_copy(message: Message, user: User) -> None:
    given: dict[str, Any] = {
        "channel": message.channel,
        "to_address": message.address,
        "author": user,
        "account": message.account,
        "purpose": message.purpose,
        "cc": message.cc,
        "files": files_of(message),
    }
    if message.template and message.template.vendor_name:
        send_template(message.lead, message.template, **given)
        return
    send_message(
        message.lead,
        body=message.body,
        subject=message.subject,
        message_type=message.type,
        details={name: value for name, value in message.details.items() if name not in OWN},
        template=message.template,
        **given,
    )


VERBS: dict[str, Callable[[Message, User], Any]] = {
    "arrived": lambda message, _user: settle_unknown(message, arrived=True),
    "lost": lambda message, _user: settle_unknown(message, arrived=False),
    "sent": lambda message, _user: confirm_sent(message),
    "discard": lambda message, _user: discard_prepared(message),
    "again": send_again,
}
