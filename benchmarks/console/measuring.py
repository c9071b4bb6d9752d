"""Measuring pages: both logs in turn, so that what else the machine does hits both."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median, quantiles

from benchmarks.console.stage import Visitor

# What a page may take, in milliseconds; beside the small log; what is nothing but noise.
MOST_MS, MOST_RATIO, NOISE_MS = 300.0, 1.3, 10.0
WARM_UP, BLOCKS = 3, 4
# An answer that is larger by this shows more rows than the small log has for it.
MORE = 1.1
# A page that misses is measured again: what else runs only ever adds to a time.
TRIALS = 3


@dataclass(frozen=True)
class Times:
    """What the requests of a page took at one log, in milliseconds.

    Attributes:
        p50: of the time until the answer; so is `p95`.
        work: the 95th percentile of the processor's time.
    """

    p50: float
    p95: float
    work: float

    @classmethod
    def of(cls, requests: list[tuple[float, float]]) -> "Times":
        """The percentiles of single requests: (until the answer, work)."""
        waited, worked = (list(each) for each in zip(*requests, strict=True))
        return cls(median(waited), _p95(waited), _p95(worked))

    def better(self, other: "Times") -> "Times":
        """The lower ones of both."""
        return Times(min(self.p50, other.p50), min(self.p95, other.p95), min(self.work, other.work))


def _p95(values: list[float]) -> float:
    return quantiles(values, n=100, method="inclusive")[94]


@dataclass(frozen=True)
class Measured:
    """A page to one person, at the small log and at the large one.

    Attributes:
        is_frozen: its work is as large as a selection, by intention: the ratio says nothing.
        queries: at the large log.
        shows_more: whether the small log has less to show there: the ratio says nothing either.
    """

    page: str
    who: str
    is_frozen: bool
    queries: int
    shows_more: bool
    small: Times
    large: Times

    @property
    def ratio(self) -> float:
        """The large log's beside the small one's: of the times, or of the work if that is lower."""
        return min(self.large.p95 / self.small.p95, self.large.work / self.small.work)

    @property
    def misses(self) -> str:
        """What it misses; empty where it misses nothing.

        What else runs on the machine adds to the time, not to the work: both have to miss.
        """
        waited = self._missed(self.small.p95, self.large.p95)
        return waited and self._missed(self.small.work, self.large.work)

    def _missed(self, small: float, large: float) -> str:
        if large >= MOST_MS:
            return f"{MOST_MS:.0f} ms"
        is_noise = large - small < NOISE_MS
        if large > MOST_RATIO * small and not (is_noise or self.is_frozen or self.shows_more):
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
    seen = [visitor.ask("examine", **asked) for visitor in (small, large)]
    queries = len(seen[1]["queries"])
    shows_more = seen[1]["size"] > MORE * seen[0]["size"]
    best: tuple[Times, Times] | None = None
    for _trial in range(TRIALS):
        times = _in_turn(small, large, asked, requests)
        best = (best[0].better(times[0]), best[1].better(times[1])) if best else times
        found = Measured(page, who, is_frozen, queries, shows_more, *best)
        if not found.misses:
            break
    return found


def _in_turn(
    small: Visitor, large: Visitor, asked: dict[str, str], requests: int
) -> tuple[Times, Times]:
    found: tuple[list[tuple[float, float]], list[tuple[float, float]]] = [], []
    for _block in range(BLOCKS):
        for visitor, times in zip((small, large), found, strict=True):
            times += visitor.ask("times", **asked, requests=-(-requests // BLOCKS))
    return Times.of(found[0]), Times.of(found[1])


def _line(found: Measured) -> str:
    waited = f"{found.small.p95:7.1f} {found.large.p95:7.1f}"
    times = f"{waited} {found.small.work:7.1f} {found.large.work:7.1f} {found.ratio:5.2f}"
    return f"{found.who:<10} {found.page:<48} {times} {found.misses}\n"
