"""Tracebacks are read back from the text that Python wrote."""

import traceback
from pathlib import Path
from typing import Any

import pydantic
import pytest
from django.conf import settings

from events.console.tracebacks import MOST_FRAMES, MOST_RAISED, Raised, read_traceback

HERE = str(Path(__file__).relative_to(settings.BASE_DIR))


def text_of(function: Any, *args: Any) -> str:
    """The traceback of what a function raises."""
    try:
        function(*args)
    except Exception as error:
        return "".join(traceback.format_exception(error))
    raise AssertionError("it raised nothing")


def read(function: Any, *args: Any) -> list[Raised]:
    return read_traceback(text_of(function, *args))


def look_up(name: str) -> str:
    return {"a": "b"}[name]


def translate(name: str) -> str:
    try:
        return look_up(name)
    except KeyError as error:
        raise LookupError(f"no word for {name}") from error


def stumble(name: str) -> str:
    try:
        return look_up(name)
    except KeyError:
        return str(1 / 0)


def recurse(depth: int) -> None:
    if not depth:
        raise ValueError("deep\n\nand with blank lines")
    recurse_further(depth)


def recurse_further(depth: int) -> None:
    recurse(depth - 1)


def chain(length: int) -> None:
    try:
        raise ValueError(f"number {length}")
    except ValueError:
        if length:
            chain(length - 1)
        raise


def test_innermost_frame_of_the_project_comes_first() -> None:
    [raised] = read(look_up, "x")
    assert raised.error == "KeyError: 'x'"
    assert [frame.function for frame in raised.frames] == ["look_up", "text_of"]
    assert (raised.frames[0].path, raised.frames[0].code) == (HERE, 'return {"a": "b"}[name]')


def test_libraries_are_left_out() -> None:
    [raised] = read(pydantic.TypeAdapter(int).validate_python, "x")
    assert [frame.function for frame in raised.frames] == ["text_of"]


@pytest.mark.parametrize(
    ("function", "error", "link"),
    [
        (translate, "LookupError: no word for x", "Caused by"),
        (stumble, "ZeroDivisionError: division by zero", "While handling"),
    ],
)
def test_what_got_away_comes_first_then_what_led_to_it(
    function: Any, error: str, link: str
) -> None:
    last, first = read(function, "x")
    assert (last.error, last.link) == (error, "")
    assert (first.error, first.link) == ("KeyError: 'x'", link)


def test_message_keeps_its_blank_lines_and_frames_have_an_end() -> None:
    [raised] = read(recurse, 100)
    assert raised.error == "ValueError: deep\n\nand with blank lines"
    assert len(raised.frames) == MOST_FRAMES


def test_only_the_last_exceptions_of_a_long_chain_are_picked_out() -> None:
    found = read(chain, 20)
    assert len(found) == MOST_RAISED
    assert [raised.error for raised in found][:2] == [
        "ValueError: number 0",
        "ValueError: number 1",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "worker lost",
        "Traceback (most recent call last):\n",
        "Traceback (most recent call last):\nTraceback (most recent call last):\n" * 50,
        'Traceback (most recent call last):\n  File "',
        "x" * 50_000,
        'Traceback (most recent call last):\n  File "<script>", line 1, in <b>\nError: \x1b[31m',
    ],
)
def test_any_other_text_does_no_harm(text: str) -> None:
    assert len(read_traceback(text)) <= MOST_RAISED
