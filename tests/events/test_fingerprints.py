"""What makes two failures the same, by examples, by properties, and with real tracebacks."""

import json
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from events.alerts import webhooks
from events.alerts.webhooks import split_address
from events.external.timeouts import TimedOut, call_within
from events.failures.fingerprints import (
    LONGEST_FRAME,
    LONGEST_KEPT,
    LONGEST_READ,
    Signature,
    frame_of,
    masked,
    text_of,
)
from events.retry import Permanent

HERE = __name__

# --- What it said -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no good: 4", "no good: #"),
        ("took -4.5e-07 s", "took # s"),
        ("1,234.50 is more than 7", "# is more than #"),
        ("seen at 2026-11-22T02:44:56.123+00:00", "seen at #"),
        ("lead 018f3f6e-9d7c-7abc-8def-0123456789ab is gone", "lead # is gone"),
        ("<Lead object at 0x7f3a5c>", "<Lead object at #>"),
        ("commit deadbeefcafe", "commit #"),
        ("message msg_8fK2aQ is unknown", "message # is unknown"),
        ("ada+x@mail.example.com bounced", "…@… bounced"),
        ("can't find 'x' in \"it's\" list", "can't find '…' in '…' list"),
        ("'O'Brien' is taken", "'…' is taken"),
        ("b'\\x00' is no name", "'…' is no name"),
        ("“Wichtig” ist kein Status", "'…' ist kein Status"),
        ("unclosed 'text goes on", "unclosed '…'"),
        ("[1, 2, 3] has no 'a', 'b', 'c'", "[#] has no '…'"),
        ("GET /leads?token=secret&page=2 failed", "GET /leads?… failed"),
        ("duplicate key “a”\nDETAIL: Key (name)=(Ada) already exists.", "duplicate key '…'"),
        ("\n\n  first   line\tof \x00 it\nsecond", "first line of \x00 it"),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_what_differs_from_one_failure_to_the_next_is_masked(text: str, expected: str) -> None:
    assert masked(text) == expected


words = st.text(st.characters(categories=["Ll", "Lu"]), min_size=1, max_size=8).filter(
    lambda word: not set(word.lower()) <= set("abcdef")
)
numbers = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=2).map(str),
    st.integers(0).map("{:,}".format),
)
ids = st.one_of(
    st.uuids().map(str),
    st.uuids().map(lambda value: value.hex),
    st.binary(min_size=4, max_size=20).map(bytes.hex),
    st.integers(0).map(hex),
    st.datetimes().map(datetime.isoformat),
    st.ip_addresses(v=4).map(str),
)
addresses = st.builds("{}@{}.example.com".format, words, words)
quoted = st.text(st.characters(exclude_characters="\"'\n", codec="utf-8")).map(repr)
sentences = st.tuples(words, words, words, words)
TOLD: Callable[..., str] = "{0[0]} {0[1]}: {1} {0[2]} ({2}) {0[3]}".format


@pytest.mark.parametrize(
    "values", [numbers, ids, addresses, quoted], ids=["numbers", "ids", "addresses", "quoted"]
)
def test_values_of_one_kind_make_no_difference(values: st.SearchStrategy[str]) -> None:
    @given(sentence=sentences, one=values, two=values, other=values, another=values)
    def check(sentence: object, one: str, two: str, other: str, another: str) -> None:
        assert masked(TOLD(sentence, one, two)) == masked(TOLD(sentence, other, another))

    check()


@given(sentence=sentences, values=st.lists(numbers, min_size=1, max_size=30))
def test_length_of_a_list_makes_no_difference(sentence: object, values: list[str]) -> None:
    assert masked(TOLD(sentence, ", ".join(values), 5)) == masked(TOLD(sentence, 1, 5))


@given(one=sentences, other=sentences)
def test_words_make_a_difference(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    same = masked(TOLD(one, 1, 2)) == masked(TOLD(other, 1, 2))
    assert same == (one == other)


@given(text=st.text(st.characters(codec="utf-8"), max_size=2 * LONGEST_READ))
def test_mask_is_one_short_line_without_digits(text: str) -> None:
    mask = masked(text)
    assert len(mask) <= LONGEST_KEPT
    assert len(mask.splitlines()) <= 1
    assert not any(character.isdecimal() for character in mask)


@given(sentence=sentences, value=st.one_of(numbers, ids, addresses, quoted))
def test_masking_a_mask_changes_nothing(sentence: object, value: str) -> None:
    mask = masked(TOLD(sentence, value, value))
    assert masked(mask) == mask


@pytest.mark.parametrize("text", ["a", "'", "'a", "?", "?a=", "1 ", "a.b@", "#", '"', "- ", "é9"])
def test_longest_text_of_any_kind_is_masked(text: str) -> None:
    """Rules that run away would stop a worker here, for hours."""
    assert len(masked(text * 1_000_000)) <= LONGEST_KEPT


def refused() -> None:
    split_address("ftp://example.com/")


def unreachable() -> None:
    webhooks._judged("hooks.example.com", 500, "")


@pytest.mark.parametrize("fails", [refused, unreachable])
def test_failure_is_the_same_in_all_languages(fails: Callable[[], None]) -> None:
    """Handlers run in the language of the tenant."""
    found, said = set(), set()
    for language in ("en", "de"):
        with translation.override(language):
            with pytest.raises((Permanent, webhooks.WebhookFailed)) as raised:
                fails()
            found.add(Signature.of("post_alert", raised.value))
            said.add(text_of(raised.value))
    [signature] = found
    assert signature.message in {
        "Write an address that begins with https://.",
        "hooks.example.com answered #.",
    }
    assert len(said) == 2


# --- Where --------------------------------------------------------------------------------------


def raised_by(function: Callable[[], object]) -> Exception:
    """What a function raises, with its traceback."""
    try:
        function()
    except Exception as error:
        return error
    raise AssertionError("It raised nothing.")


def fail() -> None:
    raise ValueError("no good")


def fail_in_a_library() -> None:
    json.loads("{")


def fail_in_a_comprehension() -> None:
    [int(value) for value in ["x"]]


class Shop:
    def sell(self) -> None:
        def pay() -> None:
            fail()

        pay()


def test_frame_is_the_innermost_of_the_project() -> None:
    assert frame_of(raised_by(fail)) == f"{HERE}:fail"
    assert frame_of(raised_by(Shop().sell)) == f"{HERE}:fail"
    assert frame_of(raised_by(fail_in_a_library)) == f"{HERE}:fail_in_a_library"


def test_frame_is_the_same_in_every_version_of_python() -> None:
    assert frame_of(raised_by(fail_in_a_comprehension)) == f"{HERE}:fail_in_a_comprehension"


def test_frame_names_the_class_and_what_stands_within() -> None:
    def pay() -> None:
        raise ValueError

    name = "test_frame_names_the_class_and_what_stands_within.<locals>.pay"
    assert frame_of(raised_by(pay)) == f"{HERE}:{name}"


def test_line_does_not_matter() -> None:
    def fail_here(there: bool) -> None:
        if there:
            raise ValueError("1")
        raise ValueError("2")

    one, other = raised_by(lambda: fail_here(True)), raised_by(lambda: fail_here(False))
    assert Signature.of("h", one) == Signature.of("h", other)


def test_library_is_named_where_no_code_of_the_project_ran() -> None:
    error = raised_by(fail_in_a_library)
    assert error.__traceback__
    error.__traceback__ = error.__traceback__.tb_next.tb_next  # type: ignore[union-attr]
    assert frame_of(error) == "json:loads" or frame_of(error).startswith("json.decoder:")


def test_error_that_was_never_raised_has_no_frame() -> None:
    assert frame_of(LookupError("there is no such handler")) == ""


def test_timeout_names_where_the_handler_was() -> None:
    def hang() -> None:
        while True:
            pass

    error = raised_by(lambda: call_within(0.01, hang))
    assert isinstance(error, TimedOut)
    # The test's own lambda is the only code between; the engine's is left out.
    assert frame_of(error).startswith(f"{HERE}:test_timeout_names_where_the_handler_was")


def test_circle_of_causes_ends() -> None:
    one, other = ValueError(), KeyError()
    one.__cause__, other.__cause__ = other, one
    assert frame_of(one) == ""


def test_endless_recursion_has_a_frame() -> None:
    def again() -> None:
        again()

    assert frame_of(raised_by(again)).endswith(".<locals>.again")


# --- All of it ----------------------------------------------------------------------------------


def test_fingerprint_is_the_same_in_every_process() -> None:
    signature = Signature("greet", "ValueError", "shop.handlers:greet", "no good: #")
    assert signature.fingerprint == UUID("db1d0a0b-1359-5d74-bc92-37c60e89d792")


def test_each_part_makes_a_difference() -> None:
    parts = ["greet", "ValueError", "shop.handlers:greet", "no good"]
    others = [[*parts[:i], "other", *parts[i + 1 :]] for i in range(len(parts))]
    found = {Signature(*each).fingerprint for each in [parts, *others]}
    assert len(found) == 5


@given(left=st.text(max_size=5), right=st.text(max_size=5))
def test_parts_do_not_run_into_each_other(left: str, right: str) -> None:
    one, other = Signature("h", left, right, ""), Signature("h", left + right, "", "")
    assert (one.fingerprint == other.fingerprint) == (one == other)


def test_type_is_named_with_its_module_unless_it_is_pythons_own() -> None:
    assert Signature.of("h", ValueError()).error_type == "ValueError"
    assert Signature.of("h", Permanent()).error_type == "events.retry.Permanent"


def test_error_that_cannot_speak_has_a_signature() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert text_of(Mute()) == "(this exception cannot be put into words)"
    assert text_of(ValueError("a\x00b\ud800c")) == "a�b?c"


def test_long_names_are_cut_off() -> None:
    namespace = {"__name__": "m" * 500}
    exec(f"def {'f' * 500}(): raise ValueError", namespace)
    function: object = namespace["f" * 500]
    assert callable(function)
    assert len(frame_of(raised_by(function))) <= LONGEST_FRAME
    assert len(Signature.of("h", type("E" * 500, (Exception,), {})()).error_type) == 200
