"""Charts: from numbers to the elements of SVG, nothing else.

A chart is as wide as it has columns and 100 high; the page stretches it. What a column means stands
in its title, so that a mouse, a screen reader and a test find the numbers that were drawn.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.utils.html import escape
from django.utils.safestring import SafeString

HEIGHT, SPARK = 100.0, 20.0
# Of a column's width: the rest keeps it from its neighbour.
FILLED = 0.8
# So high is what is not nothing: one failure among a million has to be seen.
LEAST = 2.0


@dataclass(frozen=True)
class Rect:
    """A rectangle, from its upper left corner."""

    x: float
    y: float
    width: float
    height: float
    status: str = ""

    @property
    def svg(self) -> str:
        """The element; a status is one of ours."""
        return (
            f'<rect data-status="{self.status}" x="{self.x}" y="{self.y}" '
            f'width="{self.width}" height="{self.height}"></rect>'
        )


@dataclass(frozen=True)
class Column:
    """What a chart shows of one moment.

    Attributes:
        values: status → number, from the bottom upwards.
        title: the same in words.
        url: the list behind it, if there is one.
    """

    values: dict[str, float]
    title: str = ""
    url: str = ""


@dataclass(frozen=True)
class Bars:
    """Columns of stacked rectangles.

    Attributes:
        top: the value at the upper edge.
        columns: each with its rectangles, and with `hit`, which is as high as the chart, for the
            mouse.
    """

    top: float
    width: float
    columns: list["DrawnColumn"] = field(default_factory=list)

    height = HEIGHT


@dataclass(frozen=True)
class DrawnColumn:
    """One column of `Bars`."""

    title: str
    url: str
    hit: Rect
    rects: list[Rect]

    @property
    def svg(self) -> SafeString:
        """Its elements. A page has hundreds of columns, and a template takes many times as long."""
        drawn = (
            f'<rect class="event-hit" x="{self.hit.x}" y="0" width="1" height="{HEIGHT}"></rect>'
        )
        drawn += "".join(each.svg for each in self.rects)
        drawn = f"<title>{escape(self.title)}</title>{drawn}"
        if self.url:
            drawn = f'<a href="{escape(self.url)}" tabindex="-1">{drawn}</a>'
        else:
            drawn = f"<g>{drawn}</g>"
        return SafeString(drawn)


def bars(columns: Iterable[Column], top: float | None = None) -> Bars:
    """Stack the values of each column.

    Args:
        top: the value at the upper edge; by default a round one above the highest column.
    """
    listed = list(columns)
    highest = max((sum(column.values.values()) for column in listed), default=0.0)
    edge = top or round_up(highest)
    drawn = [_column(number, column, edge) for number, column in enumerate(listed)]
    return Bars(edge, float(len(listed)), drawn)


def _column(number: int, column: Column, top: float) -> DrawnColumn:
    rects, y, x = [], HEIGHT, round(number + (1 - FILLED) / 2, 2)
    for status, value in column.values.items():
        if value > 0:
            height = min(y, max(LEAST, round(HEIGHT * value / top, 2)))
            y = round(y - height, 2)
            rects.append(Rect(x, y, FILLED, height, status))
    return DrawnColumn(column.title, column.url, Rect(number, 0, 1, HEIGHT), rects)


def round_up(value: float) -> float:
    """The next number that is 1, 2 or 5 with zeros, from 1 on."""
    edge, factors = 1.0, (2.0, 2.5, 2.0)
    step = 0
    while edge < value:
        edge *= factors[step % 3]
        step += 1
    return edge


def sparkline(values: Sequence[float], *, top: float = 0.0) -> str:
    """The points of a polyline through the values, in a drawing 100 wide and 20 high.

    Args:
        top: the value at the upper edge; by default the highest. All zeros lie at the bottom.
    """
    edge, last = top or max([*values, 0.0]) or 1.0, max(1, len(values) - 1)
    return " ".join(
        f"{_short(HEIGHT * index / last)},{_short(SPARK * (1 - max(0.0, value) / edge))}"
        for index, value in enumerate(values)
    )


def _short(number: float) -> str:
    return f"{round(number, 2):g}"
