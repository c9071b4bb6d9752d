"""Patches: what a correction changes in each of many payloads, as data.

[{"op": "set", "path": "/address/city", "value": "Berlin"}, {"op": "remove", "path": "/legacy"}]

Paths are JSON Pointers (RFC 6901). A path's last key may be new; what leads there must exist.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Self, cast

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from events.corrections.checking import CorrectionRefused

Operation = Literal["set", "remove"]
OPERATIONS = ("set", "remove")
MOST_CHANGES = 20
LONGEST_PATH = 500


@dataclass(frozen=True)
class Change:
    """One key that is set or removed.

    Attributes:
        keys: from the payload down; an item of a list by its number.
        value: what is set, as JSON.
    """

    operation: Operation
    keys: tuple[str, ...]
    value: Any = None

    @property
    def path(self) -> str:
        """The keys as a JSON Pointer."""
        return pointer_of(self.keys)

    def as_json(self) -> dict[str, Any]:
        """The change as it is kept."""
        kept: dict[str, Any] = {"op": self.operation, "path": self.path}
        return kept | ({"value": self.value} if self.operation == "set" else {})

    def apply(self, container: Any, depth: int = 0) -> Any:
        """A copy of what lies at the first `depth` keys, changed; the given one stays as it is.

        Raises:
            CorrectionRefused: the path leads nowhere.
        """
        key = self._key_in(container, depth)
        copy = container.copy()
        if depth < len(self.keys) - 1:
            copy[key] = self.apply(container[key], depth + 1)
        elif self.operation == "set":
            copy[key] = self.value
        else:
            del copy[key]
        return copy

    def _key_in(self, container: Any, depth: int) -> str | int:
        key, is_new = self.keys[depth], depth == len(self.keys) - 1 and self.operation == "set"
        if isinstance(container, dict) and (key in container or is_new):
            return key
        if isinstance(container, list) and key.isdecimal() and int(key) < len(container):
            return int(key)
        raise CorrectionRefused(
            _("there is no %(path)s in it") % {"path": pointer_of(self.keys[: depth + 1])}
        )


@dataclass(frozen=True)
class Patch:
    """Changes, made one after the other."""

    changes: tuple[Change, ...]

    @classmethod
    def from_json(cls, given: Any) -> Self:
        """Read a patch as it came from a form, the API or a replay's row.

        Raises:
            ValidationError: path in the patch, such as `patch.0.value` → what is wrong there.
        """
        if not isinstance(given, list) or not given:
            raise ValidationError({"patch": _("Name at least one change, as a list.")})
        if len(given) > MOST_CHANGES:
            text = _("At most %(most)d changes at once.") % {"most": MOST_CHANGES}
            raise ValidationError({"patch": text})
        return cls(tuple(_change_of(each, f"patch.{number}") for number, each in enumerate(given)))

    def as_json(self) -> list[dict[str, Any]]:
        """The patch as it is kept with a replay."""
        return [change.as_json() for change in self.changes]

    def apply(self, payload: Any) -> Any:
        """A changed copy.

        Raises:
            CorrectionRefused: a path leads nowhere in this payload.
        """
        for change in self.changes:
            payload = change.apply(payload)
        return payload


def _change_of(given: Any, where: str) -> Change:
    if not isinstance(given, dict) or given.get("op") not in OPERATIONS:
        raise ValidationError({f"{where}.op": _("Write “set” or “remove”.")})
    operation = cast(Operation, given["op"])
    wanted = {"op", "path"} | ({"value"} if operation == "set" else set())
    for name in sorted(given.keys() ^ wanted):
        text = _("A value is missing.") if name in wanted else _("There is no such field.")
        raise ValidationError({f"{where}.{name}": text})
    try:
        return Change(operation, keys_of(given["path"]), given.get("value"))
    except ValueError as error:
        raise ValidationError({f"{where}.path": str(error)}) from None


def keys_of(pointer: Any) -> tuple[str, ...]:
    """The keys of a JSON Pointer.

    Raises:
        ValueError: it is none, or points to the payload as a whole.
    """
    if not isinstance(pointer, str) or not pointer.startswith("/") or len(pointer) > LONGEST_PATH:
        raise ValueError(_("Write a path such as /address/city."))
    return tuple(key.replace("~1", "/").replace("~0", "~") for key in pointer[1:].split("/"))


def pointer_of(keys: Iterable[str]) -> str:
    """The JSON Pointer to that key."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)
