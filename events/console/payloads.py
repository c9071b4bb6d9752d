"""An event's payload for its page: indented, cut, masked, and checked against its schema.

The database indents and masks: a payload as deep or as long as it could be stored is never turned
into objects here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pydantic
from django.utils.translation import gettext as _

from events.corrections.previewing import MASK
from events.misfits import misfits
from events.models import Event
from events.payloads import Payload, payload_types
from events.rows import fetch_rows

# Characters of a payload on the page; the rest is in its download. So many are checked.
SHOWN, CHECKED = 20_000, 2_000_000
MOST_PROBLEMS = 20

# What is masked stays masked, even in a payload that is no object and so not of its schema.
MASKED = """
    SELECT payload, CASE
        WHEN %(masked)s::text[] = '{}' THEN payload
        WHEN jsonb_typeof(payload) <> 'object' THEN to_jsonb(%(mask)s::text)
        ELSE payload || (
            SELECT coalesce(jsonb_object_agg(key, %(mask)s::text), '{}')
            FROM unnest(%(masked)s::text[]) AS key WHERE payload ? key
        )
    END AS shown FROM events WHERE id = %(id)s
"""
READ = f"""
    SELECT left(jsonb_pretty(shown), %(most)s), length(payload::text),
           CASE WHEN length(payload::text) <= %(checked)s THEN payload::text END
    FROM ({MASKED}) AS event
"""  # noqa: S608 (constants)
READ_WHOLE = f"SELECT shown::text FROM ({MASKED}) AS event"  # noqa: S608 (a constant)


@dataclass(frozen=True)
class Problem:
    """Where a payload is not as its schema says, and how."""

    path: str
    text: str


@dataclass(frozen=True)
class ShownPayload:
    """A payload, as the page shows it.

    Attributes:
        text: indented JSON, its first `SHOWN` characters.
        size: of the whole, in characters.
        verdict: what the check came to, in a sentence; `problems` are the first it found.
    """

    text: str
    size: int
    verdict: str
    is_valid: bool = True
    problems: list[Problem] = field(default_factory=list)

    @property
    def is_cut(self) -> bool:
        """Whether there is more than the text shows."""
        return len(self.text) >= SHOWN


def shown_payload(event: Event) -> ShownPayload:
    """Read and check the payload of an event that exists, in one query."""
    declared = payload_types().get(event.type)
    values = _values(event) | {"most": SHOWN, "checked": CHECKED}
    [(text, size, whole)] = fetch_rows(READ, values)
    if declared is None:
        return ShownPayload(text, size, _("No installed app declares this type any more."), False)
    if whole is None:
        return ShownPayload(text, size, _("It is too large to be checked here."))
    return _checked(declared, ShownPayload(text, size, ""), whole)


def whole_payload(event: Event) -> str:
    """All of the payload of an event that exists, as the database writes it."""
    [(text,)] = fetch_rows(READ_WHOLE, _values(event))
    return str(text)


def _values(event: Event) -> dict[str, Any]:
    declared = payload_types().get(event.type)
    masked = sorted(declared.masked_fields()) if declared else []
    return {"id": event.pk, "masked": masked, "mask": MASK}


def _checked(declared: type[Payload], shown: ShownPayload, whole: str) -> ShownPayload:
    name = f"{declared.__name__} {declared.version}"
    try:
        declared.model_validate_json(whole)
    except pydantic.ValidationError as error:
        problems = list(_problems(error, declared.masked_fields()))
        verdict = _("It does not fit its schema, %(name)s.") % {"name": name}
        return ShownPayload(shown.text, shown.size, verdict, False, problems)
    verdict = _("It fits its schema, %(name)s.") % {"name": name}
    return ShownPayload(shown.text, shown.size, verdict)


def _problems(error: pydantic.ValidationError, masked: frozenset[str]) -> Iterator[Problem]:
    for whole, sentence in islice(misfits(error), MOST_PROBLEMS):
        place = [part[:60] for part in whole]
        # A sentence may quote what is wrong.
        text = _("Not as it should be.") if place[:1] and place[0] in masked else sentence
        yield Problem(".".join(place), text)
