"""What an event's page offers for copying into a terminal: quoted for the shell and for Python."""

import json
import shlex
from dataclasses import dataclass
from pprint import pformat
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from events.models import Event
from events.payloads import payload_types

# Characters of a payload that are worth pasting; a longer one is read from its download.
LONGEST_PASTED = 4000


@dataclass(frozen=True)
class Command:
    """A text to copy.

    Attributes:
        name: its id on the page.
    """

    name: str
    label: Any
    text: str


def commands_of(
    event: Event, failed: list[str], payload: str, request: HttpRequest
) -> list[Command]:
    """What can be done about an event elsewhere.

    Args:
        failed: the handlers that failed.
        payload: as it may be shown; empty where it is too long to be.
    """
    return [
        Command("copy-logs", _("Its lines in the logs"), _log_lines(event)),
        Command("copy-curl", _("Read and replay it with curl"), _curl(event, request)),
        Command("copy-python", _("Run it in a test, in Python"), _python(event, failed, payload)),
    ]


def _log_lines(event: Event) -> str:
    """Finds them in what the processes write to standard error, kept in a file."""
    ids = [text for text in (event.request_id, str(event.pk)) if text]
    if settings.LOG_FORMAT == "json":
        request_id = f".request_id == {json.dumps(event.request_id)} or " * bool(event.request_id)
        chosen = f'select({request_id}(.event_id // "" | contains("{event.pk}")))'
        # The supervisor puts the process's name before each line.
        return f"sed 's/^[^{{]*//' salesflow.log | jq -cR {shlex.quote(f'fromjson? | {chosen}')}"
    return " ".join(["grep -F", *(f"-e {shlex.quote(text)}" for text in ids), "salesflow.log"])


def _curl(event: Event, request: HttpRequest) -> str:
    url = request.build_absolute_uri(reverse("api-event", args=[event.pk]))
    replay = request.build_absolute_uri(reverse("api-event-replay", args=[event.pk]))
    key = '-H "Authorization: Api-Key $API_KEY"'
    body = shlex.quote(json.dumps({"reason": "mended"}))
    return (
        f"curl {key} {shlex.quote(url)}\n\n"
        f'curl {key} -H "Content-Type: application/json" \\\n'
        f"  -d {body} {shlex.quote(replay)}"
    )


def _python(event: Event, failed: list[str], payload: str) -> str:
    declared = payload_types().get(event.type)
    if declared is None:
        return f"# {_('No installed app declares this type any more.')}"
    lines = [
        "from events.testing import run_handler",
        f"from {declared.__module__} import {declared.__name__}",
        "",
        f"payload = {declared.__name__}.{_loaded(event, payload)}",
        *(f"run_handler({name!r}, payload)" for name in failed),
    ]
    return "\n".join(lines)


def _loaded(event: Event, payload: str) -> str:
    if not 0 < len(payload) <= LONGEST_PASTED:
        return f'model_validate_json(open("event-{event.pk}.json").read())'
    # No longer than that, it is not deeply nested either: each level is indented.
    return f"model_validate({pformat(json.loads(payload), sort_dicts=False, width=92)})"
