"""Measuring pages: both logs in turn, so that what else the machine does hits both."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median, quantiles

from benchmarks.console.stage import Visitor

# What a page may take, in milliseconds; beside the small log; what is nothing but noise.
MOST_MS, MOST_RATIO, NOISE_MS = 300.0, 1.3, 10.0
WARM_UP, BLOCKS = 3, 4
# A page that misses is measured again: what else runs only ever adds to a time.
TRIALS = 3


@dataclass(frozen=True)
class Times:
    """What the requests of a page took at one log, in milliseconds."""

    p50: float
    p95: float

    @classmethod
    def of(cls, milliseconds: list[float]) -> "Times":
        """The percentiles of single requests."""
        return cls(median(milliseconds), quantiles(milliseconds, n=100, method="inclusive")[94])

    def better(self, other: "Times") -> "Times":
        """The one with the lower p95."""
        return min(self, other, key=lambda times: times.p95)


@dataclass(frozen=True)
class Measured:
    """A page to one person, at the small log and at the large one.

    Attributes:
        is_frozen: its work is as large as a selection, by intention: the ratio says nothing.
        queries: at the large log.
    """

    page: str
    who: str
    is_frozen: bool
    queries: int
    small: Times
    large: Times

    @property
    def ratio(self) -> float:
        """The large log's p95 beside the small one's."""
        return self.large.p95 / self.small.p95

    @property
    def is_within_noise(self) -> bool:
        """Whether the ratio is high only since both times are short."""
        return self.ratio > MOST_RATIO and self.large.p95 - self.small.p95 < NOISE_MS

    @property
    def misses(self) -> str:
        """What it misses; empty where it misses nothing."""
        if self.large.p95 >= MOST_MS:
            return f"{MOST_MS:.0f} ms"
        if self.ratio > MOST_RATIO and not (self.is_within_noise or self.is_frozen):
            return f"{MOST_RATIO:g} ×"
        return ""


def measure(
    small: Visitor,
    large: Visitor,
    requests: int,
    only: str = "",
    say: Callable[[str], object] = lambda text: None,
) -> Iterator[Measured]:
    """Measure every page that both logs have.

    Args:
        requests: how many of each page, at each log.
        only: pages whose name has this in it.
        say: is told of every page.
    """
    known, names = small.ask("names"), large.ask("names")
    for who, pages in names.items():
        for page, is_frozen in pages.items():
            if only in page and page in known[who]:
                found = _measure(small, large, who, page, is_frozen, requests)
                say(_line(found))
                yield found


def _measure(
    small: Visitor, large: Visitor, who: str, page: str, is_frozen: bool, requests: int
) -> Measured:
    asked = {"who": who, "page": page}
    for visitor in (small, large):
        visitor.ask("times", **asked, requests=WARM_UP)
    queries = len(large.ask("queries", **asked))
    best: tuple[Times, Times] | None = None
    for _trial in range(TRIALS):
        times = _in_turn(small, large, asked, requests)
        best = (best[0].better(times[0]), best[1].better(times[1])) if best else times
        found = Measured(page, who, is_frozen, queries, *best)
        if not found.misses:
            break
    return found


def _in_turn(
    small: Visitor, large: Visitor, asked: dict[str, str], requests: int
) -> tuple[Times, Times]:
    found: tuple[list[float], list[float]] = [], []
    for _block in range(BLOCKS):
        for visitor, times in zip((small, large), found, strict=True):
            times += visitor.ask("times", **asked, requests=-(-requests // BLOCKS))
    return Times.of(found[0]), Times.of(found[1])


def _line(found: Measured) -> str:
    times = f"{found.small.p95:7.1f} {found.large.p95:7.1f} {found.ratio:5.2f}"
    return f"{found.who:<10} {found.page:<48} {times} {found.misses}\n"
