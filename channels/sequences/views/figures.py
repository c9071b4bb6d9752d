"""Statistics as a page shows them: shares with their intervals, in percent."""

from dataclasses import dataclass
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from channels.sequences.significance import Interval
from channels.sequences.statistics import TRACKED, Counts, Statistics, StepFigures
from channels.sequences.views.steps_shown import summary_of

# What a page shows of each step and text, beside what was sent.
SHOWN = ("delivered", "opened", "clicked", "replied", "won", "unsubscribed")


@dataclass(frozen=True)
class Cell:
    """One figure: how many, and what share of those of whom it would be known."""

    name: str
    count: str
    share: str


@dataclass(frozen=True)
class Line:
    """A step, or one of its texts.

    Attributes:
        reply_percent: for a meter, from 0 to 100; None where nothing was sent.
        reply_range: where the share of those who reply lies, in words.
    """

    label: str
    icon: str
    sent: str
    cells: list[Cell]
    reply_percent: float | None
    reply_range: str


def rows_of(found: Statistics) -> list[dict[str, Any]]:
    """Each step that sends something, with its texts and what may be said of them."""
    return [
        {
            "line": _line(step.counts, *_label(step)),
            "variants": [
                _line(each.counts, each.label, "")
                for each in step.variants
                if len(step.variants) > 1
            ],
            "verdict": step.verdict,
            "warning": step.warning,
            "since": step.since,
        }
        for step in found.steps
        if step.variants
    ]


def percent(share: float | None) -> str:
    """A share in percent, such as "12.5 %"; a dash where there is none."""
    if share is None:
        return "–"
    return _("%(number)s %%") % {"number": _hundredths(share)}


def range_in_words(found: Interval) -> str:
    """From how much to how much percent."""
    low, high = map(_hundredths, found)
    return _("%(low)s to %(high)s %%") % {"low": low, "high": high}


def _hundredths(share: float) -> str:
    # What is only formatted is cut off, not rounded.
    return number_format(round(share * 100, 1), 1)


def _label(step: StepFigures) -> tuple[str, str]:
    summary = summary_of(step.step)
    return f"{step.number}. {summary.title}", summary.icon


def _line(counts: Counts, label: str, icon: str) -> Line:
    replied = counts.share("replied")
    return Line(
        label=label,
        icon=icon,
        sent=number_format(counts.sent),
        cells=[_cell(counts, name) for name in SHOWN],
        reply_percent=None if replied is None else round(replied * 100, 1),
        reply_range=range_in_words(counts.reply_rate) if counts.sent else "",
    )


def _cell(counts: Counts, name: str) -> Cell:
    count = number_format(getattr(counts, name))
    if name not in TRACKED:
        return Cell(name, count, percent(counts.share(name)))
    if not counts.tracked:
        # Nobody looked: that is not nought.
        return Cell(name, "", percent(None))
    of = _("%(count)s of %(tracked)s") % {"count": count, "tracked": number_format(counts.tracked)}
    return Cell(name, of, percent(counts.share(name)))
