"""What a branch asks of fields and of what somebody did."""

from uuid import UUID

import pytest

from channels.sequences.conditions import Did, Operator, Says, Signal, holds

FIRST, SECOND = UUID(int=1), UUID(int=2)
VALUES = {"company": "Engines & Co", "custom.seats": "12", "custom.price": "1e3", "title": " "}


@pytest.mark.parametrize(
    ("name", "operator", "value", "answer"),
    [
        ("company", Operator.IS, "engines & CO ", True),
        ("company", Operator.IS, "Engines", False),
        ("company", Operator.IS_NOT, "Engines", True),
        ("company", Operator.CONTAINS, "ENGINE", True),
        ("company", Operator.CONTAINS, "", False),
        ("custom.seats", Operator.IS, "12.0", True),
        ("custom.seats", Operator.ABOVE, "9", True),
        ("custom.seats", Operator.ABOVE, "12", False),
        ("custom.seats", Operator.BELOW, "12.5", True),
        ("custom.price", Operator.ABOVE, "999.99", True),
        ("company", Operator.ABOVE, "1", False),
        ("company", Operator.BELOW, "1", False),
        ("custom.seats", Operator.BELOW, "NaN", False),
        ("custom.seats", Operator.BELOW, "Infinity", False),
        ("title", Operator.KNOWN, "", False),
        ("title", Operator.UNKNOWN, "", True),
        ("company", Operator.KNOWN, "", True),
        ("phone", Operator.UNKNOWN, "", True),
        ("phone", Operator.IS_NOT, "1", True),
        ("phone", Operator.IS, "", True),
    ],
)
def test_field_is_compared(name: str, operator: Operator, value: str, answer: bool) -> None:
    assert holds(Says(name, operator, value), VALUES, {}) is answer


@pytest.mark.parametrize(
    ("operator", "value", "answer"),
    [
        (Operator.IS, "VIP", True),
        (Operator.IS, "gold", False),
        # What is denied has to be so of every tag.
        (Operator.IS_NOT, "vip", False),
        (Operator.IS_NOT, "gold", True),
        (Operator.KNOWN, "", True),
        (Operator.UNKNOWN, "", False),
    ],
)
def test_one_of_several_values_is_enough(operator: Operator, value: str, answer: bool) -> None:
    assert holds(Says("tag", operator, value), {"tag": ["vip", "fair"]}, {}) is answer


def test_field_of_several_values_may_have_none() -> None:
    assert holds(Says("tag", Operator.UNKNOWN), {"tag": []}, {})
    assert holds(Says("tag", Operator.IS_NOT, "vip"), {"tag": []}, {})


@pytest.mark.parametrize(
    ("condition", "answer"),
    [
        (Did(Signal.OPENED), True),
        (Did(Signal.OPENED, FIRST), True),
        (Did(Signal.OPENED, SECOND), False),
        (Did(Signal.CLICKED), True),
        (Did(Signal.CLICKED, FIRST), False),
        (Did(Signal.REPLIED), False),
        (Did(Signal.OPENED, UUID(int=3)), False),
    ],
)
def test_deed_is_looked_up(condition: Did, answer: bool) -> None:
    done = {FIRST: frozenset({Signal.OPENED}), SECOND: frozenset({Signal.CLICKED})}
    assert holds(condition, {}, done) is answer


def test_every_operator_is_known() -> None:
    for operator in Operator:
        assert holds(Says("x", operator, "1"), {"x": "1"}, {}) in (True, False)
