"""The manual names what there is: its readers are in a hurry."""

import re

from prometheus_client import Counter, Histogram, Metric

from events import gauges, metrics
from events.backlog import Backlog, Waiting
from salesflow.home import PROJECT
from salesflow.supervisor import COLOURS

MANUAL = (PROJECT / "docs" / "operating.md").read_text()


def names_of(collectors: list[Metric]) -> set[str]:
    return {
        f"{found.name}_total" if found.type == "counter" else found.name for found in collectors
    }


def all_metrics() -> set[str]:
    """The names of everything that SalesFlow counts or reads."""
    declared = [
        value for value in vars(metrics).values() if isinstance(value, (Counter, Histogram))
    ]
    counted = [found for collector in declared for found in collector.collect()]
    read = list(gauges.gauges_of(Backlog(events=Waiting())))
    return names_of([*counted, *read]) | {"salesflow_database_up"}


def test_every_metric_is_explained_and_every_one_that_is_named_exists() -> None:
    assert set(re.findall(r"\bsalesflow_\w+", MANUAL)) == all_metrics()


def test_processes_are_the_ones_that_the_supervisor_starts() -> None:
    for name in COLOURS.keys() - {"setup"}:
        assert f"| {name}" in MANUAL
