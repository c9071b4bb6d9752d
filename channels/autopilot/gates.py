"""Whether a draft may go out without a person: one question after the other, each answered by code.

Pure. Nothing that a model says can open a gate: what it says of its topic can close one. All gates
are asked, so that people read every reason at once, and tests see what would have held it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels.autopilot.cleaning import SUSPICIOUS, Mark
from channels.autopilot.grounding import Kind, Report, Trust
from channels.autopilot.limits import Limits, Topic
from channels.autopilot.models import Mode

# What a cut, or a message that was not read to its end, leaves of the confidence.
AFTER_CUT = 0.5


class Flag(StrEnum):
    """What a person should know of a draft before they decide."""

    INSTRUCTS = "instructs"
    CUT = "cut"
    THEIRS = "theirs"
    PROMISE = "promise"
    MARKUP = "markup"
    FIRST_CONTACT = "first_contact"
    SHORTENED = "shortened"
    LANGUAGE = "language"
    UNCHECKED = "unchecked"


FLAGS: dict[str, str | Promise] = {
    Flag.INSTRUCTS: _("Their message tries to instruct the assistant"),
    Flag.CUT: _("Something was cut out that nobody has said"),
    Flag.THEIRS: _("Repeats what only they have said"),
    Flag.PROMISE: _("Promises something, or speaks of prices or contracts"),
    Flag.MARKUP: _("Links or pictures were taken out"),
    Flag.FIRST_CONTACT: _("Nobody of your team has written to them before"),
    Flag.SHORTENED: _("Only the beginning of a long message was read"),
    Flag.LANGUAGE: _("Written in another language than their message"),
    Flag.UNCHECKED: _("Written in a language whose claims are not checked in full"),
}


@dataclass(frozen=True)
class Situation:
    """All that decides.

    Attributes:
        now: in the tenant's time zone.
        sent_today: what went out without a person since the tenant's midnight.
        topic: what the model says it is.
        read: what was odd about the messages that the model has read.
        written: what was odd about what it wrote.
        is_first_contact: nobody of the team has written to the lead here.
        is_open: the deal can still be won.
        is_own_words: every sentence of it is one that the team has written. A model then chooses
            what is said, and invents nothing: who talks it into something gets our own words.
        is_other_language: they have written in another one.
        is_checked: it is surely in a language of which claims are known.
        deafness: why their answers do not reach us now, in words; empty: they do.
    """

    mode: Mode
    is_held: bool
    limits: Limits
    now: datetime
    sent_today: int
    topic: Topic
    read: frozenset[Mark]
    written: frozenset[Mark]
    report: Report
    is_first_contact: bool = False
    is_open: bool = True
    is_own_words: bool = False
    is_other_language: bool = False
    is_checked: bool = True
    deafness: str = ""


@dataclass(frozen=True)
class Gate:
    """A question and its answer; `why` is told where it is closed."""

    name: str
    is_open: bool
    why: str | Promise

    def as_json(self) -> dict[str, Any]:
        """For keeping with the run."""
        return {
            "gate": self.name,
            "open": self.is_open,
            "why": "" if self.is_open else str(self.why),
        }


def confidence(report: Report, read: frozenset[Mark]) -> float:
    """How sure we can be of a draft, from 0 to 1: the share of its claims that we say ourselves.

    The model's own opinion of it is not asked.
    """
    sure = report.share
    sure *= AFTER_CUT if report.cut else 1
    return sure * (AFTER_CUT if Mark.SHORTENED in read else 1)


def judge(situation: Situation) -> list[Gate]:
    """All gates: those that are always asked, and then those that the team sets."""
    return [
        *(Gate(*answer) for answer in _answers(situation)),
        *limit_gates(
            situation.limits,
            topic=situation.topic,
            is_first_contact=situation.is_first_contact,
            is_own_words=situation.is_own_words,
            sure=confidence(situation.report, situation.read),
        ),
    ]


def limit_gates(
    limits: Limits, *, topic: str, is_first_contact: bool, is_own_words: bool, sure: float
) -> list[Gate]:
    """The gates that a team sets for itself; asked again before anything goes out.

    Args:
        sure: from 0 to 1; see `confidence`.
    """
    is_known = limits.first_contact or not is_first_contact
    is_written = is_own_words or not limits.own_words
    unwritten = _("Not every sentence is one that your team has written.")
    is_sure = sure >= limits.least_confidence
    return [
        Gate("first_contact", is_known, FLAGS[Flag.FIRST_CONTACT]),
        Gate("topic", topic in limits.topics, _("The topic is not left to it.")),
        Gate("own_words", is_written, unwritten),
        Gate("confidence", is_sure, _("We are not sure enough of it.")),
    ]


def may_go(gates: Sequence[Gate]) -> bool:
    """Whether it may go out without a person."""
    return bool(gates) and all(gate.is_open for gate in gates)


def is_within_hours(limits: Limits, now: datetime) -> bool:
    """Whether it may send at this time of the tenant's day."""
    return now.weekday() in limits.weekdays and limits.opens <= now.time() < limits.closes


def _answers(seen: Situation) -> Iterator[tuple[str, bool, str | Promise]]:
    limits, suspicious = seen.limits, seen.read & SUSPICIOUS
    yield "held", not seen.is_held, _("The autopilot is held.")
    yield "mode", seen.mode == Mode.AUTO, _("A person has to approve here.")
    yield "deal", seen.is_open, _("The deal is closed.")
    yield "hears", not seen.deafness, seen.deafness
    yield "hours", is_within_hours(limits, seen.now), _("It is outside the hours.")
    yield "count", seen.sent_today < limits.per_day, _("Enough has gone out today.")
    yield "suspicion", not suspicious, FLAGS[Flag.INSTRUCTS]
    yield "whole", Mark.SHORTENED not in seen.read, FLAGS[Flag.SHORTENED]
    yield "plain", not seen.written, FLAGS[Flag.MARKUP]
    yield "language", not seen.is_other_language, FLAGS[Flag.LANGUAGE]
    # What the team has written itself needs no check.
    yield "checked", seen.is_own_words or seen.is_checked, FLAGS[Flag.UNCHECKED]
    yield "grounded", seen.report.is_clear, _("Not all of it is said by us.")
    yield "promises", not _promises(seen.report), FLAGS[Flag.PROMISE]


def flags_of(
    report: Report,
    *,
    read: frozenset[Mark],
    written: frozenset[Mark],
    is_first_contact: bool,
    is_other_language: bool = False,
    is_unchecked: bool = False,
) -> list[Flag]:
    """What people should know of a draft, the worst first."""
    theirs = any(each.trust is Trust.THEIRS for kept in report.judged if kept.is_kept
                 for each in kept.claims)  # fmt: skip
    found = {
        Flag.INSTRUCTS: bool(read & SUSPICIOUS),
        Flag.CUT: bool(report.cut),
        Flag.PROMISE: _promises(report),
        Flag.THEIRS: theirs,
        Flag.MARKUP: bool(written),
        Flag.FIRST_CONTACT: is_first_contact,
        Flag.SHORTENED: Mark.SHORTENED in read,
        Flag.LANGUAGE: is_other_language,
        Flag.UNCHECKED: is_unchecked,
    }
    return [flag for flag, is_so in found.items() if is_so]


def _promises(report: Report) -> bool:
    kept = (each for judged in report.judged if judged.is_kept for each in judged.claims)
    return any(each.claim.kind is Kind.PROMISE and each.trust is not Trust.OURS for each in kept)
