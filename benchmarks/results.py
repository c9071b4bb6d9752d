"""The results as JSON: figures, versions, machine, ratios."""

import json
import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil
import redis as redis_client

from benchmarks.counting import scalar
from benchmarks.fairness import Fairness
from benchmarks.findings import Finding, Findings, ratios_of
from benchmarks.history import OnHistory
from benchmarks.latency import Latency
from benchmarks.memory import Memory
from benchmarks.peers import CLASSES, peer_named
from benchmarks.replay import ReplayRun
from benchmarks.stage import Stage
from benchmarks.throughput import Throughput

RESULTS = Path(__file__).parent / "results.json"
DIGITS = 4
SECTIONS: dict[str, type[Finding]] = {
    "throughput": Throughput,
    "latency": Latency,
    "settled_events_in_the_tables": OnHistory,
    "replay": ReplayRun,
    "fairness": Fairness,
    "memory_in_megabytes": Memory,
}


def results_of(findings: Findings, stage: Stage) -> dict[str, Any]:
    """Everything that `results.json` says."""
    sections = {
        name: [_row(found) for found in findings.of_kind(kind)] for name, kind in SECTIONS.items()
    }
    ratios = {name: _rounded(ratio) for name, ratio in ratios_of(findings).items()}
    return {
        "kind": findings.kind,
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": _rounded(findings.seconds),
        "ratios": ratios,
        "figures": sections,
        "versions": _versions(stage),
        "machine": machine(),
    }


def save(results: dict[str, Any]) -> None:
    """Write `benchmarks/results.json`."""
    RESULTS.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")


def _row(found: Finding) -> dict[str, Any]:
    row = asdict(found)
    for name in ("per_second", "microseconds_per_event"):
        if hasattr(found, name):
            row[name] = getattr(found, name)
    return {name: _rounded(value) for name, value in row.items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    return round(value, DIGITS) if isinstance(value, float) else value


def _versions(stage: Stage) -> dict[str, str]:
    packages = {package for name in CLASSES for package in peer_named(name).packages}
    found = {package: version_of(package) for package in sorted({"Django", *packages})}
    server = scalar("SHOW server_version").split()[0]
    redis = redis_client.Redis.from_url(stage.redis_url).info("server")["redis_version"]
    return {"Python": platform.python_version(), "PostgreSQL": server, "Redis": redis, **found}


def version_of(package: str) -> str:
    """The version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def machine() -> dict[str, Any]:
    """What it was measured on."""
    gigabytes = round(psutil.virtual_memory().total / 1024**3)
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_in_gigabytes": gigabytes,
    }


def _processor() -> str:
    """Its name as Linux tells it, elsewhere what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
