"""Reading SALESFLOW_ variables: what can't be read is left to a system check, never a traceback."""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import environ
from environ.fileaware_mapping import FileAwareMapping

PREFIX = "SALESFLOW_"
# Read before the settings are.
READ_ELSEWHERE = ("HOME",)
KINDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list with commas",
}
BOOLEANS = {"true", "on", "ok", "y", "yes", "1", "false", "off", "n", "no", "0"}


@dataclass(frozen=True)
class Problem:
    """A variable that can't be used as it stands: its name, what is wrong, what to do."""

    variable: str
    message: str
    hint: str


class Environment(environ.FileAwareEnv):  # type: ignore[misc]  # it has no types
    """django-environ with our prefix, which never raises.

    SALESFLOW_X_FILE names a file with the value of SALESFLOW_X. An empty value counts as unset, and
    a value that starts with `$` is that value, not another variable's name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ENVIRON = FileAwareMapping()  # the class's one remembers files that others read
        self.names: set[str] = {PREFIX + name for name in READ_ELSEWHERE}
        self.numbers: dict[str, float] = {}
        self.problems: list[Problem] = []

    def get_value(
        self, var: str, cast: Any = None, default: Any = None, parse_default: bool = False
    ) -> Any:
        """Return the variable's value as `cast` says, the default when it is unset or wrong."""
        name = PREFIX + var
        self.names.add(name)
        value = default
        try:
            given = self.ENVIRON.get(name, "").strip()
            value = self._cast(given, cast) if given else default
        except OSError as error:
            path, why = os.environ[f"{name}_FILE"], error.strerror
            hint = "Name a file that this user can read."
            self.problems.append(Problem(f"{name}_FILE", f"can't read {path}: {why}", hint))
        except ValueError:
            hint = f"Give {KINDS.get(cast)}, or unset it to get {default!r}."
            self.problems.append(Problem(name, f"{given!r} is not {KINDS.get(cast)}", hint))
        if cast in (int, float) and value is not None:
            self.numbers[name] = value
        return value

    def choice(self, var: str, choices: list[str], default: str) -> str:
        """Return the variable's value, which must be one of the choices (in any case)."""
        given = {choice.lower(): choice for choice in choices}
        value: str = self.str(var, default=default)
        if value.lower() not in given:
            hint = f"Choose one of {', '.join(choices)}."
            self.problems.append(Problem(PREFIX + var, f"{value!r} is not known", hint))
        return given.get(value.lower(), default)

    def unknown(self, environment: Mapping[str, str]) -> list[Problem]:
        """Return a problem for each SALESFLOW_ variable that no setting reads."""
        known = self.names | {f"{name}_FILE" for name in self.names}
        strange = sorted(name for name in environment if name.startswith(PREFIX))
        return [self._unknown(name) for name in strange if name not in known]

    def _unknown(self, name: str) -> Problem:
        near = difflib.get_close_matches(name, self.names, n=1)
        hint = f"Did you mean {near[0]}?" if near else "docs/settings.md lists all of them."
        return Problem(name, "there is no such setting", hint)

    def _cast(self, given: str, cast: Any) -> Any:
        if cast is bool and given.lower() not in BOOLEANS:
            raise ValueError
        return self.parse_value(given, cast)
