"""What numbers allow to say: against published values, against counting every case, and against
chance itself."""

import math
import random
from fractions import Fraction
from itertools import pairwise

import pytest
from django.utils import translation

from channels.sequences.significance import (
    LEVEL,
    Arm,
    Finding,
    check_split,
    fisher,
    holm,
    needed,
    newcombe,
    split_chance,
    verdict,
    wilson,
)


def arm(hits: int, sent: int, name: str = "A", weight: int = 1) -> Arm:
    return Arm(name, sent, hits, weight)


@pytest.mark.parametrize(
    ("hits", "sent", "low", "high"),
    [
        # R. G. Newcombe, Statistics in Medicine 17 (1998) 857–872, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        # By hand: 1/(1 + z²/n), and its mirror.
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (3, 100, 0.0103, 0.0845),
    ],
)
def test_interval_of_a_rate_is_the_published_one(
    hits: int, sent: int, low: float, high: float
) -> None:
    assert wilson(hits, sent) == pytest.approx((low, high), abs=5e-5)


def test_interval_is_never_outside_and_always_around_the_rate() -> None:
    for sent in range(1, 60):
        for hits in range(sent + 1):
            low, high = wilson(hits, sent)
            assert 0 <= low <= hits / sent <= high <= 1
            assert wilson(sent - hits, sent) == pytest.approx((1 - high, 1 - low))


def test_nothing_is_known_of_what_was_not_sent() -> None:
    assert wilson(0, 0) == (0, 1)
    assert newcombe(arm(0, 0), arm(5, 10)) == (-1, 1)


@pytest.mark.parametrize(
    ("second", "first", "low", "high"),
    [
        # R. G. Newcombe, Statistics in Medicine 17 (1998) 873–890, table II, method 10.
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_interval_of_a_difference_is_the_published_one(
    second: tuple[int, int], first: tuple[int, int], low: float, high: float
) -> None:
    found = newcombe(arm(*first), arm(*second))
    assert found == pytest.approx((low, high), abs=5e-5)
    assert newcombe(arm(*second), arm(*first)) == pytest.approx((-found.high, -found.low))


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        # R. A. Fisher's lady tasting tea, The Design of Experiments (1935): 34 of 70.
        ((3, 4), (1, 4), 34 / 70),
        ((4, 4), (0, 4), 2 / 70),
        # The example of R's manual, fisher.test: convictions of like-sex twins.
        ((10, 13), (2, 17), 0.0005367),
        # The example of SciPy's manual, fisher_exact: [[6, 2], [1, 4]].
        ((6, 8), (1, 5), 0.1025641),
        ((0, 5), (0, 9), 1.0),
        ((0, 0), (3, 9), 1.0),
    ],
)
def test_exact_test_gives_the_published_chance(
    first: tuple[int, int], second: tuple[int, int], p: float
) -> None:
    assert fisher(arm(*first), arm(*second)) == pytest.approx(p, abs=5e-8)


def counted(first: tuple[int, int], second: tuple[int, int]) -> Fraction:
    """The same by counting tables, in whole numbers."""
    (own, sent), (other, rest) = first, second
    hits = own + other
    ways = {
        each: math.comb(sent, each) * math.comb(rest, hits - each)
        for each in range(sent + 1)
        if 0 <= hits - each <= rest
    }
    return Fraction(
        sum(way for way in ways.values() if way <= ways[own]), math.comb(sent + rest, hits)
    )


def test_exact_test_counts_every_table_up_to_twelve() -> None:
    tables = [
        ((own, sent), (other, rest))
        for sent in range(13)
        for rest in range(13)
        for own in range(sent + 1)
        for other in range(rest + 1)
    ]
    assert len(tables) == 91 * 91
    wrong = [
        table
        for table in tables
        if not math.isclose(fisher(arm(*table[0]), arm(*table[1])), counted(*table), rel_tol=1e-9)
    ]
    assert wrong == []


def test_exact_test_of_large_numbers_is_near_the_normal_one() -> None:
    first, second = arm(1000, 20_000), arm(1100, 20_000)
    pooled = 2100 / 40_000
    z = (0.055 - 0.05) / math.sqrt(pooled * (1 - pooled) * 2 / 20_000)
    assert fisher(first, second) == pytest.approx(math.erfc(z / math.sqrt(2)), rel=0.1)
    assert counted((100, 2000), (130, 2000)) == pytest.approx(
        fisher(arm(100, 2000), arm(130, 2000)), rel=1e-8
    )


def test_several_comparisons_are_corrected() -> None:
    # By hand: 4 × 0.01, 3 × 0.0125 raised to what stands before it, 2 × 0.03, 1 × 0.5.
    assert holm([0.03, 0.01, 0.5, 0.0125]) == pytest.approx([0.06, 0.04, 0.5, 0.04])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("rate", "difference", "number"),
    # 7.849 · (p₁q₁ + p₂q₂) / d².
    [(0.05, 0.02, 2210), (0.05, 0.01, 8155), (0.05, 0.05, 432), (0.5, 0.1, 385)],
)
def test_needed_number_is_the_textbooks(rate: float, difference: float, number: int) -> None:
    assert needed(rate, difference) == pytest.approx(number, abs=2)


def test_more_comparisons_and_smaller_differences_need_more() -> None:
    assert needed(0.05, 0.02, comparisons=3) > needed(0.05, 0.02) > needed(0.05, 0.03)


@pytest.mark.parametrize(("rate", "difference"), [(0.5, 0), (0.9, 0.2), (-0.1, 0.2)])
def test_impossible_difference_is_refused(rate: float, difference: float) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        needed(rate, difference)


@pytest.mark.parametrize(("hits", "sent"), [(5, 4), (-1, 4), (0, -1)])
def test_impossible_counts_are_refused(hits: int, sent: int) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        arm(hits, sent)


def test_too_early_is_said_with_the_numbers_and_without_a_winner() -> None:
    found = verdict([arm(0, 40, "A"), arm(20, 40, "B")], decide_at=432)
    assert found.finding == Finding.TOO_EARLY
    assert found.text == "Too early to say: A 0 of 40, B 20 of 40. It is decided at 432 of each."
    assert found.winner == ""
    assert found.comparisons == ()


def test_one_arm_that_is_behind_is_too_early() -> None:
    found = verdict([arm(20, 432, "A"), arm(60, 431, "B")], decide_at=432)
    assert found.finding == Finding.TOO_EARLY


def test_winner_is_named_with_the_numbers() -> None:
    found = verdict([arm(22, 432, "A"), arm(48, 432, "B")], decide_at=432)
    assert (found.finding, found.winner) == (Finding.WINNER, "B")
    assert found.text.startswith("B is better: A 22 of 432, B 48 of 432.")
    (comparison,) = found.comparisons
    assert 0 < comparison.difference.low < 26 / 432 < comparison.difference.high
    assert comparison.p < LEVEL


def test_first_variant_may_win_too() -> None:
    found = verdict([arm(48, 432, "A"), arm(22, 432, "B")], decide_at=432)
    assert found.winner == "A"


def test_no_difference_is_said() -> None:
    found = verdict([arm(22, 432, "A"), arm(30, 432, "B")], decide_at=432)
    assert found.finding == Finding.NO_DIFFERENCE
    assert found.winner == ""
    assert "A 22 of 432, B 30 of 432" in found.text


def test_winner_of_three_is_better_than_both() -> None:
    low, high = arm(20, 500, "A"), arm(60, 500, "C")
    assert verdict([low, arm(22, 500, "B"), high], decide_at=500).winner == "C"
    # One that is better than the last only is no winner.
    assert verdict([low, arm(58, 500, "B"), high], decide_at=500).winner == ""


def test_more_than_the_decision_was_to_be_taken_on_is_refused() -> None:
    with pytest.raises(ValueError, match="B has more"):
        verdict([arm(20, 400, "A"), arm(60, 401, "B")], decide_at=400)


def test_one_variant_is_no_comparison() -> None:
    assert verdict([arm(20, 400)], decide_at=400).finding == Finding.NOTHING_TO_COMPARE


def test_looking_every_day_finds_no_more_winners_among_equals() -> None:
    """And it would, if whoever looks might decide: so this test can fail."""
    chance = random.Random(20261123)
    honest = peeking = 0
    rounds, days, a_day = 300, 20, 40
    for _ in range(rounds):
        arms = [[int(chance.random() < 0.1) for _ in range(days * a_day)] for _ in range(2)]
        looks = [
            [
                arm(sum(hits[: day * a_day]), day * a_day, name)
                for name, hits in zip("AB", arms, strict=True)
            ]
            for day in range(1, days + 1)
        ]
        found = [verdict(look, decide_at=days * a_day) for look in looks]
        assert {each.finding for each in found[:-1]} == {Finding.TOO_EARLY}
        honest += found[-1].finding == Finding.WINNER
        peeking += any(fisher(*look) <= LEVEL for look in looks)
    assert honest / rounds <= LEVEL
    assert peeking / rounds > 2 * LEVEL


def test_difference_that_is_there_is_mostly_found() -> None:
    chance, number = random.Random(7), needed(0.05, 0.05)
    found = 0
    for _ in range(200):
        hits = [sum(chance.random() < rate for _ in range(number)) for rate in (0.05, 0.1)]
        arms = [arm(each, number, name) for name, each in zip("AB", hits, strict=True)]
        found += verdict(arms, decide_at=number).winner == "B"
    # Four of five were planned; the exact test is a little stricter than the formula.
    assert 0.68 < found / 200 < 0.9


def test_even_split_is_trusted_and_an_odd_one_is_not() -> None:
    assert check_split([arm(0, 500, "A"), arm(0, 530, "B")]) is None
    warning = check_split([arm(0, 500, "A"), arm(0, 630, "B")])
    assert warning is not None
    assert warning.finding == Finding.SPLIT_IS_OFF
    assert "A 500, B 630" in warning.text


def test_split_follows_the_weights() -> None:
    assert check_split([arm(0, 900, "A", 9), arm(0, 100, "B", 1)]) is None
    assert check_split([arm(0, 900, "A", 1), arm(0, 100, "B", 1)])
    # What is not drawn any more says nothing of the split.
    assert check_split([arm(0, 500, "A"), arm(0, 510, "B"), arm(0, 9000, "C", 0)]) is None


def test_chance_of_a_split_is_exact() -> None:
    # By hand: ten of ten, or none, of a fair coin; twice, for the two variants.
    assert split_chance([arm(0, 10, "A"), arm(0, 0, "B")]) == pytest.approx(4 / 1024)
    assert split_chance([arm(0, 5, "A"), arm(0, 5, "B")]) == 1
    assert split_chance([arm(0, 5, "A")]) == 1
    chances = [split_chance([arm(0, n, "A"), arm(0, 40 - n, "B")]) for n in range(21)]
    assert all(lower <= higher for lower, higher in pairwise(chances))


def test_verdict_is_in_the_language_of_the_reader() -> None:
    with translation.override("de"):
        found = verdict([arm(20, 400, "A"), arm(20, 400, "B")], decide_at=1000)
    assert "20" in found.text
    assert "1000" in found.text or "1.000" in found.text
