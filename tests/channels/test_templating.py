"""Texts with variables: what is put in, what stands in for it, and what is never sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.templating import (
    Incomplete,
    Malformed,
    Origin,
    Variable,
    fill,
    numbered,
    variables_of,
)
from channels.variables import split_name

VALUES = {"first_name": "Ada", "company": "Engines & Co"}


def test_values_and_fallbacks_are_put_in() -> None:
    filled = fill("Dear {{ first_name }} of {{company}}, {{ title|my friend }}!", VALUES)
    assert filled.text == "Dear Ada of Engines & Co, my friend!"
    assert [piece.origin for piece in filled.pieces if piece.origin != Origin.TEXT] == [
        Origin.VALUE,
        Origin.VALUE,
        Origin.FALLBACK,
    ]


def test_value_is_preferred_to_its_fallback() -> None:
    assert fill("{{ company|your company }}", VALUES).text == "Engines & Co"
    assert fill("{{ company|your company }}", {"company": " \n "}).text == "your company"


def test_what_is_missing_is_named_once_and_the_text_cannot_be_had() -> None:
    filled = fill("{{ phone }} {{ title }} {{ phone }} {{ first_name }}", VALUES)
    assert filled.missing == ("phone", "title")
    with pytest.raises(Incomplete) as refusal:
        str(filled.text)
    assert refusal.value.names == ("phone", "title")


def test_empty_fallback_leaves_the_variable_out() -> None:
    assert fill("Hello{{ title| }}!", {}).text == "Hello!"


def test_value_is_never_read_as_a_template() -> None:
    values = {"first_name": "{{ company }}", "company": "secret"}
    assert fill("Dear {{ first_name }}", values).text == "Dear {{ company }}"


def test_value_is_one_line() -> None:
    assert fill("{{ title }}", {"title": "Head\r\nBcc: all@example.com\t of   sales"}).text == (
        "Head Bcc: all@example.com of sales"
    )


@pytest.mark.parametrize(
    "written", ["{{first_name}}", "{{ First Name }}", "{{\nfirst-name }}", "{{ FIRST_NAME | x }}"]
)
def test_a_name_is_found_however_it_is_written(written: str) -> None:
    assert fill(written, VALUES).text == "Ada"


@pytest.mark.parametrize(
    "written",
    ["{{ first_name }", "{{ first_name", "first_name }}", "{{ }}", "{{ | x }}", "{{ a { b }}"],
)
def test_what_only_looks_like_a_variable_is_refused(written: str) -> None:
    with pytest.raises(Malformed):
        fill(f"Dear {written}!", VALUES)


def test_single_braces_are_text() -> None:
    assert fill("{a} { {{ first_name }} }", VALUES).text == "{a} { Ada }"


def test_variables_are_numbered_as_vendors_do() -> None:
    template = "{{ first_name }}, {{ company|you }}: {{first_name}}, {{ company|us }}"
    assert numbered(template) == "{{1}}, {{2}}: {{1}}, {{3}}"
    assert fill(template, {"first_name": "Ada"}).values == ("Ada", "you", "us")
    assert variables_of(template) == (
        Variable("first_name"),
        Variable("company", "you"),
        Variable("company", "us"),
    )


@given(st.text(alphabet="{}| ab\n", max_size=60))
def test_any_text_is_filled_or_refused_and_never_keeps_a_variable(template: str) -> None:
    try:
        filled = fill(template, {"a": "1"})
    except Malformed:
        return
    if not filled.missing:
        assert "{{" not in filled.text
        assert "}}" not in filled.text


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Ada Lovelace", ("Ada", "Lovelace")),
        ("Dr. Ada King Lovelace", ("Ada", "King Lovelace")),
        ("Prof. Dr. Ada Lovelace", ("Ada", "Lovelace")),
        ("Lovelace, Ada", ("Ada", "Lovelace")),
        ("Ada Lovelace, PhD", ("Ada", "Lovelace")),
        ("Frau Lovelace", ("", "Lovelace")),
        ("Ada", ("Ada", "")),
        ("", ("", "")),
    ],
)
def test_names_are_split_as_people_are_addressed(name: str, parts: tuple[str, str]) -> None:
    assert split_name(name) == parts
