"""Looking into JSON that may be anything: what is not there, or is of another kind, is empty."""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

# No id, name or emoji of WhatsApp's is longer; the text of a message may be.
LONGEST = 100_000
DEEPEST = 20


def part_of(item: object, name: str) -> Mapping[str, Any]:
    """The object under a name."""
    part = item.get(name) if isinstance(item, Mapping) else None
    return part if isinstance(part, Mapping) else {}


def objects_in(item: object, name: str) -> Iterator[Mapping[str, Any]]:
    """The objects in the list under a name."""
    found = item.get(name) if isinstance(item, Mapping) else None
    for each in found if isinstance(found, list) else []:
        if isinstance(each, Mapping):
            yield each


def text_of(item: Mapping[str, Any], name: str, longest: int = LONGEST) -> str:
    """The text under a name; a number is its digits. What PostgreSQL cannot hold is left out."""
    value = item.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return storable(value)[:longest] if isinstance(value, str) else ""


def storable(text: str) -> str:
    """Without null characters, and without halves of characters that JSON may hold."""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode()


def plain(value: object, depth: int = DEEPEST) -> Any:
    """A value as PostgreSQL can keep it, and no deeper than anybody would look."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping) and depth:
        return {storable(str(name)): plain(each, depth - 1) for name, each in value.items()}
    if isinstance(value, list) and depth:
        return [plain(each, depth - 1) for each in value]
    return value if isinstance(value, bool | int) else None


def at_of(item: Mapping[str, Any]) -> datetime | None:
    """The time that `timestamp` names in seconds since 1970; None: none that could be."""
    given = text_of(item, "timestamp", 20)
    try:
        return datetime.fromtimestamp(int(given), UTC)
    except (ValueError, OverflowError, OSError):
        return None
