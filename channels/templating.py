"""Texts with variables: `{{ first_name }}`, and `{{ company|your company }}` where words stand in
for what nobody knows.

Pure. A text is complete, or it is not there: what is missing is told by its name, and `Filled.text`
then raises. What is put in is never read as a template, so a lead who is called “{{ company }}” is
written to by that name.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

PLACEHOLDER = re.compile(r"\{\{([^{}]*)\}\}")
BETWEEN_WORDS = re.compile(r"\W+")


class Malformed(Exception):
    """A text cannot be read as a template; `reason` says why."""

    def __init__(self, reason: str | Promise) -> None:
        super().__init__(reason)
        self.reason = reason


class Incomplete(Exception):
    """Nobody knows what to put in; `names` are the variables."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(", ".join(names))
        self.names = names


@dataclass(frozen=True)
class Variable:
    """A place in a text.

    Attributes:
        name: in normal form, see `normal_name`.
        fallback: what stands there where nothing is known; None: then the text cannot be sent.
    """

    name: str
    fallback: str | None = None


class Origin(StrEnum):
    """Where a piece of a filled text comes from."""

    TEXT, VALUE, FALLBACK, MISSING = "text", "value", "fallback", "missing"


@dataclass(frozen=True)
class Piece:
    """A part of a filled text; of what is missing, its name."""

    text: str
    origin: Origin


@dataclass(frozen=True)
class Filled:
    """A template as it reads for somebody.

    Attributes:
        values: what stands for each variable in the order in which vendors number them; see
            `variables_of`.
    """

    pieces: tuple[Piece, ...]
    values: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of what nobody knows, each once."""
        names = (piece.text for piece in self.pieces if piece.origin == Origin.MISSING)
        return tuple(dict.fromkeys(names))

    @property
    def text(self) -> str:
        """The whole text.

        Raises:
            Incomplete: something is missing.
        """
        if missing := self.missing:
            raise Incomplete(missing)
        return "".join(piece.text for piece in self.pieces)


def fill(template: str, values: Mapping[str, str]) -> Filled:
    """Put `values` in the places of their names.

    Raises:
        Malformed: the template cannot be read.
    """
    filled = {variable: _piece(variable, values) for variable in variables_of(template)}
    pieces = (
        filled[part] if isinstance(part, Variable) else Piece(part, Origin.TEXT)
        for part in _parts(template)
    )
    return Filled(
        pieces=tuple(piece for piece in pieces if piece.text),
        values=tuple(piece.text for piece in filled.values()),
    )


def variables_of(template: str) -> tuple[Variable, ...]:
    """The variables in the order in which they first appear.

    Raises:
        Malformed: the template cannot be read.
    """
    return tuple(dict.fromkeys(part for part in _parts(template) if isinstance(part, Variable)))


def numbered(template: str) -> str:
    """The text as a vendor approves it: `Hello {{1}}`.

    Raises:
        Malformed: the template cannot be read.
    """
    numbers = {variable: number for number, variable in enumerate(variables_of(template), start=1)}
    return "".join(
        f"{{{{{numbers[part]}}}}}" if isinstance(part, Variable) else part
        for part in _parts(template)
    )


def normal_name(text: str) -> str:
    """The name of a variable as it is looked up: “Deal size” is `deal_size`; only the first dot
    means something."""
    words = (BETWEEN_WORDS.sub("_", part.lower()).strip("_") for part in text.split(".", 1))
    return ".".join(filter(None, words))


def _parts(template: str) -> Iterator[str | Variable]:
    end = 0
    for match in PLACEHOLDER.finditer(template):
        yield _plain(template[end : match.start()])
        yield _variable(match[1])
        end = match.end()
    yield _plain(template[end:])


def _plain(text: str) -> str:
    if "{{" in text or "}}" in text:
        raise Malformed(_("A variable looks like {{ first_name }}: two braces on either side."))
    return text


def _variable(inside: str) -> Variable:
    written, bar, fallback = inside.partition("|")
    name = normal_name(written)
    if not name:
        raise Malformed(_("A variable has no name."))
    return Variable(name, one_line(fallback) if bar else None)


def _piece(variable: Variable, values: Mapping[str, str]) -> Piece:
    if value := one_line(values.get(variable.name, "")):
        return Piece(value, Origin.VALUE)
    if variable.fallback is None:
        return Piece(variable.name, Origin.MISSING)
    return Piece(variable.fallback, Origin.FALLBACK)


def one_line(text: str) -> str:
    """A value without line breaks and double blanks: it may stand in a subject, and vendors refuse
    others."""
    return " ".join(text.split())
