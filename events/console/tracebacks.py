"""Tracebacks as text, read back into what matters first: what was raised, and where in our code."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from events.failures.fingerprints import is_library
from events.failures.recorded import BEGINNING, DIRECT_CAUSE, FRAME

LINKS = {
    DIRECT_CAUSE: _("Caused by"),
    "During handling of the above exception, another exception occurred:": _("While handling"),
}
# What stands between every handler and its caller.
ENGINE = ("events/batches.py", "events/external/calling.py", "events/external/timeouts.py")
# Frames of an exception, and exceptions of a chain, that are picked out; the whole text has all.
MOST_FRAMES, MOST_RAISED = 12, 5


@dataclass(frozen=True)
class Frame:
    """A function of the project that was on its way when something was raised."""

    path: str
    line: str
    function: str
    code: str


@dataclass(frozen=True)
class Raised:
    """An exception of a chain.

    Attributes:
        error: its type and what it said.
        link: how it led to the one before it in the list; empty for the first.
        frames: the project's own, the innermost first.
    """

    error: str
    link: str = ""
    frames: list[Frame] = field(default_factory=list)


def read_traceback(text: str) -> list[Raised]:
    """The exceptions of a traceback, the one that got away first, then what had led to it.

    Text that Python did not write gives none.
    """
    parts = BEGINNING.split(text)[1:]
    return [_read_part(part) for part in parts[: -MOST_RAISED - 1 : -1]]


def _read_part(part: str) -> Raised:
    lines = part.splitlines()
    end = next((n for n, line in enumerate(lines) if line and not line.startswith(" ")), len(lines))
    error = "\n".join(lines[end:]).strip()
    sentence = next((each for each in LINKS if error.endswith(each)), "")
    frames = list(_own_frames(lines[:end]))[::-1]
    said = error.removesuffix(sentence).strip()
    return Raised(said, str(LINKS.get(sentence, "")), frames[:MOST_FRAMES])


def _own_frames(lines: list[str]) -> Iterator[Frame]:
    for line, following in zip(lines, [*lines[1:], ""], strict=False):
        found = FRAME.fullmatch(line)
        if found and not is_library(found["path"]) and not found["path"].endswith(ENGINE):
            code = following.strip() if following.startswith("    ") else ""
            yield Frame(_short(found["path"]), found["line"], found["function"], code)


def _short(path: str) -> str:
    """From the project's folder on, where it is the one that runs here."""
    whole = PurePath(path)
    if whole.is_relative_to(settings.BASE_DIR):
        return str(whole.relative_to(settings.BASE_DIR))
    return path
