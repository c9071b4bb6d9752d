"""What numbers of sent and answered messages allow to say, and what not.

Pure. Whoever looks every day and stops as soon as a test says “significant” finds a winner among
equals several times as often as the test promises (Johari et al., "Peeking at A/B Tests", KDD
2017). So the number of messages at which a comparison is decided is set beforehand, the decision is
taken on exactly the first so many of each variant, and looking again later does not change it;
before that, intervals are shown, and no winner.

Sources: E. B. Wilson, JASA 22 (1927) 209–212; R. G. Newcombe, Statistics in Medicine 17 (1998)
857–872 (intervals of one rate) and 873–890 (of differences, his method 10); S. Holm, Scandinavian
Journal of Statistics 6 (1979) 65–70.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from statistics import NormalDist
from typing import NamedTuple

from django.utils.formats import number_format
from django.utils.translation import gettext as _

CONFIDENCE = 0.95
# Of comparisons between equals, how many may name a winner.
LEVEL = 1 - CONFIDENCE
# Of real differences of the planned size, how many are found.
POWER = 0.8
# A split of a variant that is as unlikely as this comes from a fault.
SUSPICIOUS = 0.001
Z = NormalDist().inv_cdf(1 - LEVEL / 2)
# Tables whose chances differ by less than this are equally likely: the sums are of doubles.
SAME = 1e-7


class Interval(NamedTuple):
    """Where a rate or a difference of rates lies, with a confidence of 95 %."""

    low: float
    high: float


@dataclass(frozen=True)
class Arm:
    """A variant and what came of it.

    Attributes:
        name: such as "A".
        sent: messages whose answers could have come by now.
        hits: those that were answered (or whatever is counted), each once.
        weight: its share in the split, beside those of the others; 0: it is not drawn any more.
    """

    name: str
    sent: int
    hits: int
    weight: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.sent:
            raise ValueError(f"{self.name}: {self.hits} of {self.sent} cannot be.")

    @property
    def rate(self) -> float | None:
        """From 0 to 1; None where nothing was sent."""
        return self.hits / self.sent if self.sent else None


class Finding(StrEnum):
    """What a comparison says."""

    NOTHING_TO_COMPARE = "nothing_to_compare"
    SPLIT_IS_OFF = "split_is_off"
    TOO_EARLY = "too_early"
    NO_DIFFERENCE = "no_difference"
    WINNER = "winner"


@dataclass(frozen=True)
class Comparison:
    """Two variants side by side.

    Attributes:
        difference: of the rates, second minus first.
        p: how often chance alone shows so much between equals, two-sided; as Fisher's exact test
            has it, and corrected by Holm's method where there are several pairs.
    """

    first: Arm
    second: Arm
    difference: Interval
    p: float


@dataclass(frozen=True)
class Verdict:
    """What a comparison says, in words that hold.

    Attributes:
        winner: the name of the variant that is better than every other one, or empty.
        text: with all numbers in it, in the language of the reader.
        comparisons: what it rests on; empty before the decision.
    """

    finding: Finding
    text: str
    winner: str = ""
    comparisons: tuple[Comparison, ...] = ()


def wilson(hits: int, sent: int) -> Interval:
    """The interval of a rate; everything is possible where nothing was sent."""
    if sent == 0:
        return Interval(0.0, 1.0)
    rate, square = hits / sent, Z * Z
    centre = rate + square / (2 * sent)
    reach = Z * math.sqrt(rate * (1 - rate) / sent + square / (4 * sent * sent))
    scale = 1 + square / sent
    # Exactly at the ends, where doubles would miss them by a hair.
    low = 0.0 if hits == 0 else (centre - reach) / scale
    high = 1.0 if hits == sent else (centre + reach) / scale
    return Interval(low, high)


def newcombe(first: Arm, second: Arm) -> Interval:
    """The interval of the difference of two rates, second minus first."""
    if first.rate is None or second.rate is None:
        return Interval(-1.0, 1.0)
    own, other = wilson(second.hits, second.sent), wilson(first.hits, first.sent)
    difference = second.rate - first.rate
    return Interval(
        difference - math.hypot(second.rate - own.low, other.high - first.rate),
        difference + math.hypot(own.high - second.rate, first.rate - other.low),
    )


def fisher(first: Arm, second: Arm) -> float:
    """The two-sided p of Fisher's exact test: the chance of all tables that are no likelier."""
    hits, sent = first.hits + second.hits, first.sent + second.sent
    all_tables = _log_choose(sent, hits)

    def chance(own: int) -> float:
        ways = _log_choose(first.sent, own) + _log_choose(second.sent, hits - own)
        return math.exp(ways - all_tables)

    seen = chance(first.hits) * (1 + SAME)
    possible = range(max(0, hits - second.sent), min(hits, first.sent) + 1)
    return min(1.0, math.fsum(p for p in map(chance, possible) if p <= seen))


def holm(ps: Sequence[float]) -> list[float]:
    """The p of each of several comparisons, so that all of them together keep their level."""
    corrected = [0.0] * len(ps)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[place]))
        corrected[place] = highest
    return corrected


def needed(rate: float, difference: float, comparisons: int = 1) -> int:
    """How many of each variant it takes to see a difference, in four of five cases in which it is.

    Args:
        rate: of the lesser variant, from 0 to 1.
        difference: of the better one to it, above 0; both together are below 1.
        comparisons: pairs of variants, each at a stricter level.
    """
    better = rate + difference
    if not (0 <= rate < better <= 1):
        raise ValueError(f"A rate of {rate} and {difference} more cannot be.")
    normal = NormalDist()
    reach = normal.inv_cdf(1 - LEVEL / comparisons / 2) + normal.inv_cdf(POWER)
    spread = rate * (1 - rate) + better * (1 - better)
    return math.ceil(reach**2 * spread / difference**2)


def split_chance(arms: Sequence[Arm]) -> float:
    """How often chance alone splits as unevenly: the smallest exact binomial p of any variant,
    corrected for their number."""
    drawn = [arm for arm in arms if arm.weight]
    sent, weights = sum(arm.sent for arm in drawn), sum(arm.weight for arm in drawn)
    if sent == 0 or len(drawn) < 2:
        return 1.0
    return min(holm([_binomial(arm.sent, sent, arm.weight / weights) for arm in drawn]))


def verdict(arms: Sequence[Arm], decide_at: int) -> Verdict:
    """What may be said of some variants.

    Args:
        arms: of each variant the first `decide_at` messages that could have been answered by now,
            in the order in which they were sent, or fewer where there are not so many.
        decide_at: set before the first message went out; `needed` proposes it.

    Raises:
        ValueError: an arm has more than `decide_at`: whoever chooses when to stop, chooses the
            winner.
    """
    if over := [arm.name for arm in arms if arm.sent > decide_at]:
        raise ValueError(f"{over[0]} has more messages than the decision was to be taken on.")
    if len(arms) < 2:
        return Verdict(Finding.NOTHING_TO_COMPARE, _("One variant is sent: nothing to compare."))
    if any(arm.sent < decide_at for arm in arms):
        return Verdict(Finding.TOO_EARLY, _too_early(arms, decide_at))
    return _decide(arms)


def check_split(arms: Sequence[Arm]) -> Verdict | None:
    """A warning where the variants were not sent as often as their weights say; else None.

    Args:
        arms: with everything that was sent, not with the first so many of each.
    """
    if split_chance(arms) >= SUSPICIOUS:
        return None
    counts = ", ".join(_("%(name)s %(sent)s") % _words(arm) for arm in arms)
    text = _("The split is off (%(counts)s): do not trust a comparison of these.")
    return Verdict(Finding.SPLIT_IS_OFF, text % {"counts": counts})


def _decide(arms: Sequence[Arm]) -> Verdict:
    pairs = list(combinations(arms, 2))
    ps = holm([fisher(*pair) for pair in pairs])
    comparisons = tuple(
        Comparison(first, second, newcombe(first, second), p)
        for (first, second), p in zip(pairs, ps, strict=True)
    )
    for arm in arms:
        own = [_as_seen_by(arm, each) for each in comparisons if arm in (each.first, each.second)]
        if all(p <= LEVEL and difference.low > 0 for difference, p in own):
            return Verdict(Finding.WINNER, _winner(arm, arms), arm.name, comparisons)
    text = _("No difference that chance could not make: %(counts)s.")
    return Verdict(Finding.NO_DIFFERENCE, text % {"counts": _counts(arms)}, comparisons=comparisons)


def _as_seen_by(arm: Arm, comparison: Comparison) -> tuple[Interval, float]:
    low, high = comparison.difference
    own = comparison.difference if arm is comparison.second else Interval(-high, -low)
    return own, comparison.p


def _too_early(arms: Sequence[Arm], decide_at: int) -> str:
    text = _("Too early to say: %(counts)s. It is decided at %(decide_at)s of each.")
    return text % {"counts": _counts(arms), "decide_at": number_format(decide_at)}


def _winner(winner: Arm, arms: Sequence[Arm]) -> str:
    text = _(
        "%(name)s is better: %(counts)s. Between equals, chance alone names a winner in one of"
        " twenty such comparisons."
    )
    return text % {"name": winner.name, "counts": _counts(arms)}


def _counts(arms: Sequence[Arm]) -> str:
    return ", ".join(_("%(name)s %(hits)s of %(sent)s") % _words(arm) for arm in arms)


def _words(arm: Arm) -> dict[str, str]:
    return {
        "name": arm.name,
        "hits": number_format(arm.hits),
        "sent": number_format(arm.sent),
    }


def _binomial(hits: int, tries: int, chance: float) -> float:
    """The two-sided p of so many hits: the chance of all numbers that are no likelier."""

    def likelihood(number: int) -> float:
        ways = _log_choose(tries, number)
        rest = tries - number
        return math.exp(ways + number * math.log(chance) + rest * math.log1p(-chance))

    seen = likelihood(hits) * (1 + SAME)
    return min(1.0, math.fsum(p for p in map(likelihood, range(tries + 1)) if p <= seen))


def _log_choose(total: int, chosen: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(chosen + 1) - math.lgamma(total - chosen + 1)
