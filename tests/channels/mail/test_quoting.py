"""Parting what is written from what is answered: nothing is lost, and nothing takes long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailparser_reply import EmailReplyParser  # type: ignore[import-untyped]

from channels.transports.mail.quoting import part_quote
from tests.channels.mail.corpus.people import GMAIL, OUTLOOK, YES

QUOTE = "> How are you?\n> Well?"
PIECES = [
    *GMAIL.values(),
    *OUTLOOK.values(),
    QUOTE,
    YES,
    "",
    "x",
    ">",
    "-- ",
    "--",
    "From: a",
    "On ",
]


@given(st.lists(st.sampled_from(PIECES)))
def test_nothing_is_lost(pieces: list[str]) -> None:
    text = "\n".join(pieces)
    written, quoted = part_quote(text)
    assert f"{written}\n{quoted}".split() == text.split()
    assert written or not text.strip()


@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_an_independent_parser_agrees(language: str) -> None:
    """Of the languages that it reads rightly: it does not fold Spanish answers from Gmail."""
    text = f"Yes, please send the offer.\n\n{GMAIL[language]}\n\n{QUOTE}\n"
    independent = EmailReplyParser(languages=[language]).parse_reply(text)
    assert part_quote(text)[0] == independent.strip()


@pytest.mark.parametrize(
    "text",
    [
        "On the whole it is fine.\nThe end.",
        "Von mir aus gern.\nAn wen denn?",
        "From: my point of view it is fine.",
        "- one\n- two\n- three",
        "He wrote:\n\nsomething nice",
        "a > b\nand c > d",
        "Am Montag kommt Ann.\nSie schrieb es mir.",
    ],
)
def test_what_only_looks_like_a_quote_is_not_folded(text: str) -> None:
    assert part_quote(text) == (text, "")


def test_nothing_but_a_quote_stays() -> None:
    assert part_quote(QUOTE) == (QUOTE, "")


def test_signature_stays_with_what_is_written() -> None:
    text = f"Yes.\n\n-- \nAnn Archer\n\n{GMAIL['en']}\n{QUOTE}"
    assert part_quote(text)[0] == "Yes.\n\n-- \nAnn Archer"


@pytest.mark.parametrize(
    "text",
    [
        "On " * 3_000_000,
        "On\n" * 3_000_000,
        "x" + "\n" * 3_000_000,
        "On 1 May, x wrote:\n> a\nb\n" * 300_000,
        "From: a\n" * 1_000_000,
        ">" * 5_000_000,
        ("On " + "y" * 900 + "\n") * 20_000,
        "von " * 1_000_000 + "schrieb am",
        "-" * 5_000_000,
    ],
    ids=range(9),
)
def test_no_text_keeps_a_worker_busy(text: str) -> None:
    """Of a tenth of these an ordinary parser does not come back for minutes."""
    assert part_quote(text)[0]
