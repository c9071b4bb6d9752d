"""What the engine decides has words, whatever it is."""

from collections.abc import Collection, Mapping

import pytest

from channels.sequences.decisions import Delay, Ending, Obstacle
from channels.sequences.payloads import ARCHIVED, NOT_ENROLLED
from channels.sequences.refusing import Refusal
from channels.sequences.words import DELAYS, ENDINGS, OBSTACLES, REFUSED, obstacle_in_words

BROKEN = (
    "a fault in SalesFlow keeps the step from being done: it is tried again every hour, "
    "and your administrator can see what is wrong"
)


@pytest.mark.parametrize(
    ("kinds", "words"),
    [(Ending, ENDINGS), (Delay, DELAYS), (Obstacle, OBSTACLES), (Refusal, REFUSED)],
)
def test_nothing_goes_without_words(kinds: Collection[str], words: Mapping[str, object]) -> None:
    assert {str(kind) for kind in kinds} == {str(kind) for kind in words}


@pytest.mark.parametrize(
    ("reason", "names", "words"),
    [
        (Obstacle.MISSING, ["company", "title"], "nothing is known for “company”, “title”"),
        (Obstacle.NO_ADDRESS, ["whatsapp"], "the lead has no address for WhatsApp"),
        (Obstacle.REFUSED, ["Too long."], "the message was refused: Too long."),
        (Obstacle.BROKEN, ["ValueError: x"], BROKEN),
        (NOT_ENROLLED, [ARCHIVED], "it is archived: nobody comes in any more"),
        (NOT_ENROLLED, ["closed"], "the lead is won or lost"),
        ("of a later release", [], "of a later release"),
    ],
)
def test_obstacle_is_told_with_what_it_is_about(reason: str, names: list[str], words: str) -> None:
    assert obstacle_in_words(reason, names) == words
