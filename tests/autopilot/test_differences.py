"""What somebody changed in a draft, and which of its words stand on what."""

import pytest

from channels.autopilot.differences import Change, Marked, differences, marked, share_changed


def test_changes_are_told_word_by_word() -> None:
    pieces = differences("We meet on Monday at 9.", "We meet on Tuesday at 9.")
    assert [(piece.text, piece.change) for piece in pieces] == [
        ("We meet on ", Change.SAME),
        ("Monday", Change.REMOVED),
        ("Tuesday", Change.ADDED),
        (" at 9.", Change.SAME),
    ]


@pytest.mark.parametrize("text", ["", "Same.", "Two\n\nparagraphs, ä ö 🙂."])
def test_both_texts_can_be_put_together_again(text: str) -> None:
    other = f"Before. {text} Behind."
    pieces = differences(text, other)
    was = "".join(piece.text for piece in pieces if piece.change != Change.ADDED)
    now = "".join(piece.text for piece in pieces if piece.change != Change.REMOVED)
    assert (was, now) == (text, other)


def test_long_texts_are_not_compared_for_ever() -> None:
    pieces = differences("a " * 9000, "b " * 9000)
    assert [piece.change for piece in pieces] == [Change.REMOVED, Change.ADDED]
    assert share_changed("a " * 9000, "b " * 9000) == 1.0


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [("a b c d", "a b c d", 0.0), ("a  b\nc", "a b c", 0.0), ("a b c d", "a b c x", 0.25),
     ("a b", "x y", 1.0), ("a", "", 1.0)],
)  # fmt: skip
def test_share_is_of_the_words(before: str, after: str, share: float) -> None:
    assert share_changed(before, after) == pytest.approx(share)


def test_claims_are_marked_with_their_source() -> None:
    claims = [
        {"said": "500 EUR", "trust": "ours", "source": "price list"},
        {"said": "500", "trust": "theirs", "source": "their message"},
        {"said": "cut away", "trust": "nobody", "source": ""},
    ]
    assert marked("It is 500 EUR, not 500.", claims) == [
        Marked("It is "),
        Marked("500 EUR", "ours", "price list"),
        Marked(", not "),
        Marked("500", "theirs", "their message"),
        Marked("."),
    ]
    assert marked("Nothing.", []) == [Marked("Nothing.")]
    assert marked("", []) == []
