"""The signature of a failure from its record: what `Signature.of` would have said of the exception.

A traceback as text names files and functions, not modules and classes. Those are read from the
files as they are now; where one has changed too much since, the signature is another one than that
of the same failure today.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath
from types import CodeType

from events.failures.fingerprints import (
    ENGINE,
    LONGEST_FRAME,
    LONGEST_TYPE,
    Signature,
    function_of,
    is_library,
    masked,
    storable,
)
from events.models import Attempt

# As `traceback.format_exception` writes it, for each frame and after each exception.
BEGINNING = re.compile(r"^Traceback \(most recent call last\):\n", re.MULTILINE)
FRAME = re.compile(r'  File "(?P<path>.+)", line (?P<line>\d+), in (?P<function>.+)')
DIRECT_CAUSE = "The above exception was the direct cause of the following exception:"
# The first line of an exception: its type, with its module, and what it said.
RAISED = re.compile(r"(?P<type>[\w.<>]+)(?::|$)")


@dataclass(frozen=True)
class RecordedFrame:
    """A line of a traceback."""

    path: str
    line: int
    function: str

    @property
    def module(self) -> str:
        """The module that the file is, by where Python looks for modules; else its address."""
        return _module_at(self.path)

    @property
    def name(self) -> str:
        """The function with its classes, as code has it that stands at this line now."""
        codes = [code for code in _codes_in(self.path) if code.co_name == self.function]
        here = [code for code in codes if self.line in _lines_of(code)]
        [*_others, code] = [None, *(codes if len(codes) == 1 else []), *here]
        return function_of(code) if code else self.function


def signature_of(attempt: Attempt) -> Signature:
    """What a failed attempt has in common with others.

    Args:
        attempt: with its delivery; of one without a traceback, only the sentence tells.
    """
    parts = BEGINNING.split(attempt.traceback)[1:]
    said = attempt.error.removeprefix(attempt.error_type).removeprefix(": ")
    return Signature(
        attempt.delivery.handler,
        storable(_type_in(parts, attempt.error_type))[:LONGEST_TYPE],
        storable(_frame_in(parts))[:LONGEST_FRAME],
        masked(said),
    )


def _type_in(parts: list[str], name: str) -> str:
    """The exception's class with its module, as the end of its traceback has it."""
    lines = parts[-1].splitlines() if parts else []
    first = next((line for line in lines if line and not line.startswith(" ")), "")
    found = RAISED.match(first)
    is_it = found and found["type"].rpartition(".")[2] == name
    return found["type"] if found and is_it else name


def _frame_in(parts: list[str]) -> str:
    """The project's innermost function, see `fingerprints.frame_of`."""
    causes = [part for part in parts[-2:-1] if part.rstrip().endswith(DIRECT_CAUSE)]
    frames = next(filter(None, map(_frames_beyond_engine, [*parts[-1:], *causes])), [])
    own = [frame for frame in frames if not is_library(frame.path)]
    return "".join(f"{frame.module}:{frame.name}" for frame in (own or frames)[-1:])


def _frames_beyond_engine(part: str) -> list[RecordedFrame]:
    frames = [
        RecordedFrame(found["path"], int(found["line"]), found["function"])
        for line in part.splitlines()
        if (found := FRAME.fullmatch(line))
    ]
    return [frame for frame in frames if frame.module not in ENGINE]


# --- Files --------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _file_at(path: str) -> tuple[Path, Path] | None:
    """Where Python looks for modules, and the file within it; wherever a deployment had it."""
    parts = PurePath(path).parts[1:]
    roots = [Path(root) for root in sys.path if root]
    within = [root for root in roots if PurePath(path).is_relative_to(root)]
    if within:
        root = max(within, key=lambda each: len(each.parts))
        return root, Path(path).relative_to(root)
    ends = (Path(*parts[start:]) for start in range(len(parts) - 1))
    found = ((root, end) for end in ends for root in roots if (root / end).is_file())
    return next(found, None)


def _module_at(path: str) -> str:
    if path.startswith("<"):
        return path.strip("<>").removeprefix("frozen ")
    found = _file_at(path)
    if found is None:
        return path
    inner = found[1].with_suffix("")
    return ".".join(inner.parts[:-1] if inner.name == "__init__" else inner.parts)


@lru_cache(maxsize=256)
def _codes_in(path: str) -> list[CodeType]:
    """The code of all functions in a file of the project or of a library; nothing is run."""
    root, inner = _file_at(path) or (Path(), Path())
    file = root / inner
    try:
        is_code = file.suffix == ".py" and file.is_file()
        whole = compile(file.read_bytes(), path, "exec", dont_inherit=True) if is_code else None
    except (OSError, SyntaxError, ValueError):
        return []
    return list(_within(whole)) if whole else []


def _within(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _within(constant)


def _lines_of(code: CodeType) -> set[int | None]:
    return {line for _start, _end, line in code.co_lines()}
