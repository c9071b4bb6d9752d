"""Makers of leads, pipelines and CSV files, all of the current tenant."""

import csv
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from leads.models import Lead, Outcome, Pipeline, Stage
from leads.queries import default_pipeline
from leads.services import create_lead

_numbers = count(1)


def make_pipeline(name: str = "", stages: Sequence[str] = ("Open", "Won", "Lost")) -> Pipeline:
    """A pipeline; stages called Won and Lost are of that kind, the others are open."""
    pipeline: Pipeline = Pipeline.objects.create(
        name=name or f"Pipeline {next(_numbers)}", position=9
    )
    for position, stage in enumerate(stages, start=1):
        make_stage(pipeline, stage, position=position)
    return pipeline


def make_stage(pipeline: Pipeline, name: str, **fields: Any) -> Stage:
    """A stage whose kind follows its name."""
    kind = name.lower() if name.lower() in Outcome.values else Outcome.OPEN
    probability = {Outcome.WON: 100, Outcome.LOST: 0}.get(Outcome(kind), 50)
    given = {"kind": kind, "probability": probability, **fields}
    stage: Stage = Stage.objects.create(pipeline=pipeline, name=name, **given)
    return stage


def stage_called(name: str) -> Stage:
    """A stage of the default pipeline."""
    return next(stage for stage in default_pipeline().stages.all() if stage.name == name)


def make_lead(**fields: Any) -> Lead:
    """A lead with a name of its own, made by the service."""
    return create_lead(**{"name": f"Lead {next(_numbers)}", **fields})


def make_csv(
    path: Path,
    header: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    encoding: str = "utf-8",
    delimiter: str = ",",
) -> Path:
    """A CSV file as a spreadsheet would save it."""
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(header)
        writer.writerows(rows)
    return path
