"""What branches and entry rules ask: whether somebody answered, opened or clicked, or what a field
says.

Pure. Texts are compared without regard to case and outer blanks; numbers as numbers, where both
sides are some.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from uuid import UUID

from channels.templating import normal_name


class Signal(StrEnum):
    """What somebody did with a message; machines that opened or clicked are not counted."""

    REPLIED, OPENED, CLICKED = "replied", "opened", "clicked"


class Operator(StrEnum):
    """How a field is compared with a value; the last two take none."""

    IS, IS_NOT, CONTAINS = "is", "is_not", "contains"
    ABOVE, BELOW = "above", "below"
    KNOWN, UNKNOWN = "known", "unknown"


@dataclass(frozen=True)
class Did:
    """Somebody did something with a message of this sequence.

    Attributes:
        step: the key of the message's step; None: any of them.
    """

    signal: Signal
    step: UUID | None = None


@dataclass(frozen=True)
class Says:
    """A field of the lead says something.

    Attributes:
        name: as templates name it: "company", "custom.industry"; or "stage", "source", "tag".
    """

    name: str
    operator: Operator
    value: str = ""


Condition = Did | Says


def holds(
    condition: Condition,
    values: Mapping[str, str | Sequence[str]],
    signals: Mapping[UUID, frozenset[Signal]],
) -> bool:
    """Whether a condition holds.

    Args:
        values: the lead's fields by name; what is not known is empty or not there. Of several
            values of a field one has to be so, or all where that is denied.
        signals: what was done, by key of the message's step.
    """
    if isinstance(condition, Says):
        return _says(condition, values.get(normal_name(condition.name), ""))
    asked = signals.values() if condition.step is None else [signals.get(condition.step, ())]
    return any(condition.signal in done for done in asked)


def _says(condition: Says, said: str | Sequence[str]) -> bool:
    given = [said] if isinstance(said, str) else said or [""]
    compare, value = COMPARISONS[condition.operator], condition.value.strip()
    found = (compare(each.strip(), value) for each in given)
    return all(found) if condition.operator in DENYING else any(found)


def _is(said: str, value: str) -> bool:
    numbers = _number(said), _number(value)
    return said.casefold() == value.casefold() or (None not in numbers and len({*numbers}) == 1)


def _is_ordered(said: str, value: str, is_so: Callable[[Decimal, Decimal], bool]) -> bool:
    own, other = _number(said), _number(value)
    return own is not None and other is not None and is_so(own, other)


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


DENYING = (Operator.IS_NOT, Operator.UNKNOWN)
COMPARISONS: dict[Operator, Callable[[str, str], bool]] = {
    Operator.IS: _is,
    Operator.IS_NOT: lambda said, value: not _is(said, value),
    Operator.CONTAINS: lambda said, value: bool(value) and value.casefold() in said.casefold(),
    Operator.ABOVE: lambda said, value: _is_ordered(said, value, Decimal.__gt__),
    Operator.BELOW: lambda said, value: _is_ordered(said, value, Decimal.__lt__),
    Operator.KNOWN: lambda said, value: bool(said),
    Operator.UNKNOWN: lambda said, value: not said,
}
