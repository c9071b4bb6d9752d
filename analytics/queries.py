"""What reads facts: the funnel of a pipeline."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Aggregate, Count, DurationField, F, QuerySet, Sum
from django.db.models.functions import Coalesce

from analytics.models import LeadFact, StageEntry
from leads.models import Outcome, Pipeline, Stage
from salesflow.accounts.context import current_tenant

Money = Mapping[str, Decimal]
"""Currency → amount: amounts in different currencies are never added."""


@dataclass
class Tally:
    """How many leads are open, won and lost, and what they are worth."""

    counts: Counter[str] = field(default_factory=Counter)
    values: dict[tuple[str, str], Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def add(self, outcome: str, leads: int, currency: str, value: Decimal) -> None:
        """Count leads of one outcome and currency."""
        self.counts[outcome] += leads
        self.values[outcome, currency] += value

    def include(self, other: Tally) -> None:
        """Count what another tally has counted."""
        self.counts.update(other.counts)
        for key, value in other.values.items():
            self.values[key] += value

    def worth(self, *outcomes: str) -> Money:
        """The value of the leads of some outcomes."""
        money: dict[str, Decimal] = defaultdict(Decimal)
        for (outcome, currency), value in sorted(self.values.items()):
            if value and outcome in outcomes:
                money[currency] += value
        return dict(money)

    open = property(lambda self: self.counts[Outcome.OPEN])
    won = property(lambda self: self.counts[Outcome.WON])
    lost = property(lambda self: self.counts[Outcome.LOST])
    open_value = property(lambda self: self.worth(Outcome.OPEN))
    won_value = property(lambda self: self.worth(Outcome.WON))
    lost_value = property(lambda self: self.worth(Outcome.LOST))
    value = property(lambda self: self.worth(*Outcome.values))

    @property
    def leads(self) -> int:
        """How many leads there are."""
        return self.counts.total()

    @property
    def win_rate(self) -> float | None:
        """The share of the closed deals that were won, 0 to 1; None when none was closed."""
        return _share(self.won, self.won + self.lost)


@dataclass
class SourceTally(Tally):
    """The leads of one source."""

    source: str = ""


@dataclass(frozen=True)
class Step:
    """A stage of the funnel.

    Attributes:
        reached: leads that came at least this far; into a stage that closes, those that are in it.
        current: leads that are in it now.
        conversion_step: share of those who reached the step before, 0 to 1.
        conversion_overall: share of all leads, 0 to 1.
        median_time: of the stays in it that have ended.
    """

    stage: Stage
    reached: int
    current: Tally
    conversion_step: float | None
    conversion_overall: float | None
    median_time: timedelta | None


@dataclass(frozen=True)
class Funnel:
    """What became of the leads that came into a pipeline in a range of days.

    Attributes:
        sources: the largest first.
        median_time_to_win: from the lead's creation to the won deal.
    """

    pipeline: Pipeline
    since: date | None
    until: date | None
    totals: Tally
    steps: list[Step]
    sources: list[SourceTally]
    median_time_to_win: timedelta | None


def funnel(pipeline: Pipeline, since: date | None = None, until: date | None = None) -> Funnel:
    """The funnel of the leads that are in `pipeline` and came in from `since` to `until`.

    Args:
        pipeline: of the current tenant, with its stages loaded (`leads.queries.pipelines`).
        since: the first day, in the tenant's time zone; None for no bound.
        until: the last day.
    """
    facts = _facts(pipeline, since, until)
    ways = _ways(facts)
    totals = Tally()
    for way in ways:
        totals.include(way.tally)
    return Funnel(
        pipeline=pipeline,
        since=since,
        until=until,
        totals=totals,
        steps=_steps(list(pipeline.stages.all()), ways, _median_times(pipeline, facts)),
        sources=_sources(facts),
        median_time_to_win=_median_time_to_win(facts),
    )


def _facts(pipeline: Pipeline, since: date | None, until: date | None) -> QuerySet[LeadFact]:
    """The facts that count; one without a date waits for the event of its creation."""
    zone = ZoneInfo(current_tenant().time_zone)
    facts = LeadFact.objects.filter(
        pipeline_id=pipeline.id, deleted_at=None, created_at__isnull=False
    )
    if since:
        facts = facts.filter(created_at__gte=datetime.combine(since, time.min, zone))
    if until:
        facts = facts.filter(created_at__lte=datetime.combine(until, time.max, zone))
    return facts  # type: ignore[no-any-return]


# --- By stage -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """Leads that are in the same stage and came equally far before."""

    stage_id: UUID
    furthest_stage_id: UUID | None
    outcome: str
    tally: Tally


def _ways(facts: QuerySet[LeadFact]) -> list[Way]:
    ways = []
    for group in _grouped(facts, "stage_id", "furthest_stage_id"):
        tally = Tally()
        tally.add(group["outcome"], group["leads"], group["currency"], group["worth"])
        ways.append(Way(group["stage_id"], group["furthest_stage_id"], group["outcome"], tally))
    return ways


def _grouped(facts: QuerySet[LeadFact], *by: str) -> QuerySet[LeadFact, dict[str, Any]]:
    groups: QuerySet[LeadFact, dict[str, Any]] = facts.values(*by, "outcome", "currency")
    return groups.annotate(leads=Count("*"), worth=Coalesce(Sum("value"), Decimal()))


def _steps(
    stages: Sequence[Stage], ways: Iterable[Way], times: Mapping[UUID, timedelta]
) -> list[Step]:
    open_stages = [stage for stage in stages if stage.kind == Outcome.OPEN]
    reached = _reached([stage.id for stage in open_stages], ways)
    current: dict[UUID, Tally] = defaultdict(Tally)
    for way in ways:
        current[way.stage_id].include(way.tally)
    leads = sum(tally.leads for tally in current.values())
    steps, before = [], leads
    for stage in stages:
        here = reached[stage.id] if stage.kind == Outcome.OPEN else current[stage.id].leads
        steps.append(
            Step(
                stage=stage,
                reached=here,
                current=current[stage.id],
                conversion_step=None if stage.kind == Outcome.LOST else _share(here, before),
                conversion_overall=_share(here, leads),
                median_time=times.get(stage.id),
            )
        )
        before = here if stage.kind == Outcome.OPEN else before
    return steps


def _reached(open_stages: Sequence[UUID], ways: Iterable[Way]) -> dict[UUID, int]:
    """Open stage → leads that came at least this far.

    A won deal passed them all, however it was entered; whoever was in none passed the first.
    """
    places = {stage_id: place for place, stage_id in enumerate(open_stages)}
    furthest: Counter[int] = Counter()
    for way in ways:
        place = max(places.get(way.stage_id, 0), places.get(way.furthest_stage_id, 0))  # type: ignore[arg-type]
        won = way.outcome == Outcome.WON
        furthest[len(places) - 1 if won else place] += way.tally.leads
    return {
        stage_id: sum(leads for far, leads in furthest.items() if far >= place)
        for stage_id, place in places.items()
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


# --- By source ----------------------------------------------------------------------------------


def _sources(facts: QuerySet[LeadFact]) -> list[SourceTally]:
    tallies: dict[str, SourceTally] = {}
    for group in _grouped(facts, "source"):
        tally = tallies.setdefault(group["source"], SourceTally(source=group["source"]))
        tally.add(group["outcome"], group["leads"], group["currency"], group["worth"])
    return sorted(tallies.values(), key=lambda tally: (-tally.leads, tally.source))


# --- Time ---------------------------------------------------------------------------------------


class Median(Aggregate):
    """The middle value of an expression, between two neighbours where there is no middle one."""

    name = "median"
    template = "PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = DurationField()


def _median_times(pipeline: Pipeline, facts: QuerySet[LeadFact]) -> dict[UUID, timedelta]:
    """Stage → median time that the leads spent in it before they left it."""
    stays = StageEntry.objects.filter(
        pipeline_id=pipeline.id, left_at__isnull=False, lead_id__in=facts.values("lead_id")
    )
    times = stays.values("stage_id").annotate(median=Median(F("left_at") - F("entered_at")))
    return dict(times.values_list("stage_id", "median"))


def _median_time_to_win(facts: QuerySet[LeadFact]) -> timedelta | None:
    won = facts.filter(outcome=Outcome.WON)
    median: timedelta | None = won.aggregate(median=Median(F("closed_at") - F("created_at")))[
        "median"
    ]
    return median
