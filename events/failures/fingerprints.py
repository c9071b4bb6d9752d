"""What failures of one cause have in common: handler, exception, where it was raised, what it says.

Pure: nothing here reads a clock, a setting or the database. A change of these rules makes new
groups of old failures; `VERSION` then goes up, so that old and new ones never share a fingerprint.
"""

import json
import re
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath
from traceback import walk_tb
from types import CodeType, FrameType
from uuid import UUID, uuid5

from django.utils import translation
from django.utils.translation import gettext_noop

VERSION = 1
NAMESPACE = UUID("6f1d5cc5-6c54-4d3b-9a5e-0c1f5c3e7a11")
# Characters of a message that are read, and that are kept; of the other parts see `FailureGroup`.
LONGEST_READ, LONGEST_KEPT = 4000, 500
LONGEST_TYPE, LONGEST_FRAME = 200, 300

# What stands between a handler and its caller, and is never where anything went wrong.
ENGINE = {"events.batches", "events.external.calling", "events.external.timeouts"}
LIBRARY_FOLDERS = {"site-packages", "dist-packages"}
STANDARD_LIBRARY = PurePath(sysconfig.get_path("stdlib"))
# Python 3.12 has no frames for comprehensions any more: groups shall survive the upgrade.
COMPREHENSION = re.compile(r"(\.<locals>\.<(list|set|dict)comp>)+$")

OTHERS = gettext_noop("Other failures")


@dataclass(frozen=True, slots=True)
class Signature:
    """What makes failures the same.

    Attributes:
        error_type: the exception's class, with its module unless it is Python's own.
        frame: "module:function" of the project's code that was innermost, without a line number.
        message: the first line of what the exception said, masked.
    """

    handler: str
    error_type: str
    frame: str
    message: str

    @classmethod
    def of(cls, handler: str, error: BaseException) -> "Signature":
        """The signature of what a handler raised.

        A translation that the exception carries unread, as of `gettext_lazy`, stays English: the
        same failure is the same to tenants of all languages.
        """
        with translation.override(None):
            said = masked(text_of(error))
        return cls(handler, _type_of(error), frame_of(error), said)

    @classmethod
    def of_others(cls, handler: str) -> "Signature":
        """What takes the failures of a handler that fails in too many ways."""
        return cls(handler, "", "", OTHERS)

    @property
    def fingerprint(self) -> UUID:
        """The same for the same signature, in every process and at every tenant."""
        parts = [VERSION, self.handler, self.error_type, self.frame, self.message]
        return uuid5(NAMESPACE, json.dumps(parts))


def text_of(error: BaseException) -> str:
    """What an exception says, whatever it takes to make it say that."""
    try:
        return storable(str(error))
    except Exception:  # an exception's own code may raise anything
        return "(this exception cannot be put into words)"


def storable(text: str) -> str:
    """The text without what PostgreSQL cannot hold: NUL, and halves of surrogate pairs."""
    return text.replace("\x00", "�").encode("utf-8", "replace").decode()


def _type_of(error: BaseException) -> str:
    kind = type(error)
    home = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return storable(f"{home}{kind.__qualname__}")[:LONGEST_TYPE]


# --- Where --------------------------------------------------------------------------------------


def frame_of(error: BaseException) -> str:
    """Where the project's code was when it happened, as "module:function".

    Of what was raised by the engine itself, as a timeout is, the cause tells where it was. Where
    no code of the project ran, it is the innermost function of whatever did; empty where none did.
    """
    frames = _frames_beyond_engine(error) or _frames_beyond_engine(error.__cause__)
    own = [frame for frame in frames if not is_library(frame.f_code.co_filename)]
    innermost = (own or frames)[-1:]
    return "".join(map(_named, innermost))[:LONGEST_FRAME]


def _frames_beyond_engine(error: BaseException | None) -> list[FrameType]:
    frames = [frame for frame, _line in walk_tb(error.__traceback__ if error else None)]
    return [frame for frame in frames if _module_of(frame) not in ENGINE]


@cache
def is_library(filename: str) -> bool:
    """Whether code from this file is Python's or a library's, not the project's."""
    path = PurePath(filename)
    return (
        filename.startswith("<")
        or not LIBRARY_FOLDERS.isdisjoint(path.parts)
        or path.is_relative_to(STANDARD_LIBRARY)
    )


def _module_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _named(frame: FrameType) -> str:
    return storable(f"{_module_of(frame)}:{function_of(frame.f_code)}")


def function_of(code: CodeType) -> str:
    """The function's name with its classes, the same in all versions of Python."""
    return COMPREHENSION.sub("", code.co_qualname)


# --- What it said -------------------------------------------------------------------------------

ATOM = r"\w.!#$%&*+/=?^{|}~-"
EMAIL = re.compile(rf"(?<![{ATOM}])[{ATOM}]+@[\w.-]*\w")
# A quotation that is not closed, or whose end was cut off, goes to the end of the line. An
# apostrophe within a word opens none and closes none.
QUOTED = re.compile(
    r"""
    (?<!\w)[bBrRuU]{0,2}'.*?(?:'(?!\w)|$) | (?<!\w)[bBrRuU]{0,2}".*?(?:"(?!\w)|$)
    | `.*?(?:`|$) | “.*?(?:”|$) | „.*?(?:[“”]|$) | «.*?(?:»|$) | (?<!\w)‘.*?(?:’(?!\w)|$)
    """,
    re.VERBOSE,
)
UUID_TEXT = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
HEX = re.compile(r"\b[0-9a-f]{8,}\b", re.IGNORECASE)
# The parameters of an address: often ids, sometimes secrets.
PARAMETERS = re.compile(r"\?[^\s=&?]+=\S*")
# Whole words, since ids mix digits with letters.
WITH_DIGIT = re.compile(r"\b[^\W\d]*\d\w*")
SIGN = re.compile(r"(?<![\w#])[-+](?=#)")
# Decimals, dates, addresses, and lists, however long.
RUN = re.compile(r"(#|'…')(?:[\s.,:;/+-]*\1)+")
MASKS = (
    (EMAIL, "…@…"),
    (QUOTED, "'…'"),
    (PARAMETERS, "?…"),
    (UUID_TEXT, "#"),
    (HEX, "#"),
    (WITH_DIGIT, "#"),
    (SIGN, ""),
    (RUN, r"\1"),
)


def masked(text: str) -> str:
    """The first line of a message, with what differs from one failure to the next masked.

    Numbers, dates, UUIDs, hexadecimal and all other words with a digit in them become `#`, e-mail
    addresses `…@…`, quoted text `'…'`. Further lines are left out: they hold a row's values, or
    what somebody sent.
    """
    line = " ".join(next(iter(text[:LONGEST_READ].strip().splitlines()), "").split())
    for pattern, mask in MASKS:
        line = pattern.sub(mask, line)
    return line[:LONGEST_KEPT]
