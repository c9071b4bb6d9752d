"""Prometheus over several processes: each counts in a file of its own, one page adds them up.

What an ended process counted is added to a file that stays: a counter that goes down looks to
Prometheus like one that began anew, and everything that it ever counted like new.
"""

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
import structlog
from django.conf import settings
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from events.gauges import Gauges
from salesflow import home

ENDED = "ended"
# What reading a file raises that its process left half-written.
UNREADABLE = (struct.error, RuntimeError, ValueError)

log = structlog.get_logger(__name__)


def page() -> bytes:
    """What the processes of this home have counted, and how the queues are, for Prometheus."""
    registry = CollectorRegistry()
    registry.register(Counts(settings.METRICS_DIRECTORY))
    registry.register(Gauges())
    return generate_latest(registry)


class Counts(Collector):
    """The sums over all files of a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def collect(self) -> Iterable[Metric]:
        """What living processes count, and what those that have ended did."""
        with home.locked(self.directory / "lock"):
            _fold_ended(self.directory)
            # A file is empty for a moment when it is made.
            paths = [path for path in self.directory.glob("*.db") if path.stat().st_size]
            merged: Iterable[Metric] = MultiProcessCollector.merge(map(str, paths))
            return merged


def fold_ended(directory: Path) -> None:
    """Add what ended processes counted to one file of each kind, and remove theirs."""
    with home.locked(directory / "lock"):
        _fold_ended(directory)


def _fold_ended(directory: Path) -> None:
    left: dict[str, list[Path]] = defaultdict(list)
    for path in directory.glob("*.db"):
        kind, _, process = path.stem.rpartition("_")
        if process != ENDED and not psutil.pid_exists(int(process)):
            left[kind].append(path)
    for kind, paths in left.items():
        if kind.startswith("gauge"):  # how things were in a process that is no more
            _remove(paths)
        else:
            _add(directory / f"{kind}_{ENDED}.db", paths)


def _add(ended: Path, paths: Iterable[Path]) -> None:
    total = MmapedDict(str(ended))
    for path in paths:
        for key, value in _values(path):
            total.write_value(key, total.read_value(key)[0] + value, 0.0)
        _remove([path])
    total.close()


def _values(path: Path) -> Iterator[tuple[str, float]]:
    try:
        for key, value, _timestamp, _position in MmapedDict.read_all_values_from_file(str(path)):
            yield key, value
    except UNREADABLE as error:
        log.warning("counts_unreadable", file=path.name, error=f"{type(error).__name__}: {error}")


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
