"""A mail as its writer formatted it, and the files that hang on messages.

Both come from strangers. The mail is cleaned, and what is left is a page without scripts, without
our origin, in a frame of its own: its policy says so even where it is opened by itself. Files are
only ever saved, under a type that their first bytes tell.
"""

import base64
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.html import escape, format_html
from django.utils.http import content_disposition_header
from django.utils.safestring import mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.generic import View

from channels.cleaning import clean
from channels.file_types import IMAGES, type_of
from channels.models import Attachment, AttachmentContent, Channel, Message
from salesflow.accounts.views import TenantRequiredMixin

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:{images}; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
FILE_POLICY = "default-src 'none'; sandbox"
PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{ margin: 12px; background: #fff; color: #1b1f22; font: 14px/1.5 system-ui, sans-serif;
overflow-wrap: anywhere }} img {{ max-width: 100%; height: auto }} pre {{ white-space: pre-wrap }}
</style></head><body>{body}</body></html>
"""
# Bytes of the images that a mail brings along and shows within its text.
LARGEST_IMAGE, LARGEST_IMAGES = 1024 * 1024, 5 * 1024 * 1024


class MailView(TenantRequiredMixin, View):
    """A mail, for the frame in which it is shown; `?images=shown` loads those of other servers."""

    def get(self, request: HttpRequest, message_id: UUID) -> HttpResponse:
        """The page."""
        rows = Message.objects.filter(pk=message_id, channel=Channel.EMAIL).exclude(html="")
        message = rows.first()
        if message is None:
            raise Http404(_("There is no such mail."))
        show_remote = request.GET.get("images") == "shown"
        shown = clean(message.html, images=_images_of(message), show_remote=show_remote)
        body = shown.html if shown else _as_text(message)
        page = format_html(
            PAGE,
            language=get_language() or "en",
            title=message.subject,
            body=mark_safe(body),  # noqa: S308  (the cleaner made it)
        )
        response = HttpResponse(page)
        policy = POLICY.format(images=" http: https:" if show_remote else "")
        response["Content-Security-Policy"] = policy
        response["X-Frame-Options"] = "SAMEORIGIN"
        response["Referrer-Policy"] = "no-referrer"
        response["Cache-Control"] = "private, no-store"
        return response


class FileView(TenantRequiredMixin, View):
    """A file of a message, to be saved."""

    def get(self, request: HttpRequest, attachment_id: UUID) -> HttpResponse:
        """Its bytes."""
        rows = Attachment.objects.filter(pk=attachment_id, status=Attachment.Status.STORED)
        attachment = rows.select_related("content").first()
        if attachment is None:
            raise Http404(_("There is no such file."))
        data = bytes(attachment.content.data)
        response = HttpResponse(data, content_type=type_of(data))
        disposition = content_disposition_header(as_attachment=True, filename=attachment.name)
        response["Content-Disposition"] = disposition or "attachment"
        response["Content-Security-Policy"] = FILE_POLICY
        response["Cache-Control"] = "private, no-store"
        return response


def _as_text(message: Message) -> str:
    reason = _("This mail is too large or too deeply nested to be shown as it was formatted.")
    text = "\n".join(filter(None, [message.body, message.quoted]))
    return f"<p><em>{escape(reason)}</em></p><pre>{escape(text)}</pre>"


def _images_of(message: Message) -> dict[str, str]:
    """Content id → `data:` address: a page without an origin may not ask us for anything."""
    if "cid:" not in message.html.lower():
        return {}
    rows = AttachmentContent.objects.filter(
        attachment__message=message, attachment__size__lte=LARGEST_IMAGE
    )
    found, left = {}, LARGEST_IMAGES
    for row in rows.exclude(attachment__content_id="").select_related("attachment"):
        data = bytes(row.data)
        if len(data) <= left and (kind := type_of(data)) in IMAGES:
            left -= len(data)
            coded = base64.b64encode(data).decode()
            found[row.attachment.content_id] = f"data:{kind};base64,{coded}"
    return found
