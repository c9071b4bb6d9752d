"""Charts of rates: how much went through, and which share of it failed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils import timezone
from django.utils.translation import gettext as _

from events.console.addresses import list_urls
from events.console.charts import Bars, Column, bars
from events.console.verdict import percent
from events.models import EventStatus, Tally
from events.rates import LENGTHS, Rate
from events.selections import Selection


@dataclass(frozen=True)
class Chart:
    """A drawing with its words.

    Attributes:
        total: all columns together, in words.
        top: the value at the upper edge, in words.
        first: the time at the left edge; `last`, that of the last column.
    """

    title: str
    total: str
    top: str
    bars: Bars
    first: datetime
    last: datetime


def throughput(title: str, listed: Sequence[Rate], span: str, **narrowed: str) -> Chart:
    """What went well and what failed, stacked, for each minute or hour.

    Args:
        listed: one rate for each, the oldest first.
        span: see `Tally.Span`.
        narrowed: what else the list behind a column is narrowed by, see `Selection`.
    """

    def values(rate: Rate) -> dict[str, float]:
        return {"failed": rate.broken, "processed": rate.succeeded}

    drawing = bars(_columns(listed, values, span, narrowed))
    total = sum(rate.tried for rate in listed)
    text = _("%(count)s in all") % {"count": intcomma(total)}
    return _chart(title, text, intcomma(int(drawing.top)), drawing, listed)


def failures(title: str, listed: Sequence[Rate], span: str, **narrowed: str) -> Chart:
    """The share of the attempts that failed, in per cent; see `throughput`."""

    def values(rate: Rate) -> dict[str, float]:
        return {"failed": 100 * rate.share}

    columns = _columns(listed, values, span, {**narrowed, "status": EventStatus.FAILED})
    # Of the smallest shares nothing would be seen in a drawing that goes up to 100 %.
    highest = max((100 * rate.share for rate in listed), default=0.0)
    drawing = bars(columns, top=next(top for top in (5.0, 20.0, 50.0, 100.0) if top >= highest))
    broken, tried = sum(r.broken for r in listed), sum(r.tried for r in listed)
    text = _("%(percent)s %% in all") % {"percent": percent(broken / tried if tried else 0.0)}
    return _chart(title, text, f"{drawing.top:.0f} %", drawing, listed)


def _chart(title: str, total: str, top: str, drawing: Bars, listed: Sequence[Rate]) -> Chart:
    return Chart(title, total, top, drawing, listed[0].starts_at, listed[-1].starts_at)


def _columns(
    listed: Sequence[Rate],
    values: Callable[[Rate], dict[str, float]],
    span: str,
    narrowed: dict[str, Any],
) -> list[Column]:
    urls = _behind(listed, LENGTHS[Tally.Span(span)], narrowed)
    return [
        Column(values(rate), _title(rate), url if rate.tried else "")
        for rate, url in zip(listed, urls, strict=True)
    ]


def _title(rate: Rate) -> str:
    values = {
        "time": timezone.localtime(rate.starts_at).strftime("%H:%M"),
        "good": intcomma(rate.succeeded),
        "bad": intcomma(rate.broken),
        "percent": percent(rate.share),
    }
    return _("%(time)s: %(good)s went well, %(bad)s failed (%(percent)s %%)") % values


def _behind(listed: Sequence[Rate], length: timedelta, narrowed: dict[str, Any]) -> list[str]:
    """The lists of the events that were recorded in each of those times."""
    windows = ((rate.starts_at, rate.starts_at + length) for rate in listed)
    return list_urls(Selection(**narrowed), windows)
