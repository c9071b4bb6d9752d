"""Finds the stages that a file names, and adds to the pipeline those that it lacks."""

from collections.abc import Iterable
from uuid import UUID

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from leads.importing.report import ImportRefused
from leads.models import Outcome, Pipeline, Stage
from leads.queries import default_pipeline, pipelines
from leads.services import DEFAULT_STAGES

CLOSING_NAMES = {
    Outcome.WON: ("won", "closed won", "deal won", "gewonnen", "abgeschlossen und gewonnen"),
    Outcome.LOST: ("lost", "closed lost", "deal lost", "verloren", "abgeschlossen und verloren"),
}
# Chance in percent of the open stages that other CRMs come with; it also tells their order.
# Source: the default pipelines of Salesforce, HubSpot and Pipedrive, rounded to fit each other.
TYPICAL_PROBABILITIES = {
    "lead in": 10,
    "prospecting": 15,
    "engaging": 20,
    "contacted": 20,
    "contact made": 20,
    "appointment scheduled": 20,
    "qualification": 25,
    "needs analysis": 30,
    "qualified to buy": 40,
    "demo scheduled": 40,
    "value proposition": 50,
    "presentation scheduled": 60,
    "proposal made": 60,
    "proposal/price quote": 65,
    "negotiation/review": 80,
    "decision maker bought-in": 80,
    "negotiations started": 80,
    "contract sent": 90,
}
UNKNOWN_PROBABILITY = 50
# More than this and somebody has mapped another column to the stage.
MOST_ADDED = 25


class StageBook:
    """The stages of a tenant, found by the names that a file gives them.

    Args:
        pipeline: the name of the pipeline to import into, the default one when empty.

    Raises:
        ImportRefused: there is no such pipeline.
    """

    def __init__(self, pipeline: str = "") -> None:
        known = {row.name.casefold(): row for row in pipelines()}
        if pipeline and pipeline.casefold() not in known:
            names = ", ".join(row.name for row in known.values())
            raise ImportRefused(
                _("There is no pipeline “%(name)s”; there are %(names)s.")
                % {"name": pipeline, "names": names}
            )
        chosen = pipeline.casefold() or default_pipeline().name.casefold()
        self.pipeline: Pipeline = known[chosen]
        self.added: list[Stage] = []
        self._by_id = {stage.id: stage for row in known.values() for stage in row.stages.all()}
        self._stages = list(self.pipeline.stages.all())

    @property
    def first(self) -> Stage:
        """Where leads without a stage go."""
        for stage in self._stages:
            if stage.kind == Outcome.OPEN:
                return stage
        raise ImportRefused(
            _("The pipeline “%(name)s” has no open stage.") % {"name": self.pipeline.name}
        )

    def by_id(self, stage_id: UUID) -> Stage:
        """The tenant's stage with that id, the same object each time, its pipeline loaded."""
        return self._by_id[stage_id]

    def find(self, name: str) -> Stage | None:
        """The pipeline's stage of that name: in any case, in any of the product's languages, or
        any word for won and lost."""
        spellings = {name.casefold(), *_spellings(name)}
        for stage in self._stages:
            if stage.name.casefold() in spellings:
                return stage
        kind = _closing_kind(name)
        return self.pipeline.stage_of_kind(kind) if kind else None

    def add_missing(self, names: Iterable[str]) -> None:
        """Add an open stage for every name that is not found, where it belongs in the order.

        Raises:
            ImportRefused: there are so many that the column cannot hold stages.
        """
        missing = [name for name in names if self.find(name) is None]
        if len(missing) > MOST_ADDED or any(len(name) > 100 for name in missing):
            raise ImportRefused(
                _(
                    "The file names %(count)d stages that the pipeline lacks, such as “%(name)s”; "
                    "is that the right column?"
                )
                % {"count": len(missing), "name": missing[0][:100]}
            )
        for name in missing:
            self._insert(name)
        if self.added:
            for position, stage in enumerate(self._stages, start=1):
                stage.position = position
            old = [stage for stage in self._stages if stage not in self.added]
            Stage.objects.bulk_create(self.added)
            Stage.objects.bulk_update(old, ["position"])

    def _insert(self, name: str) -> None:
        probability = TYPICAL_PROBABILITIES.get(name.casefold(), UNKNOWN_PROBABILITY)
        stage = Stage(pipeline=self.pipeline, name=name[:100], probability=probability)
        later = (
            index
            for index, other in enumerate(self._stages)
            if other.kind != Outcome.OPEN or other.probability > probability
        )
        self._stages.insert(next(later, len(self._stages)), stage)
        self._by_id[stage.id] = stage
        self.added.append(stage)


def _spellings(name: str) -> set[str]:
    """The default stage called `name` in one language, in all languages."""
    translations: list[set[str]] = [set() for _stage in DEFAULT_STAGES]
    for language, _label in settings.LANGUAGES:
        with translation.override(language):
            for index, (stage, _probability, _kind) in enumerate(DEFAULT_STAGES):
                translations[index].add(str(stage).casefold())
    return next((names for names in translations if name.casefold() in names), set())


def _closing_kind(name: str) -> str:
    words = name.casefold().replace("-", " ").replace("_", " ")
    return next((kind for kind, names in CLOSING_NAMES.items() if words in names), "")
