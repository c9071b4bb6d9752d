"""Greets leads. It breaks while a file says so, in this process and in any other."""

import logging
from pathlib import Path

from django.conf import settings

from events import EventType, register_event_handler
from events.models import Event
from tests.thirdparty.models import Greeting

log = logging.getLogger(__name__)


def breakdown() -> Path:
    """The file that breaks the handler while it exists; what it says is the error."""
    return Path(settings.HOME) / "greeting-breakdown"


@register_event_handler(EventType.NOTE_ADDED, max_attempts=1)
def greet_for_note(event: Event) -> None:
    """Leave one greeting for each note."""
    log.info("greeting")
    if breakdown().exists():
        raise RuntimeError(breakdown().read_text())
    Greeting.objects.create(event_id=event.id)
