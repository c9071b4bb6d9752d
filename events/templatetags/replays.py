"""How the console writes of replays: time spans, and notes in the reader's language."""

from collections.abc import Callable

from django import template
from django.utils.translation import ngettext

from events.models.replay import note_label

register = template.Library()

UNITS: list[tuple[int, Callable[[int], str]]] = [
    (86_400, lambda n: ngettext("%d day", "%d days", n)),
    (3_600, lambda n: ngettext("%d hour", "%d hours", n)),
    (60, lambda n: ngettext("%d minute", "%d minutes", n)),
    (1, lambda n: ngettext("%d second", "%d seconds", n)),
]


@register.filter
def about(seconds: float) -> str:
    """A time span in its two largest units."""
    left, parts = max(1, round(seconds)), []
    for length, text in UNITS:
        number, left = divmod(left, length)
        if number:
            parts.append(text(number) % number)
    return " ".join(parts[:2])


@register.filter
def spoken_note(note: str) -> str:
    """A note of an item, which is kept in English."""
    return note_label(note)
