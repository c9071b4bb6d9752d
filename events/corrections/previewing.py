"""What a correction changes, or would: without writing anything, and without what is masked."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Case, QuerySet, TextField, When
from django.db.models.functions import Cast, Length
from django.utils.translation import gettext as _

from events.corrections.checking import CorrectionRefused, checked_payload
from events.corrections.correcting import TOO_DEEP, note_of
from events.corrections.differences import Difference, differences
from events.corrections.patches import Patch
from events.models import Event
from events.payloads import payload_types

# Characters: people edit and compare smaller payloads, and larger ones would fill the memory.
LARGEST = 200_000
MASK = "•••"


def with_readable_payload(events: QuerySet[Event]) -> QuerySet[Event]:
    """The events with their payload as text, None where it is too large, instead of as objects."""
    text = Cast("payload", TextField())
    readable = Case(When(size__lte=LARGEST, then=text), default=None, output_field=TextField())
    sized = events.defer("payload").annotate(size=Length(text))
    return sized.annotate(text=readable)


def read_payload(event: Event) -> dict[str, Any]:
    """The payload of an event that was read by `with_readable_payload`, which has it from now on.

    Raises:
        CorrectionRefused: it is too large, nested too deeply, or no object.
    """
    if event.text is None:  # type: ignore[attr-defined]
        raise CorrectionRefused(_("its payload is too large to be edited"))
    try:
        payload = json.loads(event.text)  # type: ignore[attr-defined]
    except RecursionError:
        raise CorrectionRefused(_(TOO_DEEP)) from None
    if not isinstance(payload, dict):
        raise CorrectionRefused(_("its payload is no JSON object"))
    event.payload = payload
    return payload


def masked(event: Event, payload: dict[str, Any]) -> dict[str, Any]:
    """The payload without what the console does not show."""
    declared = payload_types().get(event.type)
    hidden = declared.masked_fields() if declared else frozenset()
    return {name: MASK if name in hidden else value for name, value in payload.items()}


# --- What was changed ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Compared:
    """An event beside its original, or beside its correction.

    Attributes:
        other: the one that it is compared with.
        is_correction: whether the other one is the correction.
        note: why there is no comparison, if there is none.
    """

    other: Event
    is_correction: bool
    differences: list[Difference] = field(default_factory=list)
    note: str = ""


def comparisons_of(event: Event, others: Iterable[Event]) -> list[Compared]:
    """What was changed between the event and each of what it corrects and what corrects it."""
    wanted = list(others)
    if not wanted:
        return []
    ids = [event.pk, *(other.pk for other in wanted)]
    found: dict[UUID, Event] = with_readable_payload(Event.unscoped.all()).in_bulk(ids)
    return [_compared(found[event.pk], other, found) for other in wanted if other.pk in found]


def _compared(event: Event, other: Event, found: dict[UUID, Event]) -> Compared:
    is_correction = other.corrects_id == event.pk
    before, after = event, found[other.pk]
    if not is_correction:
        before, after = after, before
    try:
        changed = differences(
            masked(before, read_payload(before)), masked(after, read_payload(after))
        )
    except CorrectionRefused as refused:
        return Compared(other, is_correction, note=str(refused))
    return Compared(other, is_correction, changed)


# --- What a patch would change ------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """What a patch would do to one event: the differences, or why it is left alone."""

    event: Event
    differences: list[Difference] = field(default_factory=list)
    note: str = ""


@dataclass(frozen=True)
class Preview:
    """What a patch would do.

    Attributes:
        samples: the first events.
        checked: how many events were tried.
        refused: why others would be left alone → how many of those that were tried.
    """

    samples: list[Sample]
    checked: int
    refused: dict[str, int]

    @property
    def corrected(self) -> int:
        """How many of those that were tried would be corrected."""
        return self.checked - sum(self.refused.values())


def preview_of(patch: Patch, events: QuerySet[Event], *, shown: int, tried: int) -> Preview:
    """Try a patch on the first of some events; nothing is written."""
    samples, checked, refused = list[Sample](), 0, Counter[str]()
    for event in with_readable_payload(events)[:tried].iterator(chunk_size=100):
        sample = _tried(patch, event)
        checked += 1
        if sample.note:
            refused[sample.note] += 1
        if len(samples) < shown:
            samples.append(sample)
    return Preview(samples, checked, dict(refused.most_common()))


def _tried(patch: Patch, event: Event) -> Sample:
    try:
        before = read_payload(event)
        after = checked_payload(event, patch.apply(before)).model_dump(mode="json")
    except CorrectionRefused as refused:
        return Sample(event, note=str(refused))
    except ValidationError as invalid:
        return Sample(event, note=note_of(invalid))
    return Sample(event, differences(masked(event, before), masked(event, after)))
