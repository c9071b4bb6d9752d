"""How the console writes ids, links to subjects, and text that anybody may have sent."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import template
from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from events.console import moments
from events.models import Event

register = template.Library()

# Characters that change the direction of the text after them, and would let it be read in another
# order than it is written; and the one that no page may contain. They are shown by their JSON
# escapes. Source: Unicode Standard Annex 9, section 2.
MISLEADING = {
    code: f"\\u{code:04x}"
    for code in (0, 0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


@register.filter
def readable(text: Any) -> str:
    """The text with all that could mislead its reader spelled out."""
    return str(text).translate(MISLEADING)


# Lists have both in each of their rows, where including a template takes ten times as long.
@register.filter
def moment(value: datetime | None) -> str:
    """A moment, see `events.console.moments`; nothing for none."""
    return moments.moment(value) if value else ""


@register.simple_tag
def status(name: str, label: Any) -> SafeString:
    """A status in its colour; `name` is what `data-status` has in the style sheet."""
    return format_html('<span class="event-status" data-status="{}">{}</span>', name, label)


@register.filter
def slice_id(value: UUID) -> str:
    """An id's beginning, enough to tell it from its neighbours."""
    return f"{str(value)[:13]}…"


@register.filter
def subject_url(event: Event) -> str:
    """Where the admin shows what the event is about, if it does."""
    return page_of(event.subject_type, event.subject_id)


@register.filter
def page_of(kind: str, subject_id: Any) -> str:
    """Where the admin shows a subject of that kind, if it does: `"lead"|page_of:lead_id`."""
    for model, page in admin.site._registry.items():
        if model._meta.model_name == kind and subject_id:
            options = page.opts
            name = f"admin:{options.app_label}_{options.model_name}_change"
            return reverse(name, args=[subject_id])
    return ""


@register.filter
def spoken(text: str) -> str:
    """A sentence of the engine, kept on record in English, in the reader's language."""
    return gettext(text) if text else ""
