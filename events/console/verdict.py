"""Is it fine, since when not, and whose fault is it? Pure decisions over what the page has read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from events import rates
from events.breakers import BreakerState
from events.circuit import CircuitState
from events.health import FEWEST_FAILURES, Limit
from events.models import HandlerPause
from events.rates import Rate, Rates

# So far back failures count against a handler, and for so long nobody is at work who could be.
WINDOW = timedelta(minutes=10)
SILENCE = timedelta(minutes=2)
# What is healthy where the settings say nothing that can be read.
WAIT, FAILURE_RATE = Limit(60, {"external": 300}), Limit(0.1)

BAD, BUSY, QUIET, GOOD = "failed", "pending", "waiting", "succeeded"
"""Tones of the page, see `data-status` in admin.css."""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        culprit: whose fault it is: a handler, a service, the workers, or a person.
        text: a sentence for people.
        handler: the handler that it is about, if it is about one.
        event_id: the event that it is about, if it is about one.
    """

    tone: str
    culprit: str
    text: str
    since: datetime | None = None
    handler: str = ""
    event_id: Any = None


@dataclass(frozen=True)
class Situation:
    """What is known when the verdict is given.

    Attributes:
        now: the database's time.
        minutes: handler → its rates in the minutes of the last hour; `hours`, in those of a day.
        oldest_due: when the oldest event that is due became so; `oldest_id` is its id.
        calls_due: external handler → when its oldest delivery that is due became so.
        failed: how many events failed and wait for somebody, in words; "0" for none.
        wait: seconds that may be waited, by queue; `failure_rate`, shares by handler.
    """

    now: datetime
    minutes: Rates = field(default_factory=dict)
    hours: Rates = field(default_factory=dict)
    oldest_due: datetime | None = None
    oldest_id: Any = None
    calls_due: Mapping[str, datetime] = field(default_factory=dict)
    breakers: Sequence[BreakerState] = ()
    pauses: Sequence[HandlerPause] = ()
    failed: str = "0"
    wait: Limit = field(default=WAIT)
    failure_rate: Limit = field(default=FAILURE_RATE)


@dataclass(frozen=True)
class Verdict:
    """The line on top of the page, and what stands below it.

    Attributes:
        since: since when it is not fine, if it is not.
    """

    tone: str
    text: str
    since: datetime | None
    findings: list[Finding]


def judge(situation: Situation) -> Verdict:
    """The worst comes first; where nothing is bad, what needs somebody's attention."""
    findings = list(_findings(situation))
    bad = [finding for finding in findings if finding.tone == BAD]
    if bad:
        since = min((finding.since for finding in bad if finding.since), default=None)
        culprits = ", ".join(dict.fromkeys(finding.culprit for finding in bad))
        return Verdict(BAD, _("Not fine: %(culprits)s.") % {"culprits": culprits}, since, findings)
    if findings:
        return Verdict(BUSY, _("Fine, but something waits for you."), None, findings)
    return Verdict(GOOD, _("All is well."), None, [])


def _findings(situation: Situation) -> Iterator[Finding]:
    broken = {state.key: state for state in situation.breakers if is_broken(state)}
    yield from map(_broken, broken.values())
    yield from _failing(situation, broken)
    yield from _standing_still(situation)
    paused = {pause.handler for pause in situation.pauses}
    yield from _late_calls(situation, paused | broken.keys())
    yield from map(_paused, situation.pauses)
    if situation.failed != "0":
        text = _("%(count)s failed events wait for a replay.") % {"count": situation.failed}
        yield Finding(BUSY, "", text)


def is_broken(state: BreakerState) -> bool:
    """Whether the circuit keeps calls from its service."""
    return state.state != CircuitState.CLOSED


def _broken(state: BreakerState) -> Finding:
    text = _("The service that %(handler)s calls does not answer: its circuit is open.")
    culprit = _("the service behind %(handler)s") % {"handler": state.key}
    return Finding(BAD, culprit, text % {"handler": state.key}, state.since, state.key)


# --- Handlers that fail -------------------------------------------------------------------------


def _failing(situation: Situation, but: Iterable[str]) -> Iterator[Finding]:
    known = set(but)
    for name, minutes in sorted(situation.minutes.items()):
        recent = rates.since(minutes, situation.now - WINDOW)
        limit = situation.failure_rate.of(name)
        if name in known or recent.broken < FEWEST_FAILURES or recent.share <= limit:
            continue
        text = _("%(handler)s failed %(percent)s %% of its attempts in the last ten minutes.")
        values = {"handler": name, "percent": percent(recent.share)}
        since = failing_since(minutes, situation.hours.get(name, []), limit)
        yield Finding(BAD, _("handler %(handler)s") % values, text % values, since, name)


def failing_since(minutes: Sequence[Rate], hours: Sequence[Rate], limit: float) -> datetime | None:
    """When a handler's failures began, to the minute within the last hour, else to the hour.

    Where the very last minutes went well, it is the first bad one of the hour.
    """
    began = rates.broken_since(minutes, limit)
    if began is None:
        return next((rate.starts_at for rate in minutes if rate.share > limit), None)
    before = [rate for rate in hours if rate.starts_at + timedelta(hours=1) <= began]
    earlier = rates.broken_since(before, limit) if began == minutes[0].starts_at else None
    return earlier or began


def percent(share: float) -> str:
    """A share in per cent, with as many digits as say something."""
    value = 100 * share
    if 0 < value < 0.05:
        return f"<{number_format(0.1, 1)}"
    digits = 0 if value >= 10 or value == round(value) else 1
    return number_format(round(value, digits), digits)


# --- What waits too long ------------------------------------------------------------------------


def _standing_still(situation: Situation) -> Iterator[Finding]:
    due, now = situation.oldest_due, situation.now
    if due is None or (now - due).total_seconds() <= situation.wait.of("events"):
        return
    values = {"wait": span(now - due)}
    last = _last_sign(situation)
    if last is None or now - last > SILENCE:
        text = _("Nobody settles events: the oldest has been due for %(wait)s.") % values
        yield Finding(BAD, _("no worker is at work"), text, due, event_id=situation.oldest_id)
    else:
        text = _("The workers do not keep up: the oldest event has been due for %(wait)s.")
        culprit = _("too few workers, or slow handlers")
        yield Finding(BAD, culprit, text % values, due, event_id=situation.oldest_id)


def _last_sign(situation: Situation) -> datetime | None:
    """The end of the last minute in which a handler ran."""
    minutes = [minute for listed in situation.minutes.values() for minute in listed]
    last = max((minute.starts_at for minute in minutes), default=None)
    return last + timedelta(minutes=1) if last else None


def _late_calls(situation: Situation, but: Iterable[str]) -> Iterator[Finding]:
    known, limit = set(but), situation.wait.of("external")
    for name, due in situation.calls_due.items():
        waited = situation.now - due
        if name not in known and waited.total_seconds() > limit:
            values = {"handler": name, "wait": span(waited)}
            text = _("Calls of %(handler)s have been due for %(wait)s.") % values
            culprit = _("too few external workers for %(handler)s") % values
            yield Finding(BAD, culprit, text, due, name)


def _paused(pause: HandlerPause) -> Finding:
    who = str(pause.actor) if pause.actor else _("somebody")
    values = {"handler": pause.handler, "who": who, "reason": pause.reason}
    text = _("%(handler)s is paused by %(who)s: %(reason)s") % values
    return Finding(BUSY, who, text, pause.paused_at, pause.handler)


def span(length: timedelta) -> str:
    """A time in its two largest units."""
    seconds = max(0, int(length.total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 60:
        return _("%(seconds)d s") % {"seconds": seconds}
    if minutes < 60:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": seconds % 60}
    if hours < 24:
        return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes % 60}
    return _("%(days)d d %(hours)d h") % {"days": days, "hours": hours % 24}
