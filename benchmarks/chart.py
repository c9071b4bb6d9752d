"""A bar chart as SVG: plain shapes, readable on a light and on a dark page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, LABEL, FIGURE = 860, 250, 90  # pixels: all of it, the names, the figures
ROW, BAR_HEIGHT, HEADING = 26, 16, 44
OURS, OTHERS, INK, PAPER = "#0b6074", "#8e9da2", "#12181b", "#ffffff"


@dataclass(frozen=True)
class Bar:
    """One bar: its name and its events a second."""

    name: str
    value: float
    is_ours: bool


def chart_of(groups: Mapping[str, Sequence[Bar]]) -> str:
    """The bars of each group under its heading, all on one scale."""
    most = max(bar.value for bars in groups.values() for bar in bars)
    parts, top = [], 0
    for heading, bars in groups.items():
        if bars:
            parts.append(_text(12, top + 28, heading, weight="600"))
            parts += [_bar(bar, top + HEADING + ROW * row, most) for row, bar in enumerate(bars)]
            top += HEADING + ROW * len(bars)
    height = top + 12
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="13" role="img">\n'
        "<title>Events a second, from the first publish to the last settled</title>\n"
        f'<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _bar(bar: Bar, top: int, most: float) -> str:
    length = max((WIDTH - LABEL - FIGURE) * bar.value / most, 1)
    colour = OURS if bar.is_ours else OTHERS
    middle = top + BAR_HEIGHT - 3
    return "\n".join(
        [
            _text(LABEL - 10, middle, bar.name, anchor="end"),
            f'<rect x="{LABEL}" y="{top}" width="{length:.1f}" height="{BAR_HEIGHT}" rx="2" '
            f'fill="{colour}"/>',
            _text(LABEL + length + 8, middle, f"{bar.value:,.0f}"),
        ]
    )


def _text(x: float, y: float, text: str, anchor: str = "start", weight: str = "400") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{INK}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )
