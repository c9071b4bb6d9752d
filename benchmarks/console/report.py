"""What the pages took: as JSON, and as a table in docs/benchmarks.md."""

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.console.measuring import MOST_MS, MOST_RATIO, NOISE_MS, Measured
from benchmarks.report import PAGE, table
from benchmarks.results import machine, version_of

RESULTS = Path(__file__).parent.parent / "results-console.json"
BEGIN, END = "<!-- console: begin -->\n", "<!-- console: end -->\n"
PACKAGES = ("Django", "django-unfold", "djangorestframework", "psycopg")

Results = dict[str, Any]
Counts = dict[int, dict[str, int]]


def results_of(found: list[Measured], counts: Counts, requests: int, postgres: str) -> Results:
    """Everything that `results-console.json` says.

    Args:
        counts: events of a log → table → number of rows.
    """
    return {
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "requests": requests,
        "load": [round(load, 1) for load in os.getloadavg()],
        "goal": {"p95_ms": MOST_MS, "ratio": MOST_RATIO, "noise_ms": NOISE_MS},
        "rows": {str(events): rows for events, rows in counts.items()},
        "pages": [_row(each) for each in found],
        "versions": {
            "Python": platform.python_version(),
            "PostgreSQL": postgres,
            **{package: version_of(package) for package in PACKAGES},
        },
        "machine": machine(),
    }


def _row(found: Measured) -> dict[str, Any]:
    row = asdict(found)
    for size in ("small", "large"):
        row[size] = {f"{name}_ms": round(value, 1) for name, value in row[size].items()}
    return {**row, "ratio": round(found.ratio, 2), "misses": found.misses}


def save(results: Results) -> None:
    """Write `benchmarks/results-console.json`."""
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


def write_section(results: Results) -> None:
    """Put the table into docs/benchmarks.md, between its markers."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{section_of(results)}\n{END}{after}")


def section_of(results: Results) -> str:
    """The table, a row for each page: to whom it took longest."""
    small, large = (f"{int(events):,}" for events in results["rows"])
    header = (
        "page",
        "slowest for",
        "queries",
        f"p95 at {small} (ms)",
        f"p95 at {large} (ms)",
        f"work at {small} (ms)",
        f"work at {large} (ms)",
        "ratio",
        "",
    )
    rows = sorted(_slowest(results["pages"]), key=lambda row: str(row["page"]))
    return f"{_sentence(results)}\n{table(header, map(_cells, rows))}\n\n{_circumstances(results)}"


def _slowest(pages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for row in pages:
        known = found.setdefault(row["page"], row)
        if _rank(row) > _rank(known):
            found[row["page"]] = row
    return list(found.values())


def _rank(row: dict[str, Any]) -> tuple[bool, float]:
    return bool(row["misses"]), row["large"]["work_ms"]


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    kinds = [(name, size) for name in ("p95_ms", "work_ms") for size in ("small", "large")]
    times = (f"{row[size][name]:.0f}" for name, size in kinds)
    return row["page"], row["who"], str(row["queries"]), *times, f"{row['ratio']:.2f}", _note(row)


def _note(row: dict[str, Any]) -> str:
    if row["misses"]:
        return f"misses {row['misses']}"
    if row["ratio"] <= MOST_RATIO:
        return ""
    if row["is_frozen"]:
        return "as large as its selection"
    return "shows more rows" if row["shows_more"] else "within the noise"


def _sentence(results: Results) -> str:
    pages = results["pages"]
    missing = [row for row in pages if row["misses"]]
    slowest = max(row["large"]["p95_ms"] for row in pages)
    work = max(row["large"]["work_ms"] for row in pages)
    text = (
        f"{len(pages)} pages and people were measured; the slowest took {slowest:.0f} ms,"
        f" {work:.0f} ms of it work (p95)."
    )
    return f"{text} {len(missing) or 'None'} of them missed the goal.\n"


def _circumstances(results: Results) -> str:
    host = results["machine"]
    names = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    one, five, fifteen = results["load"]
    return (
        f"Measured on {results['finished_at'][:10]}, {results['requests']} requests a page,"
        f" on {host['cores']} cores ({host['processor']}) with"
        f" {host['memory_in_gigabytes']} GB of memory, {host['system']}, under a load of {one} by"
        f" the end ({five} over five minutes, {fifteen} over fifteen). {names}.\n"
    )
