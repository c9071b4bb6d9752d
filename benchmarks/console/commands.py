"""`python -m benchmarks console`: fill both logs, measure every page, say what misses the goal."""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from django.core.management import call_command

from benchmarks.console.measuring import Measured, measure
from benchmarks.console.report import results_of, save, section_of, write_section
from benchmarks.console.stage import Log, visitors
from salesflow.postgres import admin_url


def measure_console(arguments: argparse.Namespace, home: Path) -> int:
    """Do so; 1 when a page misses the goal.

    Args:
        home: where the server runs.

    Raises:
        ProcessFailed: a page was not what it has to be.
    """
    moment = datetime.now(UTC).isoformat()
    # The large one first, so that the small one is no fresher than need be.
    logs = [Log(home, events) for events in (arguments.small, arguments.events)]
    counts = {log.events: log.fill(moment) for log in reversed(logs)}
    _say(json.dumps(counts, indent=1) + "\n")
    call_command("collectstatic", verbosity=0, interactive=False)
    with visitors(logs) as (small, large):
        found = list(measure(small, large, arguments.requests, arguments.pages, _say))
    with psycopg.connect(admin_url(home)) as admin:
        [version] = admin.execute("SHOW server_version").fetchone() or ["?"]
    _tell(found, {events: counts[events] for events in sorted(counts)}, arguments, version)
    return 1 if any(page.misses for page in found) else 0


def _tell(
    found: list[Measured],
    counts: dict[int, dict[str, int]],
    arguments: argparse.Namespace,
    version: str,
) -> None:
    results = results_of(found, counts, arguments.requests, version.split()[0])
    if not arguments.pages:
        save(results)
        write_section(results)
    _say(f"\n{section_of(results)}\n")


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
