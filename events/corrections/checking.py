"""What a corrected payload must be: of its type's schema, storable, and the same where it is fixed.

The errors name the field, and quote no values: masked ones stay where they are.
"""

import math
from collections.abc import Iterator
from typing import Any

import pydantic
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from events.misfits import misfits
from events.models import Event
from events.payloads import Payload, payload_types

# Nesting that people can still read, and that every JSON library takes.
DEEPEST = 32
ABSENT = object()

UNDECLARED = gettext_noop("no installed app declares this event type: nothing can check it")
UNCHANGED = gettext_noop("nothing is changed: a replay does the same")

Problem = tuple[str, str]
"""The path of what is wrong, such as `changes.name.old`, and what is wrong with it."""


class CorrectionRefused(Exception):
    """A correction that cannot be made; the message is for whoever asked for it."""


class TooLate(CorrectionRefused):
    """What was to be corrected does not need it any more: somebody was faster."""


def payload_class(event: Event) -> type[Payload]:
    """The class of the event's payload.

    Raises:
        CorrectionRefused: no installed app declares one.
    """
    declared = payload_types().get(event.type)
    if declared is None:
        raise CorrectionRefused(_(UNDECLARED))
    return declared


def checked_payload(event: Event, payload: Any) -> Payload:
    """The corrected payload of `event`, typed.

    Raises:
        CorrectionRefused: no installed app declares the type, or nothing is changed.
        ValidationError: path → what is wrong; “payload” where that is no single field.
    """
    declared = payload_class(event)
    if not isinstance(payload, dict):
        raise ValidationError({"payload": _("Give a JSON object.")})
    problems = [*_unstorable(payload), *_changed_fixed(declared, event.payload, payload)]
    typed = None
    if not problems:
        try:
            typed = declared.model_validate(payload)
        except pydantic.ValidationError as error:
            problems = list(_misfits(error))
    if typed is None:
        raise ValidationError(_by_path(problems))
    if event.payload in (payload, typed.model_dump(mode="json")):
        raise CorrectionRefused(_(UNCHANGED))
    return typed


def _misfits(error: pydantic.ValidationError) -> Iterator[Problem]:
    for place, sentence in misfits(error):
        yield ".".join(place) or "payload", sentence


def _changed_fixed(
    declared: type[Payload], before: dict[str, Any], after: dict[str, Any]
) -> Iterator[Problem]:
    for name in sorted(declared.fixed_fields()):
        if before.get(name, ABSENT) != after.get(name, ABSENT):
            yield name, _("This field is fixed: no correction changes it.")


def _by_path(problems: list[Problem]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path, message in problems:
        found.setdefault(path, []).append(message)
    return found


# --- What PostgreSQL and JSON can hold ----------------------------------------------------------


def _unstorable(value: Any, path: tuple[str, ...] = ()) -> Iterator[Problem]:
    where = ".".join(path) or "payload"
    if len(path) > DEEPEST:
        yield path[0], _("This is nested too deeply.")
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from ((where, text) for text in _unstorable_text(key))
            yield from _unstorable(inner, (*path, _printable(key)))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _unstorable(inner, (*path, str(index)))
    elif isinstance(value, str):
        yield from ((where, text) for text in _unstorable_text(value))
    elif isinstance(value, float) and not math.isfinite(value):
        yield where, _("This number is too large, or none at all.")


def _unstorable_text(text: str) -> Iterator[str]:
    if "\x00" in text:
        yield _("Null characters (\\u0000) cannot be stored.")
    if _printable(text) != text:
        yield _("This holds half of a surrogate pair (\\ud800 to \\udfff).")


def _printable(text: str) -> str:
    return text.encode(errors="replace").decode()
