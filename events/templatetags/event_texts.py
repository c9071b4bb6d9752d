"""How the console writes ids, links to subjects, and text that anybody may have sent."""

from typing import Any
from uuid import UUID

from django import template
from django.contrib import admin
from django.urls import reverse
from django.utils.translation import gettext

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
