"""What a correction changed: the values that differ, each with its path."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from events.corrections.checking import ABSENT, DEEPEST
from events.corrections.patches import pointer_of

Kind = Literal["added", "removed", "changed"]
LONGEST_VALUE = 500


@dataclass(frozen=True)
class Difference:
    """One value that is not as it was.

    Attributes:
        path: a JSON Pointer; empty for the payload as a whole.
        before, after: as JSON, cut off after `LONGEST_VALUE`; empty where there is none.
    """

    path: str
    kind: Kind
    before: str = ""
    after: str = ""


def differences(before: Any, after: Any) -> list[Difference]:
    """What differs between two payloads, in the order of the first one's keys."""
    return list(_differences(before, after, ()))


def _differences(before: Any, after: Any, keys: tuple[str, ...]) -> Iterator[Difference]:
    if before is ABSENT:
        yield Difference(pointer_of(keys), "added", after=text_of(after))
    elif after is ABSENT:
        yield Difference(pointer_of(keys), "removed", before=text_of(before))
    elif len(keys) < DEEPEST and _has_keys(before, after):
        for key, old, new in _pairs(before, after):
            yield from _differences(old, new, (*keys, key))
    elif type(before) is not type(after) or before != after:
        yield Difference(pointer_of(keys), "changed", text_of(before), text_of(after))


def _has_keys(before: Any, after: Any) -> bool:
    # Lists of another length are compared as a whole: nobody knows what moved where.
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after)
    return isinstance(before, dict) and isinstance(after, dict)


def _pairs(before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, list):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield str(index), old, new
        return
    for key in [*before, *(key for key in after if key not in before)]:
        yield key, before.get(key, ABSENT), after.get(key, ABSENT)


def text_of(value: Any) -> str:
    """A value as JSON, cut off after `LONGEST_VALUE`."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…"
