"""Which counts of tokens are believed."""

import pytest

from channels.autopilot.completions import Usage, usage_of
from tests.autopilot.calling import SAID
from tests.autopilot.endpoint import USAGE

GUESSED = Usage(10, 0, 4, 0, is_estimated=True)


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        (USAGE, SAID),
        ({"prompt_tokens": 30, "completion_tokens": 5}, Usage(30, 0, 5)),
        ({"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 35,
          "prompt_tokens_details": None, "completion_tokens_details": None}, Usage(30, 0, 5)),
        ({"prompt_tokens": 30, "completion_tokens": 5, "prompt_cache_hit_tokens": 30},
         Usage(30, 30, 5)),
        ({"prompt_tokens": 30, "completion_tokens": 5, "cached_tokens": 1}, Usage(30, 1, 5)),
        ({"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 35,
          "completion_tokens_details": {"reasoning_tokens": 3}}, Usage(30, 0, 5, 3)),
        # Some count the reasoning beside what is written.
        ({"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 135,
          "completion_tokens_details": {"reasoning_tokens": 100}}, Usage(30, 0, 105, 100)),
        (None, GUESSED),
        ({}, GUESSED),
        ("lots", GUESSED),
        ([30, 5], GUESSED),
        ({"prompt_tokens": "30", "completion_tokens": 5}, GUESSED),
        ({"prompt_tokens": 30.0, "completion_tokens": 5}, GUESSED),
        ({"prompt_tokens": True, "completion_tokens": 5}, GUESSED),
        ({"prompt_tokens": -1, "completion_tokens": 5}, GUESSED),
        ({"prompt_tokens": 30, "completion_tokens": -5}, GUESSED),
        ({"prompt_tokens": 30, "completion_tokens": None}, GUESSED),
        ({"prompt_tokens": 0, "completion_tokens": 5}, GUESSED),
        ({"prompt_tokens": 30, "completion_tokens": 0}, GUESSED),
        ({"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": "x"}, GUESSED),
        ({"prompt_tokens": 10**12, "completion_tokens": 5}, GUESSED),
        ({"prompt_tokens": 30, "completion_tokens": 5,
          "prompt_tokens_details": {"cached_tokens": 31}}, GUESSED),
        ({"prompt_tokens": 30, "completion_tokens": 5,
          "prompt_tokens_details": {"cached_tokens": -1}}, GUESSED),
        ({"prompt_tokens": 30, "completion_tokens": 5,
          "completion_tokens_details": {"reasoning_tokens": 6}}, GUESSED),
        # A total that is larger than the parts is believed: somebody will charge for it.
        ({"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 99},
         Usage(10, 0, 89, 0, is_estimated=True)),
        ({"total_tokens": 10**15}, GUESSED),
        # Thoughts that nobody sees cost money, millions of tokens for a short question nobody uses.
        ({"prompt_tokens": 30, "completion_tokens": 9_000}, Usage(30, 0, 9_000)),
        ({"prompt_tokens": 9_000_000, "completion_tokens": 5}, GUESSED),
        ({"prompt_tokens": 30, "completion_tokens": 9_000_000}, GUESSED),
        ({"total_tokens": 9_000_000}, GUESSED),
    ],
)  # fmt: skip
def test_usage_is_believed_only_if_it_can_be(told: object, usage: Usage) -> None:
    assert usage_of(told, prompt=28, written=12) == usage
